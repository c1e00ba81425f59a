from itertools import product

import numpy as np
import pytest
from scipy import stats

from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.statistics import (
    Contingency,
    bootstrap_interval,
    clustered_mcnemar_p,
    difference_interval,
    fate,
    mcnemar_p,
    mean,
)


def test_the_interval_agrees_with_all_possible_resamples() -> None:
    values = (0.0, 0.25, 1.0, 0.5)
    means = [mean(draw) for draw in product(values, repeat=4)]
    low, high = bootstrap_interval(values, seed=1, resamples=20_000)
    assert low == pytest.approx(np.quantile(means, 0.025), abs=0.07)  # means lie 1/16 apart
    assert high == pytest.approx(np.quantile(means, 0.975), abs=0.07)


def test_the_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).random(40)
    for confidence in (0.8, 0.95):
        oracle = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=8000,
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        ours = bootstrap_interval(list(values), seed=2, confidence=confidence, resamples=8000)
        assert ours == pytest.approx((oracle.low, oracle.high), abs=0.01)


def test_the_interval_is_that_of_scipy_where_both_draw_the_same_questions() -> None:
    """scipy draws indices by the same call, [resamples, questions] from one generator."""
    values = np.random.default_rng(3).random(50)
    oracle = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(11),
        vectorized=True,
    ).confidence_interval
    assert bootstrap_interval(list(values), seed=11) == pytest.approx((oracle.low, oracle.high))


def test_a_bias_correction_would_change_little() -> None:
    """BCa moves an interval of a skewed mean by a small part of its width."""
    values = np.random.default_rng(4).beta(0.3, 0.9, size=128)
    low, high = bootstrap_interval(list(values), seed=1)
    oracle = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=0.1 * (high - low))


def accuracies(
    rng: np.random.Generator, *, questions: int, trials: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Two evaluations with 16 samples of the same questions, [trials, questions] each, and the mean gain.

    Question abilities pile up near 0 and 1, as they do.
    """
    before = rng.beta(0.5, 0.7, size=(trials, questions))
    after = before + 0.3 * before * (1 - before)
    gain = 0.3 * (0.5 / 1.2 - 0.5 * 1.5 / (1.2 * 2.2))  # 0.3 (E p - E p^2)
    return rng.binomial(16, before) / 16, rng.binomial(16, after) / 16, gain


@pytest.mark.parametrize("questions", [100, 300])
def test_intervals_cover_what_other_questions_would_give_in_92_to_98_percent(
    questions: int,
) -> None:
    rng = np.random.default_rng(questions)
    trials = 500
    before, after, gain = accuracies(rng, questions=questions, trials=trials)
    votes = rng.random((trials, questions)) < 0.3
    hits = {"accuracy": 0, "vote": 0, "difference": 0}
    for trial in range(trials):
        rows = before[trial].tolist(), after[trial].tolist()
        for name, truth, (low, high) in (
            ("accuracy", 0.5 / 1.2, bootstrap_interval(rows[0], seed=trial, resamples=500)),
            ("vote", 0.3, bootstrap_interval(votes[trial].tolist(), seed=trial, resamples=500)),
            ("difference", gain, difference_interval(*rows, seed=trial, resamples=500)),
        ):
            hits[name] += low <= truth <= high
    assert all(0.92 <= count / trials <= 0.98 for count in hits.values()), hits


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(200):
        low, high = bootstrap_interval(list(rng.random(60)), seed=trial, resamples=400)
        hits += low <= 0.5 <= high
    assert 0.89 <= hits / 200 <= 0.99


def test_equal_values_and_a_single_one_have_no_width() -> None:
    assert bootstrap_interval([0.1] * 7, seed=0) == (0.1, 0.1)
    assert bootstrap_interval([0.3], seed=0) == (0.3, 0.3)


def test_the_seed_decides_the_interval() -> None:
    values = list(np.random.default_rng(0).random(30))
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_many_questions_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(0).random(30))
    whole = bootstrap_interval(values, seed=1)
    monkeypatch.setattr("ttrl.evaluation.statistics._CELLS_AT_A_TIME", 100)
    assert bootstrap_interval(values, seed=1) == whole


def test_pairing_takes_out_how_hard_each_question_is() -> None:
    before = list(np.random.default_rng(0).random(30))
    after = [value + 0.1 for value in before]
    assert difference_interval(before, after, seed=0) == pytest.approx((0.1, 0.1))
    mixed = difference_interval([0, 0, 1, 1], [1, 0, 1, 0], seed=0)
    assert mixed == bootstrap_interval([1, 0, 0, -1], seed=0) and mixed[0] < 0 < mixed[1]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="no questions"):
        bootstrap_interval([], seed=0)
    with pytest.raises(DataError, match="2 questions before and 1 after"):
        difference_interval([1, 0], [1], seed=0)
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            bootstrap_interval([1.0], seed=0, confidence=confidence)
    with pytest.raises(ConfigError, match="resamples"):
        bootstrap_interval([1.0], seed=0, resamples=0)


def test_a_question_has_one_of_four_fates() -> None:
    assert [fate(before, after) for before in (False, True) for after in (False, True)] == [
        "never", "gained", "lost", "kept",
    ]  # fmt: skip


def test_fates_are_counted() -> None:
    before = [False, False, False, True, True, False, True]
    after = [True, True, False, True, False, True, True]
    assert Contingency.of(before, after) == Contingency(gained=3, kept=2, lost=1, never=1)
    with pytest.raises(DataError, match="same questions"):
        Contingency.of([True], [])


def test_mcnemar_by_hand() -> None:
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(5, 5) == 1.0
    assert mcnemar_p(5, 0) == mcnemar_p(0, 5) == pytest.approx(2 / 2**5)
    assert mcnemar_p(7, 1) == pytest.approx(2 * (1 + 8) / 2**8)


def test_one_seed_gives_mcnemar_without_correction() -> None:
    differences = [1] * 12 + [-1] * 5 + [0] * 30
    expected = stats.chi2.sf((12 - 5) ** 2 / (12 + 5), df=1)
    assert clustered_mcnemar_p([differences]) == pytest.approx(expected)


def test_seeds_that_repeat_each_other_add_no_evidence() -> None:
    row = [1] * 12 + [-1] * 5 + [0] * 30
    assert clustered_mcnemar_p([row] * 4) == pytest.approx(clustered_mcnemar_p([row]))


def test_clusters_by_hand() -> None:
    # per question 2, 1, -1, 0: (2)^2 / (4 + 1 + 1)
    expected = stats.chi2.sf(4 / 6, df=1)
    assert clustered_mcnemar_p([[1, 1, 0, 1], [1, 0, -1, -1]]) == pytest.approx(expected)
    assert clustered_mcnemar_p([[1, 0], [-1, 0]]) == 1.0


def test_without_a_change_only_five_percent_are_significant() -> None:
    """Votes of one question agree between seeds, as they do; pooled counts would be far off."""
    rng = np.random.default_rng(0)
    trials, seeds, questions = 1500, 4, 120
    ability = rng.beta(0.4, 0.4, size=(trials, 2, 1, questions))  # other before than after
    before, after = (
        (rng.random((trials, seeds, questions)) < ability[:, i]).astype(float) for i in (0, 1)
    )
    change = after - before
    clustered = np.array([clustered_mcnemar_p(each) for each in change]) < 0.05
    assert 0.035 <= clustered.mean() <= 0.065
    pooled = [
        mcnemar_p(int((each > 0).sum()), int((each < 0).sum())) < 0.05 for each in change[:200]
    ]
    assert np.mean(pooled) > 0.12


@pytest.mark.parametrize("differences", [[], [[]], [1, 0], [[1, 0], [1]]])
def test_what_is_no_table_is_refused(differences: list) -> None:
    with pytest.raises(DataError, match="one row of differences per seed"):
        clustered_mcnemar_p(differences)
