import numpy as np
import pytest
from scipy import stats

from ttrl.errors import DataError
from ttrl.evaluate.contingency import Contingency, clustered_mcnemar_p, fate, mcnemar_p


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
