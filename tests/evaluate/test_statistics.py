from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.errors import ConfigError, DataError
from ttrl.evaluate.statistics import bootstrap_interval, difference_interval, mean


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


def test_the_interval_agrees_with_all_possible_resamples() -> None:
    values = (0.0, 0.25, 1.0, 0.5)
    means = [mean(draw) for draw in product(values, repeat=4)]
    low, high = bootstrap_interval(values, seed=1, resamples=20_000)
    assert low == pytest.approx(np.quantile(means, 0.025), abs=0.07)  # means lie 1/16 apart
    assert high == pytest.approx(np.quantile(means, 0.975), abs=0.07)


def test_the_interval_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
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
    monkeypatch.setattr("ttrl.evaluate.statistics._CELLS_AT_A_TIME", 100)
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
