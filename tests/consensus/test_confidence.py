import math
from dataclasses import replace

import pytest

from ttrl.consensus.confidence import confidence_weights
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


def test_one_sure_completion_outvotes_two_unsure_ones(make_group, vote_and_score):
    group = with_logprobs(
        make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"]), [(-2.0,), (-2.0, -2.0), (-0.1,)]
    )
    scored = vote_and_score(group, reward="confidence")
    # 2 exp(-1.9) = 0.299 against 1
    assert scored.consensus.pseudo_label == "2" and scored.rewards == (0, 0, 1)
    assert scored.consensus.counts == (1, 2) and scored.consensus.majority_ratio == 1 / 3


def test_a_hot_confidence_is_the_plain_vote(make_group, vote_and_score):
    group = with_logprobs(
        make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"]), [(-2.0,), (-2.0,), (-0.1,)]
    )
    scored = vote_and_score(group, reward="confidence", confidence_temperature=1e6)
    assert scored.rewards == (1, 1, 0)


def test_who_says_nothing_needs_no_logprobs(make_group, vote_and_score):
    group = with_logprobs(make_group([r"\boxed{1}", "?"]), [(-1.0,), ()])
    assert vote_and_score(group, reward="confidence").rewards == (1, 0)
    empty = make_group([])
    assert vote_and_score(empty, reward="confidence").rewards == ()


def test_texts_have_no_weights(make_group, vote_and_score):
    with pytest.raises(ConfigError, match="similar and not equal"):
        texts = make_group(["one two three", "four five six"])
        vote_and_score(texts, reward="confidence", task="text")


@pytest.mark.parametrize("logprobs", [(), (float("nan"),), (-1.0, float("-inf"))])
def test_missing_or_broken_logprobs_are_refused_by_place(make_group, vote_and_score, logprobs):
    group = with_logprobs(make_group([r"\boxed{1}", r"\boxed{2}"]), [(-1.0,), logprobs])
    with pytest.raises(DataError, match="question 'q', completion 1: reward=confidence needs"):
        vote_and_score(group, reward="confidence")
