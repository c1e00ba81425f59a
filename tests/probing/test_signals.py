"""Numbers about votes, worked out by hand."""

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import resolve
from ttrl.probing.draw import Draws, Voted, sharp_temperature, voted
from ttrl.probing.signals import Signals, across, halves, measure, within

MATH = get_task("math")
CONFIG = resolve({}, environment={}).values


@pytest.fixture
def vote(make_group):
    """`vote("id", "1 1 2 -")`: votes on a question; - abstains, and an answer is boxed."""

    def make(id: str, answers: str, reasons=None, task=MATH) -> Voted:
        texts = ["" if a == "-" else rf"\boxed{{{a}}}" for a in answers.split()]
        return voted([make_group(texts, id=id, reasons=reasons)], task=task, config=CONFIG)[0]

    return make


def signals(votes, sharp=(), changed=None) -> Signals:
    draws = Draws(
        votes=votes,
        labels=votes,
        sharp=sharp,
        changed=changed if changed is not None else [[] for _ in sharp],
        vote_seconds=1.0,
    )
    return measure(draws, task=MATH, tie_seed=0)


def test_within_is_the_share_of_pairs_that_agree_and_abstentions_never_do(vote) -> None:
    # 1 1 2 -: one of six pairs; 3 3 3 3: all
    assert within([vote("a", "1 1 2 -")]) == pytest.approx(1 / 6)
    assert within([vote("a", "1 1 2 -"), vote("b", "3 3 3 3")]) == pytest.approx(7 / 12)
    assert within([vote("a", "- -")]) == 0.0


def test_across_is_the_share_of_pairs_of_different_questions_that_agree(vote) -> None:
    # a: 1 1 2, b: 1 2 2: 9 pairs; equal ones: 2 x 1 of the answer 1, 1 x 2 of the answer 2
    assert across([vote("a", "1 1 2"), vote("b", "1 2 2")]) == pytest.approx(4 / 9)
    assert across([vote("a", "1 1"), vote("b", "2 2")]) == 0.0
    assert across([vote("a", "1 1")]) is None


def test_kappa_is_agreement_beyond_that_of_different_questions(vote) -> None:
    # within 1/3 twice, across 4/9: (3/9 - 4/9) / (5/9)
    assert signals([vote("a", "1 1 2"), vote("b", "1 2 2")]).kappa == pytest.approx(-1 / 5)
    assert signals([vote("a", "5 5"), vote("b", "6 6")]).kappa == 1.0
    assert signals([vote("a", "- -"), vote("b", "- -")]).kappa == 0.0


def test_a_model_that_says_the_same_of_every_question_has_a_kappa_of_zero(vote) -> None:
    assert signals([vote(id, "5 5 5 5") for id in "abc"]).kappa == 0.0
    assert signals([vote(id, "5 5 5 6") for id in "abc"]).kappa == pytest.approx(-1 / 3)


def test_halves_elect_the_same_or_not(vote) -> None:
    votes = [vote("a", "1 1 2 1 1 3"), vote("b", "1 1 1 2 2 2"), vote("c", "- - - - - -")]
    assert halves(votes, task=MATH, tie_seed=0) == pytest.approx(1 / 3)


def test_means_and_quartiles_over_questions(vote) -> None:
    votes = [vote("a", "1 1 1 1"), vote("b", "1 1 2 2"), vote("c", "7 - - -")]
    found = signals(votes)
    assert found.questions == 3 and found.votes_per_question == 4
    assert found.majority_ratio == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert found.majority_ratio_quartiles == pytest.approx((0.375, 0.5, 0.75))
    assert found.margin == pytest.approx((1 + 0 + 0.25) / 3)
    assert found.unanimous == pytest.approx(1 / 3)
    assert found.no_answer == pytest.approx(3 / 12)
    assert found.distinct_answers == pytest.approx((1 + 2 + 1) / 3)
    assert found.distinct_labels in (pytest.approx(2 / 3), pytest.approx(1.0))  # b is a tie of 1, 2
    assert found.entropy == pytest.approx(0.25)


def test_cut_completions_count_as_truncated_and_not_as_long(vote) -> None:
    found = signals([vote("a", "1 22", reasons=["stop", "length"]), vote("b", "1 1")])
    assert found.truncated == pytest.approx(1 / 4)
    assert found.longest_tokens == len(r"\boxed{1}") + 1


def test_ignored_numbers_are_counted_where_the_original_is_confident(vote) -> None:
    sharp = [vote("a", "1 1 1 1"), vote("b", "1 2 3 4"), vote("c", "2 2 2 3"), vote("d", "- - - -")]
    changed = [
        [vote("a~0", "1 2"), vote("a~1", "2 2")],  # half of one ignored
        [vote("b~0", "1 1"), vote("b~1", "1 1")],  # no confident answer
        [vote("c~0", "2 2"), vote("c~1", "- -")],  # one ignored, one without an answer
        [vote("d~0", "- -"), vote("d~1", "- -")],  # two abstentions are not the same answer
    ]
    few = signals(sharp, sharp, changed)
    assert few.changes == 4 and few.ignored_numbers is None
    twice = signals(sharp * 2, sharp * 2, changed * 2)
    assert twice.changes == 8 and twice.ignored_numbers == pytest.approx(1.5 / 4)


def test_texts_have_similarity_and_no_shares_of_equal_answers(make_group) -> None:
    task = get_task("text")
    groups = [make_group(["the cat sat", "the cat sat", "a dog ran off"], id=i) for i in "ab"]
    votes = voted(groups, task=task, config=CONFIG)
    found = measure(
        Draws(votes=votes, labels=votes, sharp=votes, changed=[[], []], vote_seconds=1.0),
        task=task,
        tie_seed=0,
    )
    assert found.across is None and found.halves is None and found.kappa is None
    assert found.ignored_numbers is None
    assert 0 < found.within < 1


def test_unreliability_is_that_of_redrawn_votes_of_the_share_that_is_trained(vote) -> None:
    # 1 1 2 3 1 2 2 1, the first half trained: the worked example; 5 5 5 5 teaches nothing
    votes = [vote("a", "1 1 2 3 1 2 2 1"), vote("b", "5 5 5 5")]
    squares = 2 * 0.5203131**2 + 0.0756402**2 + 1.1162663**2
    assert signals(votes).unreliability == pytest.approx((1 - squares / 4 + 1) / 2, abs=1e-6)
    assert signals([vote("a", "1 -")]).unreliability is None  # one trained


def test_the_sharper_temperature() -> None:
    assert sharp_temperature(1.0) == 0.6 and sharp_temperature(3.0) == 0.6
    assert sharp_temperature(0.5) == pytest.approx(0.3)
