import math
from dataclasses import replace

import pytest

from ttrl.answers.tasks import get_task
from ttrl.consensus.confidence import ConfidenceReward, confidence_weights
from ttrl.errors import ConfigError, DataError


def with_logprobs(group, logprobs):
    return replace(
        group,
        completions=tuple(
            replace(c, logprobs=row) for c, row in zip(group.completions, logprobs, strict=True)
        ),
    )


def test_weights_are_a_softmax_of_mean_logprobs_up_to_a_factor():
    weights = confidence_weights([(-1.0, -3.0), (-1.0,), (-2.0,)], temperature=0.5)
    assert weights == pytest.approx((math.exp(-2), 1, math.exp(-2)))


def test_one_sure_completion_outvotes_two_unsure_ones(make_group):
    group = with_logprobs(
        make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"]), [(-2.0,), (-2.0, -2.0), (-0.1,)]
    )
    scored = ConfidenceReward(tie_seed=0)(get_task("math"), group)
    # 2 exp(-1.9) = 0.299 against 1
    assert scored.consensus.pseudo_label == "2" and scored.rewards == (0, 0, 1)
    assert scored.consensus.counts == (1, 2) and scored.consensus.majority_ratio == 1 / 3


def test_a_hot_confidence_is_the_plain_vote(make_group):
    group = with_logprobs(
        make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"]), [(-2.0,), (-2.0,), (-0.1,)]
    )
    scored = ConfidenceReward(tie_seed=0, temperature=1e6)(get_task("math"), group)
    assert scored.rewards == (1, 1, 0)


def test_who_says_nothing_needs_no_logprobs(make_group):
    group = with_logprobs(make_group([r"\boxed{1}", "?"]), [(-1.0,), ()])
    assert ConfidenceReward(tie_seed=0)(get_task("math"), group).rewards == (1, 0)
    empty = make_group([])
    assert ConfidenceReward(tie_seed=0)(get_task("math"), empty).rewards == ()


def test_texts_have_no_weights(make_group):
    with pytest.raises(ConfigError, match="similar and not equal"):
        ConfidenceReward(tie_seed=0)(
            get_task("text"), make_group(["one two three", "four five six"])
        )


@pytest.mark.parametrize("logprobs", [(), (float("nan"),), (-1.0, float("-inf"))])
def test_missing_or_broken_logprobs_are_refused_by_place(make_group, logprobs):
    group = with_logprobs(make_group([r"\boxed{1}", r"\boxed{2}"]), [(-1.0,), logprobs])
    with pytest.raises(DataError, match="question 'q', completion 1: reward=confidence needs"):
        ConfidenceReward(tie_seed=0)(get_task("math"), group)
