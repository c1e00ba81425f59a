import math

import numpy as np
import pytest
from scipy import stats

from ttrl.errors import DataError
from ttrl.evaluation.pooling import pooled_difference, pooled_mean
from ttrl.evaluation.statistics import bootstrap_interval


def test_the_interval_by_hand() -> None:
    """Three seeds, two questions: rows 0 2, 1 3, 5 7 have no residual."""
    found = pooled_mean([[0, 2], [1, 3], [5, 7]])
    assert (found.value, found.seeds, found.questions) == (3, 3, 2)
    of_seeds = np.var([1, 2, 6], ddof=1) / 3
    of_questions = np.var([2, 4], ddof=1) / 2
    reach = math.sqrt(
        stats.t.ppf(0.975, 2) ** 2 * of_seeds + stats.t.ppf(0.975, 1) ** 2 * of_questions
    )
    assert (found.low, found.high) == pytest.approx((3 - reach, 3 + reach))
    assert found.over == "questions and seeds"


def test_the_parts_are_those_of_the_analysis_of_variance() -> None:
    """Mean squares of a textbook two-way table, from sums of squares."""
    table = np.array([[3.0, 5, 4, 8], [2, 6, 7, 9], [7, 7, 8, 9]])
    grand, (s, q) = table.mean(), table.shape
    square_s = q * ((table.mean(axis=1) - grand) ** 2).sum() / (s - 1)
    square_q = s * ((table.mean(axis=0) - grand) ** 2).sum() / (q - 1)
    total = ((table - grand) ** 2).sum()
    square_e = (total - square_s * (s - 1) - square_q * (q - 1)) / ((s - 1) * (q - 1))
    assert square_s > square_e
    squared = (
        stats.t.ppf(0.975, s - 1) ** 2 * (square_s - square_e)
        + stats.t.ppf(0.975, q - 1) ** 2 * square_q
    ) / (s * q)
    found = pooled_mean(table)
    assert found.high - found.value == pytest.approx(math.sqrt(squared))


def test_seeds_that_differ_by_less_than_noise_leave_the_interval_over_questions() -> None:
    table = [[1, 2, 6], [2, 1, 6], [1, 2, 6]]
    found = pooled_mean(table)
    means = np.mean(table, axis=0)
    reach = stats.t.ppf(0.975, 2) * np.std(means, ddof=1) / math.sqrt(3)
    assert found.high - found.value == pytest.approx(reach)


def test_one_seed_is_the_bootstrap_over_questions_and_says_so() -> None:
    values = np.random.default_rng(0).random(40)
    found = pooled_mean([values], seed=3)
    assert (found.low, found.high) == bootstrap_interval(values.tolist(), seed=3)
    assert found.over == "questions" and found.seeds == 1


def test_one_question_and_equal_values_are_no_error() -> None:
    found = pooled_mean([[1], [2], [3]])
    reach = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((2 - reach, 2 + reach))
    flat = pooled_mean([[0.1] * 5] * 3)
    assert (flat.low, flat.value, flat.high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_difference_forgets_what_a_seed_does_to_both_sets() -> None:
    rng = np.random.default_rng(0)
    first, second, seeds = rng.random((4, 30)), rng.random((4, 20)), rng.normal(size=(4, 1))
    plain = pooled_difference(first, second)
    moved = pooled_difference(first + seeds, second + seeds)
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (plain.value, plain.low, plain.high)
    )
    assert plain.value == pytest.approx(first.mean() - second.mean())
    assert (plain.seeds, plain.questions) == (4, 50)


def test_a_difference_under_one_seed_resamples_both_sets() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(300), rng.random(200)
    found = pooled_difference([first], [second])
    spread = math.sqrt(first.var() / 300 + second.var() / 200)
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.06)
    assert found.low < found.value < found.high and found.over == "questions"


@pytest.mark.parametrize("values", [[], [[]], [1, 2], [[1, 2], [1]], [[1, math.nan]], [["a"]]])
def test_what_is_no_table_is_refused(values: list) -> None:
    with pytest.raises(DataError, match="one row of numbers per seed"):
        pooled_mean(values)


def test_differences_of_other_seeds_are_refused() -> None:
    with pytest.raises(DataError, match="2 and 1 seeds"):
        pooled_difference([[1, 2], [2, 3]], [[1, 2]])


def gains(
    rng: np.random.Generator, *, seeds: int, questions: int, of_seeds: np.ndarray, trials: int
) -> np.ndarray:
    """Gains as they are measured: shares of 16 after minus before, which is the same for all seeds.

    Args:
        of_seeds: what a seed adds to the gain of each of its questions.   [trials, seeds, 1]
    """
    ability = rng.beta(1, 1, size=(trials, 1, questions)) * 0.5 + 0.1
    own = rng.normal(0, 0.08, size=(trials, seeds, questions))
    after = np.clip(ability * 1.3 + own + of_seeds, 0, 1)
    shape = (trials, seeds, questions)
    return rng.binomial(16, after, size=shape) / 16 - rng.binomial(16, ability) / 16


TRUE_GAIN = 0.3 * 0.35
TRIALS = 1500
# Standard deviations between seeds. Over 128 questions, the mean gain has about 0.012 of its own.
EFFECTS = {"none": 0.0, "small": 0.008, "medium": 0.025, "large": 0.06}


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("effect", EFFECTS)
def test_pooled_means_cover_the_truth_in_92_to_98_percent(seeds: int, effect: str) -> None:
    rng = np.random.default_rng(seeds)
    of_seeds = rng.normal(0, EFFECTS[effect], size=(TRIALS, seeds, 1))
    tables = gains(rng, seeds=seeds, questions=128, of_seeds=of_seeds, trials=TRIALS)
    found = [pooled_mean(table) for table in tables]
    covered = np.mean([each.low <= TRUE_GAIN <= each.high for each in found])
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("effect", EFFECTS)
def test_pooled_differences_cover_the_truth_in_92_to_98_percent(seeds: int, effect: str) -> None:
    rng = np.random.default_rng(seeds)
    shared, own = (rng.normal(0, EFFECTS[effect], size=(TRIALS, seeds, 1)) for _ in range(2))
    first = gains(rng, seeds=seeds, questions=128, of_seeds=shared + own, trials=TRIALS)
    second = gains(rng, seeds=seeds, questions=64, of_seeds=shared, trials=TRIALS)
    found = [pooled_difference(*pair) for pair in zip(first, second, strict=True)]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    assert 0.92 <= covered <= 0.98


def test_an_interval_over_questions_alone_misses_what_seeds_do() -> None:
    """Why pooling is needed: with seeds that differ, the mean run's bootstrap covers far too seldom."""
    rng = np.random.default_rng(0)
    of_seeds = rng.normal(0, EFFECTS["large"], size=(300, 3, 1))
    tables = gains(rng, seeds=3, questions=128, of_seeds=of_seeds, trials=300)
    means = tables.mean(axis=1)
    found = [bootstrap_interval(row.tolist(), seed=0, resamples=300) for row in means]
    assert np.mean([low <= TRUE_GAIN <= high for low, high in found]) < 0.7
