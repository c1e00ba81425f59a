import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.tasks import get_task
from ttrl.consensus.vote import tie_order, vote_on_group
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.estimators import curve_sizes, maj_at_k, pass_at_k
from ttrl.evaluation.metrics import evaluate_groups
from ttrl.types import Completion, Group, Question


def test_pass_at_k_is_the_share_of_draws_with_a_correct_one() -> None:
    for n in range(1, 8):
        for correct in range(n + 1):
            outcomes = [True] * correct + [False] * (n - correct)
            for k in range(1, n + 1):
                draws = [any(draw) for draw in combinations(outcomes, k)]
                assert pass_at_k(n, correct, k) == pytest.approx(sum(draws) / len(draws))


def test_pass_at_k_by_hand() -> None:
    assert pass_at_k(4, 1, 2) == 0.5  # 3 of the 6 pairs hold it
    assert pass_at_k(4, 3, 2) == 1.0
    assert pass_at_k(64, 1, 16) == 0.25
    assert pass_at_k(10, 3, 1) == 0.3


@given(n=st.integers(1, 400), data=st.data())
def test_pass_at_k_agrees_with_the_published_product(n: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    published = (
        1.0 if n - correct < k else 1.0 - np.prod(1.0 - k / np.arange(n - correct + 1, n + 1))
    )
    assert pass_at_k(n, correct, k) == pytest.approx(published, abs=1e-9)


@pytest.mark.parametrize(("n", "correct", "k"), [(4, 1, 5), (4, 1, 0), (4, 5, 1), (4, -1, 1)])
def test_impossible_counts_are_refused(n: int, correct: int, k: int) -> None:
    with pytest.raises(ConfigError, match="pass@"):
        pass_at_k(n, correct, k)


def every_vote(counts: Sequence[int], right: set[int], abstained: int, k: int) -> float:
    """Share of all draws of k whose plurality vote is right."""
    votes = [c for c, count in enumerate(counts) for _ in range(count)] + [None] * abstained
    hits = []
    for draw in combinations(votes, k):
        standing = [(-draw.count(c), c) for c in range(len(counts)) if c in draw]
        hits.append(bool(standing) and min(standing)[1] in right)
    return sum(hits) / len(hits)


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[int], set[int], int]:
    counts = draw(st.lists(st.integers(0, 5), max_size=5).filter(lambda found: sum(found) <= 10))
    right = draw(st.sets(st.integers(0, 4)).map(lambda found: found & set(range(len(counts)))))
    abstained = draw(st.integers(0 if sum(counts) else 1, 3))
    return counts, right, abstained


@given(elections())
def test_maj_at_k_is_the_share_of_draws_whose_vote_is_right(
    election: tuple[list[int], set[int], int],
) -> None:
    counts, right, abstained = election
    ks = list(range(1, sum(counts) + abstained + 1))
    expected = [every_vote(counts, right, abstained, k) for k in ks]
    assert maj_at_k(counts, right, abstained, ks) == pytest.approx(expected, abs=1e-12)


def test_maj_at_k_by_hand() -> None:
    # a, b, b: of three pairs, two are ties, which the earlier class wins
    assert maj_at_k([1, 2], {0}, 0, [1, 2, 3]) == pytest.approx([1 / 3, 2 / 3, 0.0])
    assert maj_at_k([2, 1], {0}, 0, [1, 2, 3]) == pytest.approx([2 / 3, 1.0, 1.0])
    # two right spellings against one wrong answer, and one who abstains
    assert maj_at_k([1, 1, 1], {0, 2}, 1, [1, 4]) == pytest.approx([2 / 4, 1.0])
    assert maj_at_k([], set(), 3, [1, 2, 3]) == [0.0, 0.0, 0.0]
    assert maj_at_k([0, 2], {0}, 0, [1, 2]) == [0.0, 0.0]


def test_all_right_is_certain_unless_only_abstentions_are_drawn() -> None:
    assert maj_at_k([3, 4], {0, 1}, 0, [1, 2, 4, 7]) == pytest.approx([1.0] * 4)
    n, abstained = 9, 4
    nobody = [math.comb(abstained, k) / math.comb(n, k) for k in (1, 2, 4, 8)]
    expected = [1 - share for share in nobody]
    assert maj_at_k([2, 3], {0, 1}, abstained, [1, 2, 4, 8]) == pytest.approx(expected)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 30), st.data())
def test_one_class_wins_each_vote_that_is_not_abstained(
    counts: list[int], abstained: int, data: st.DataObject
) -> None:
    n = sum(counts) + abstained
    k = data.draw(st.integers(1, n))
    chances = [maj_at_k(counts, {c}, abstained, [k])[0] for c in range(len(counts))]
    assert sum(chances) == pytest.approx(1 - math.comb(abstained, k) / math.comb(n, k))


@pytest.mark.parametrize("counts", [[900, 1300], [3] * 700, [400, 401, 399, 500, 300]])
def test_thousands_of_completions_neither_overflow_nor_vanish(counts: list[int]) -> None:
    n, ks = sum(counts), [1, 2, 64, 1000]
    chances = [maj_at_k(counts, {c}, 0, ks) for c in (0, 1, len(counts) - 1)]
    assert [row[0] for row in chances] == pytest.approx([counts[c] / n for c in (0, 1, -1)])
    assert maj_at_k(counts, set(range(len(counts))), 0, ks) == pytest.approx([1.0] * 4)


def test_a_large_vote_agrees_with_drawing_it() -> None:
    counts, k = [210, 260, 150, 90, 50], 64
    draws = np.random.default_rng(0).multivariate_hypergeometric([*counts, 40], k, size=40_000)
    elected = draws[:, :-1].argmax(axis=1)  # the first of equals
    for c in range(3):
        share = (elected == c).mean()
        assert maj_at_k(counts, {c}, 40, [k])[0] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("counts", "abstained", "k"), [([2], 1, 4), ([2], 1, 0), ([-1], 3, 1)])
def test_impossible_votes_are_refused(counts: list[int], abstained: int, k: int) -> None:
    with pytest.raises(ConfigError, match="maj@"):
        maj_at_k(counts, {0}, abstained, [k])


def group(answers: Sequence[str | None], *, id: str = "q") -> Group:
    return Group(
        question=Question(id=id, prompt="?"),
        completions=tuple(
            Completion(
                question_id=id,
                prompt_ids=(1,),
                token_ids=(2,),
                logprobs=(-1.0,),
                entropy=(0.5,),
                finish_reason="stop",
                policy_version=0,
                text="nothing" if answer is None else f"\\boxed{{{answer}}}",
            )
            for answer in answers
        ),
    )


@given(
    st.lists(st.sampled_from([None, "1", "2", "3 cm", "3"]), min_size=2, max_size=8),
    st.integers(0, 5),
)
def test_the_curve_is_the_mean_of_the_votes_of_the_project_over_all_draws(
    answers: list[str | None], seed: int
) -> None:
    """Ties of a draw go where a vote on that draw would send them."""
    task, right = get_task("math"), {"3", "3 cm"}
    n = len(answers)
    sheet = AnswerSheet(answers={"q": "3\\text{ cm}"})
    found = evaluate_groups(task, [group(answers)], sheet, seed=seed).to_json()
    curves = found["curves"]
    for k, estimate in zip(curves["k"], curves["maj"], strict=True):
        elected = [
            vote_on_group(task, group(draw), tie_seed=seed).pseudo_label
            for draw in combinations(answers, k)
        ]
        assert estimate == pytest.approx(sum(e in right for e in elected) / len(elected))
    assert curves["maj"][-1] == found["metrics"][f"maj@{n}"]
    assert curves["pass"][0] == pytest.approx(curves["maj"][0])
    assert curves["maj"][0] == pytest.approx(found["metrics"][f"avg@{n}"])


def test_ties_are_won_in_the_order_told() -> None:
    task = get_task("math")
    for seed in range(5):
        consensus = vote_on_group(task, group("12345"), tie_seed=seed)
        order = tie_order(consensus.keys, question_id="q", tie_seed=seed)
        assert consensus.tied and order == (0, 1, 2, 3, 4)


def test_curves_double_and_end_at_all_completions() -> None:
    assert curve_sizes(1) == [1]
    assert curve_sizes(2) == [1, 2]
    assert curve_sizes(6) == [1, 2, 4, 6]
    assert curve_sizes(64) == [1, 2, 4, 8, 16, 32, 64]
