import pytest

from ttrl.errors import ConfigError
from ttrl.rl.advantage_rules.interface import each
from ttrl.rl.advantage_rules.of_rewards import always, centered, centered_on_others, fixed
from ttrl.rl.folding import FoldedGroup, fold


@pytest.fixture
def folded(completion, group):
    """Completions of one token each, given by their letters, with rewards."""

    def make(letters, rewards, skipped=None):
        scored = group([completion([ord(a)]) for a in letters], rewards, skipped)
        return FoldedGroup(scored=scored, samples=tuple(fold(scored)))

    return make


def test_a_folded_group_knows_numbers_rewards_and_classes(completion, make_group, vote_and_score):
    texts = [r"\boxed{2}", r"\boxed{1}", "?", r"\boxed{1}", r"= \boxed{1}"]
    scored = vote_and_score(make_group(texts))
    found = FoldedGroup(scored=scored, samples=tuple(fold(scored)))
    assert found.weights == (1, 2, 1, 1)
    assert found.rewards == (0, 1, 0, 1)
    assert found.classes == (1, 0, None, 0)


def test_fixed_is_plus_or_minus_one_whatever_the_share(folded):
    assert fixed(folded("abcd", [1, 0, 0, 0])) == (1, -1, -1, -1)
    assert fixed(folded("abba", [1, 0, 0, 1])) == (1, -1)


def test_fixed_pushes_unanimous_groups_as_a_whole(folded):
    assert fixed(folded("aab", [1, 1, 1])) == (1, 1)
    assert fixed(folded("ab", [0, 0])) == (-1, -1)
    assert always(folded("ab", [1, 1]).scored)
    assert not always(folded("ab", [1, 0], skipped="flat").scored)


def test_fixed_refuses_graded_rewards_and_names_the_question(folded):
    with pytest.raises(
        ConfigError, match=r"question 'q': got the reward 0.5, wanted 0 or 1.*majority"
    ):
        fixed(folded("ab", [0.5, 1]))


def test_centered_takes_the_mean_of_all_or_of_the_others(folded):
    group = folded("aabc", [1, 1, 1, 0])  # three agree, one does not
    assert centered(group) == pytest.approx([1 / 4, 1 / 4, -3 / 4])
    assert centered_on_others(group) == pytest.approx([1 / 3, 1 / 3, -1])


def test_each_compares_every_group_alone(folded):
    groups = [folded("ab", [1, 0]), folded("abc", [1, 1, 1])]
    assert each(fixed)(groups) == [(1, -1), (1, 1, 1)]
