"""The four cases of SCRL, by hand."""

from dataclasses import replace

import pytest


@pytest.fixture
def score(make_group, vote_and_score):
    """`score(answers, entropies, selective_...=...)`: the rewards."""

    def run(answers, entropies=None, **settings):
        group = make_group([rf"\boxed{{{a}}}" if a else "?" for a in answers])
        if entropies is not None:
            completions = tuple(
                replace(c, entropy=(h, h))
                for c, h in zip(group.completions, entropies, strict=True)
            )
            group = replace(group, completions=completions)
        return vote_and_score(group, reward="selective", **settings).rewards

    return run


def test_a_clear_winner_earns_its_share_and_a_rare_answer_is_punished(score):
    # shares 6/10, 3/10, 1/10; no entropy difference
    rewards = score([1] * 6 + [2] * 3 + [3])
    assert rewards[:6] == pytest.approx((0.6,) * 6)
    assert rewards[6:9] == pytest.approx((0.0,) * 3)
    assert rewards[9] == pytest.approx(-(0.125 - 0.1))


def test_without_a_clear_lead_nothing_is_rewarded(score):
    assert score([1] * 5 + [2] * 4 + [None]) == pytest.approx((0,) * 9 + (-1,))
    # a lead of exactly the margin is not enough
    assert score([1] * 4 + [2] * 3 + [None], selective_margin=0.125) == pytest.approx(
        (0,) * 7 + (-1,)
    )


def test_unsure_answers_pay_for_their_entropy_and_a_sure_rare_answer_is_let_go(score):
    answers, entropies = [1] * 8 + [2, 3], [0.2] * 8 + [0.1, 1.2]
    overall = (8 * 0.2 + 0.1 + 1.2) / 10
    rewards = score(answers, entropies)
    assert rewards[0] == pytest.approx(0.8 - 0.1 * (0.2 - overall))
    assert rewards[8] == pytest.approx(-0.1 * (0.1 - overall))  # rare, but surer than the mean
    assert rewards[9] == pytest.approx(-(0.125 - 0.1) - 0.1 * (1.2 - overall))


def test_completions_without_entropies_are_equally_sure(make_group, vote_and_score):
    group = make_group([r"\boxed{1}"] * 9 + [r"\boxed{2}"])
    group = replace(group, completions=tuple(replace(c, entropy=()) for c in group.completions))
    rewards = vote_and_score(group, reward="selective").rewards
    assert rewards == pytest.approx((0.9,) * 9 + (-0.025,))


def test_silence_costs_one_each(score):
    assert score([None, None]) == (-1, -1)
