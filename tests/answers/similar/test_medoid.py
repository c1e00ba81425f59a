"""The medoid by hand and by brute force; order and duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.similar.medoid import leave_one_out, medoid

HAND = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.6], [0.2, 0.6, 1.0]])


def by_index(item: int) -> int:
    return item


@st.composite
def weighted_items(draw):
    size = draw(st.integers(1, 6))
    values = draw(
        st.lists(st.sampled_from([0, 0.25, 0.3, 0.5, 0.7, 1]), min_size=size**2, max_size=size**2)
    )
    upper = np.triu(np.array(values, dtype=np.float64).reshape(size, size))
    counts = draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))
    return upper + np.triu(upper, 1).T, counts


def test_leave_one_out_by_hand():
    assert leave_one_out(HAND, [1, 1, 1]) == pytest.approx([0.35, 0.55, 0.4])
    assert medoid(HAND, [1, 1, 1], by_index) == 1


def test_duplicates_are_weighted_and_agree_with_their_twins():
    # item 0 of count 4: three twins at 1, then 0.5 and 0.2, of five others
    assert leave_one_out(HAND, [4, 1, 1]) == pytest.approx([3.7 / 5, 2.6 / 5, 1.4 / 5])
    assert medoid(HAND, [4, 1, 1], by_index) == 0


def test_twins_without_content_do_not_agree():
    empty = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert leave_one_out(empty, [5, 1]).tolist() == [0, 0]
    assert leave_one_out(empty, [5, 2]) == pytest.approx([0, 1 / 6])


@given(weighted_items())
def test_leave_one_out_is_the_mean_over_all_other_completions(items):
    similarity, counts = items
    completions = [item for item, count in enumerate(counts) for _ in range(count)]
    expected = []
    for item in range(len(counts)):
        others = list(completions)
        others.remove(item)
        expected.append(np.mean([similarity[item, other] for other in others]) if others else 0.0)
    found = leave_one_out(similarity, counts)
    assert found == pytest.approx(expected)
    assert expected[medoid(similarity, counts, by_index)] == pytest.approx(max(expected))


@given(weighted_items(), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(items, random):
    similarity, counts = items
    names = random.sample(range(100), len(counts))  # stand for what each item is
    winner = names[medoid(similarity, counts, names.__getitem__)]
    order = random.sample(range(len(counts)), len(counts))
    shuffled = [names[i] for i in order]
    again = medoid(
        similarity[np.ix_(order, order)], [counts[i] for i in order], shuffled.__getitem__
    )
    assert shuffled[again] == winner


def test_ties_go_to_the_smallest_key_also_with_rounding():
    even = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    assert medoid(even, [1, 1, 1], [7, 3, 5].__getitem__) == 1
    even[0, 1] += 1e-15
    assert medoid(even, [1, 1, 1], [7, 3, 5].__getitem__) == 1


def test_degenerate_cases():
    one = np.array([[1.0]])
    assert leave_one_out(one, [1]).tolist() == [0.0]
    assert leave_one_out(one, [3]).tolist() == [1.0]
    assert medoid(one, [1], by_index) == 0
    assert leave_one_out(np.zeros((0, 0)), []).tolist() == []
    with pytest.raises(ValueError, match="no items"):
        medoid(np.zeros((0, 0)), [], by_index)
