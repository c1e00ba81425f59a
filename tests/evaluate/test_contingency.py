"""Gained, kept, lost, never, and the exact test against the binomial written out."""

from __future__ import annotations

import math

import pytest

from ttrl.evaluate.contingency import Contingency, mcnemar_p


def test_each_pair_is_counted_once():
    table = Contingency.of([False, False, True, True, True], [True, False, True, False, True])
    assert (table.gained, table.never, table.kept, table.lost) == (1, 1, 2, 1)


@pytest.mark.parametrize(("gained", "lost"), [(9, 1), (1, 9), (5, 5), (0, 6), (3, 2)])
def test_the_p_value_is_twice_the_smaller_tail_of_a_fair_coin(gained: int, lost: int):
    n, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(n, at) for at in range(fewer + 1)) / 2**n
    assert mcnemar_p(gained, lost) == pytest.approx(min(1.0, 2 * tail))


def test_without_a_change_nothing_speaks_against_chance():
    assert mcnemar_p(0, 0) == 1.0
