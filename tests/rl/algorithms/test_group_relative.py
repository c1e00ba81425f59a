"""Algorithms with a group baseline take their advantages from the rule that the config names."""

import pytest

from ttrl.algorithm_settings import readers_of
from ttrl.rl.advantage_rules.registry import ADVANTAGES

NAMES = readers_of("advantage")
CENTERED = {"rloo": 2.0}
"""K / (K - 1) for two completions: rloo's mean is that of the others."""


@pytest.fixture
def scored(make_group, vote_and_score):
    def make(answers, kept=None, id="q", **settings):
        texts = ["?" if a == "-" else rf"\boxed{{{a}}}" for a in answers.split()]
        group = make_group(texts, id=id)
        return vote_and_score(group, trained_per_question=kept or len(texts), **settings)

    return make


def advantages_of(algorithm, models, *groups):
    samples, _ = algorithm.training_samples(groups, models)
    assert all(len(set(s.advantages)) == 1 for s in samples)  # one for all tokens
    return [s.advantages[0] for s in samples]


@pytest.mark.parametrize("name", NAMES)
def test_each_takes_every_advantage(make, fake_models, two, scored, name):
    found = {
        advantage: advantages_of(make(name, advantage=advantage), fake_models(), two())
        for advantage in ("normalized", "centered", "fixed")
    }
    assert found["normalized"] == pytest.approx([0.5**0.5, -(0.5**0.5)], abs=1e-5)
    half = 0.5 * CENTERED.get(name, 1.0)
    assert found["centered"] == [half, -half]
    assert found["fixed"] == [1, -1]
    marginal = make(name, advantage="marginal")
    example = scored("1 1 2 3 1 2 2 1", kept=4)
    found = advantages_of(marginal, fake_models(), example)
    assert found == pytest.approx([0.777, 0.113, -1.667], abs=6e-4)


def test_every_advantage_names_itself(make):
    for name in ADVANTAGES:
        assert make("grpo", advantage=name).advantage.name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_unanimous_groups_is_skipped_unless_they_are_pushed(make, scored, name):
    agreed = [scored("1 1 1", id="a"), scored("2 2 2", id="b")]
    for advantage in ("normalized", "centered"):
        reason = make(name, advantage=advantage).nothing_to_learn(agreed)
        assert reason == "no group has two different rewards"
    reason = make(name, advantage="marginal").nothing_to_learn(agreed)
    assert reason == "in no group do two completions differ in their chance to be elected"
    reason = make(name, advantage="fixed").nothing_to_learn(agreed)
    assert (reason is None) == (name != "dapo")  # which leaves them out of the loss


def test_fixed_pushes_all_of_a_unanimous_group_and_none_that_is_left_out(
    make, fake_models, scored, completion, group
):
    agreed, silent = scored("1 1", id="a"), scored("- -", id="b")
    left_out = group([completion([1]), completion([2])], [1.0, 0.0], skipped="flat")
    fixed = make("grpo", advantage="fixed")
    assert advantages_of(fixed, fake_models(), agreed, silent, left_out) == [1, -1]
    assert fixed.nothing_to_learn([left_out]) == "no group is left to train on"


def test_marginal_learns_where_all_trained_rewards_are_equal(make, fake_models, scored):
    """1 is elected by votes that are not trained on; 2 was nearer to it than 3."""
    group = scored("2 2 3 1 1 1", kept=3)
    assert make("grpo").nothing_to_learn([group]) is not None
    marginal = make("grpo", advantage="marginal")
    assert marginal.nothing_to_learn([group]) is None
    high, low = advantages_of(marginal, fake_models(), group)
    assert high > 0 > low and 2 * high + low == pytest.approx(0)


def test_caps_and_importance_come_after_the_rule(make, fake_models, two):
    capped = make("grpo", advantage="fixed", advantage_clip=0.25)
    assert advantages_of(capped, fake_models(), two()) == [0.25, -0.25]
