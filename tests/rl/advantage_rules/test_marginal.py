import math

import pytest

from ttrl.errors import ConfigError
from ttrl.rl.advantage_rules.marginal import expected_scores, has_contrast
from ttrl.rl.folding import FoldedGroup, fold

EXAMPLE = (0.520313, 0.075640, -1.116266)
SCALE = 1.4935
"""1 / rms of 0.520313 twice, 0.075640 and -1.116266."""


@pytest.fixture
def scored(make_group, vote_and_score):
    """Votes by letters, of which the first are trained on."""

    def make(letters, kept, id="q"):
        texts = ["?" if a == "-" else rf"\boxed{{{ord(a)}}}" for a in letters]
        return vote_and_score(make_group(texts, id=id), trained_per_question=kept)

    return make


def folded(scored):
    return FoldedGroup(scored=scored, samples=tuple(fold(scored)))


def test_the_worked_example_with_its_scale(scored):
    """Equal completions are one sample: A twice, B, C."""
    (found,) = expected_scores([folded(scored("AABCABBA", 4))])
    assert found == pytest.approx([SCALE * a for a in EXAMPLE], abs=1e-4)
    assert found == pytest.approx([0.777, 0.113, -1.667], abs=6e-4)


def test_one_scale_for_the_step(scored):
    """A unanimous group adds zeros to both sums, and a fully drawn one the same z-scores to both."""
    groups = [folded(scored(*g)) for g in (("AABCABBA", 4), ("AAAA", 4), ("AABB" + "A", 5))]
    found = expected_scores(groups)
    squares = 2 * EXAMPLE[0] ** 2 + EXAMPLE[1] ** 2 + EXAMPLE[2] ** 2
    scale = math.sqrt((4 + 5) / (squares + 5))
    assert found[0] == pytest.approx([scale * a for a in EXAMPLE], abs=1e-4)
    assert found[1] == (0.0,)
    assert found[2] == pytest.approx([scale * math.sqrt(2 / 3), -scale * math.sqrt(3 / 2)])


def test_the_scale_never_shrinks(scored):
    """All rewards are 0 (the label is not among the trained), so their z-scores are 0 as well."""
    group = scored("BCAAAA", 2)
    assert [group.rewards[i] for i in group.kept] == [0, 0]
    (found,) = expected_scores([folded(group)])
    assert found == (0.0, 0.0)  # B and C are as likely as each other
    contrast = scored("BBCAAA", 3)
    assert not contrast.differs and has_contrast(contrast)
    (found,) = expected_scores([folded(contrast)])
    assert found[0] > 0 > found[1] and 2 * found[0] + found[1] == pytest.approx(0)


def test_a_group_teaches_where_chances_differ(scored):
    assert has_contrast(scored("AABC", 4))
    assert not has_contrast(scored("AAAA", 4))
    assert not has_contrast(scored("ABAB", 4))
    assert expected_scores([]) == []


def test_similar_answers_are_refused_by_name(make_group, vote_and_score):
    group = vote_and_score(make_group(["a b c", "a b d", "x y"]), task="text")
    with pytest.raises(
        ConfigError, match=r"advantage=marginal, question 'q'.*similar and not equal"
    ):
        has_contrast(group)
