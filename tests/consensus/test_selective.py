"""The four cases of SCRL, by hand."""

from dataclasses import replace

import pytest

from ttrl.answers.tasks import get_task
from ttrl.consensus.selective import SelectiveReward


def score(make_group, answers, entropies=None, **settings):
    group = make_group([rf"\boxed{{{a}}}" if a else "?" for a in answers])
    if entropies is not None:
        completions = tuple(
            replace(c, entropy=(h, h)) for c, h in zip(group.completions, entropies, strict=True)
        )
        group = replace(group, completions=completions)
    return SelectiveReward(tie_seed=0, **settings)(get_task("math"), group).rewards


def test_a_clear_winner_earns_its_share_and_a_rare_answer_is_punished(make_group):
    # shares 6/10, 3/10, 1/10; no entropy difference
    rewards = score(make_group, [1] * 6 + [2] * 3 + [3])
    assert rewards[:6] == pytest.approx((0.6,) * 6)
    assert rewards[6:9] == pytest.approx((0.0,) * 3)
    assert rewards[9] == pytest.approx(-(0.125 - 0.1))


def test_without_a_clear_lead_nothing_is_rewarded(make_group):
    assert score(make_group, [1] * 5 + [2] * 4 + [None]) == pytest.approx((0,) * 9 + (-1,))
    # a lead of exactly the margin is not enough
    assert score(make_group, [1] * 4 + [2] * 3 + [None], margin=0.125) == pytest.approx(
        (0,) * 7 + (-1,)
    )


def test_unsure_answers_pay_for_their_entropy_and_a_sure_rare_answer_is_let_go(make_group):
    answers, entropies = [1] * 8 + [2, 3], [0.2] * 8 + [0.1, 1.2]
    overall = (8 * 0.2 + 0.1 + 1.2) / 10
    rewards = score(make_group, answers, entropies)
    assert rewards[0] == pytest.approx(0.8 - 0.1 * (0.2 - overall))
    assert rewards[8] == pytest.approx(-0.1 * (0.1 - overall))  # rare, but surer than the mean
    assert rewards[9] == pytest.approx(-(0.125 - 0.1) - 0.1 * (1.2 - overall))


def test_completions_without_entropies_are_equally_sure(make_group):
    group = make_group([r"\boxed{1}"] * 9 + [r"\boxed{2}"])
    group = replace(group, completions=tuple(replace(c, entropy=()) for c in group.completions))
    rewards = SelectiveReward(tie_seed=0)(get_task("math"), group).rewards
    assert rewards == pytest.approx((0.9,) * 9 + (-0.025,))


def test_silence_costs_one_each(make_group):
    assert score(make_group, [None, None]) == (-1, -1)
