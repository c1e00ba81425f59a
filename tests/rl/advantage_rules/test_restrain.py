"""RESTRAIN's advantages: every answer is the label, as far as its share is trusted."""

import math

import pytest

from ttrl.rl.advantage_rules.restrain import has_answers_to_compare, restrained
from ttrl.rl.folding import FoldedGroup, fold

SETTINGS = {"center": 1.0, "width": 0.5, "least": 0.0, "penalty": 2.0}


@pytest.fixture
def scored(make_group, vote_and_score):
    def make(letters):
        texts = ["?" if a == "-" else rf"\boxed{{{ord(a)}}}" for a in letters]
        return vote_and_score(make_group(texts))

    return make


def folded(scored):
    return FoldedGroup(scored=scored, samples=tuple(fold(scored)))


def test_the_worked_example(scored):
    """g = .6065 .4578 .2163 for 4, 3 and 1 of 8 votes; sums of w z are .1329, -.0759 and -.3037, with the
    population's standard deviation; the sample's is larger by sqrt(8 / 7)."""
    found = restrained(folded(scored("AAAABBBC")), **SETTINGS)
    shrunk = math.sqrt(7 / 8)
    assert found == pytest.approx([0.1329 * shrunk, -0.0759 * shrunk, -0.3037 * shrunk], abs=1e-4)
    assert math.fsum(a * n for a, n in zip(found, (4, 3, 1), strict=True)) == pytest.approx(0)


def test_below_the_least_share_all_are_punished(scored):
    group = scored("AABBCD-")
    assert restrained(folded(group), **SETTINGS | {"least": 0.3}) == (-2.0,) * 5
    assert has_answers_to_compare(group, least=0.3)


def test_those_who_agree_teach_nothing(scored):
    for letters in ("AAAA", "----"):
        group = scored(letters)
        assert not has_answers_to_compare(group, least=0.0)
        assert set(restrained(folded(group), **SETTINGS)) == {0.0}
    assert has_answers_to_compare(scored("AAA-"), least=0.0)


def test_a_narrow_width_does_not_divide_by_zero(scored):
    """All but the most frequent answer weigh nothing, so it is the vote."""
    found = restrained(folded(scored("AAB")), **SETTINGS | {"width": 1e-3})
    assert found[0] > 0 > found[1]
