"""ETTRL's advantages: sure completions are pushed more, either way."""

from dataclasses import replace

import pytest

from ttrl.rl.advantage_rules.entropy_scaled import entropy_scaled
from ttrl.rl.advantage_rules.of_rewards import normalized
from ttrl.rl.folding import FoldedGroup, fold


@pytest.fixture
def folded(make_group, vote_and_score):
    def make(letters, entropies):
        group = make_group([rf"\boxed{{{ord(a)}}}" + " " * i for i, a in enumerate(letters)])
        completions = tuple(
            replace(c, entropy=(h,) * len(c.token_ids) if h is not None else ())
            for c, h in zip(group.completions, entropies, strict=True)
        )
        scored = vote_and_score(replace(group, completions=completions))
        return FoldedGroup(scored=scored, samples=tuple(fold(scored)))

    return make


def test_the_worked_example(folded):
    """The mean of .2 .3 .4 .6 .7 .8 is .5, so the factors are 1.6 1.4 1.2 .8 .6 .4."""
    group = folded("AAABBC", (0.2, 0.3, 0.4, 0.6, 0.7, 0.8))
    size = normalized(group)[0]
    found = [a / size for a in entropy_scaled(group)]
    assert found == pytest.approx([1.6, 1.4, 1.2, -0.8, -0.6, -0.4])


def test_equal_entropies_change_nothing(folded):
    group = folded("AAB", (0.5, 0.5, 0.5))
    assert entropy_scaled(group) == pytest.approx(normalized(group))


@pytest.mark.parametrize("entropies", [(0.5, None, 0.2), (0.0, 0.0, 0.0)])
def test_without_entropies_they_stay_normalized(folded, entropies):
    group = folded("AAB", entropies)
    assert entropy_scaled(group) == normalized(group)


def test_equal_completions_count_each(make_group, vote_and_score):
    """Entropies .1 twice and .4 once have the mean .2, so the factors are 1.5 and 0."""
    group = make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{22}"])
    completions = tuple(
        replace(c, entropy=(h,) * len(c.token_ids))
        for c, h in zip(group.completions, (0.1, 0.1, 0.4), strict=True)
    )
    scored = vote_and_score(replace(group, completions=completions))
    one = FoldedGroup(scored=scored, samples=tuple(fold(scored)))
    plain = normalized(one)
    assert entropy_scaled(one) == pytest.approx([1.5 * plain[0], 0.0], abs=1e-12)
