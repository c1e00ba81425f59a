import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.config import RunConfig
from ttrl.consensus.rules import extremes, subset, trained_subset
from ttrl.consensus.vote import elect
from ttrl.seeding import derive_seed
from ttrl.types import KeyedAnswers


def test_the_first_are_the_first():
    assert subset([1, 0, 1, 0, 0], 2, "first", seed=0) == [0, 1]


@pytest.mark.parametrize("choice", ["first", "random", "spread"])
def test_all_are_kept_where_there_are_no_more(choice):
    assert subset([1, 0, 1], 3, choice, seed=0) == [0, 1, 2]
    assert subset([1, 0, 1], 9, choice, seed=0) == [0, 1, 2]


def test_random_ones_are_a_function_of_the_seed_and_reach_everyone():
    rewards = [0.0] * 10
    assert subset(rewards, 4, "random", seed=3) == subset(rewards, 4, "random", seed=3)
    kept = [subset(rewards, 4, "random", seed=seed) for seed in range(50)]
    assert {i for some in kept for i in some} == set(range(10))
    assert all(some == sorted(set(some)) and len(some) == 4 for some in kept)


def test_spread_takes_both_ends_by_hand():
    # half of each of the two rewards, the first of each; then the two extremes and the farthest third
    assert subset([1, 1, 1, 0, 1, 0, 0], 4, "spread", seed=0) == [0, 1, 3, 5]
    assert subset([0.5, 0.0, 0.9, 1.0, 0.4], 3, "spread", seed=0) == [1, 2, 3]


def test_spread_takes_the_only_ones_that_differ():
    assert subset([1] * 9 + [0], 2, "spread", seed=0) == [0, 9]
    assert subset([1] * 9, 4, "spread", seed=0) == [0, 1, 2, 3]


def variance(values):
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / len(values)


rewards = st.lists(
    st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-0.5, 1)), min_size=1, max_size=9
)


@given(rewards, st.integers(1, 9))
def test_no_subset_varies_more_than_the_spread_one(rewards, count):
    count = min(count, len(rewards))
    kept = subset(rewards, count, "spread", seed=0)
    assert kept == sorted(set(kept)) and len(kept) == count
    best = max(variance(some) for some in itertools.combinations(rewards, count))
    assert variance([rewards[i] for i in kept]) == pytest.approx(best, abs=1e-12)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=12), st.integers(1, 12))
def test_of_equal_rewards_the_first_come_first(rewards, count):
    kept = set(subset(rewards, count, "spread", seed=0))
    for i in kept:
        assert all(j in kept for j in range(i) if rewards[j] == rewards[i])


def test_a_run_keeps_its_k_by_a_seed_of_step_and_question():
    config = RunConfig(trained_per_question=3, trained_choice="random", seed=4)
    rewards = [0.0, 1.0] * 6
    nobody = elect([None] * 12, KeyedAnswers(keys=(None,) * 12), tie_seed=0)
    kept = trained_subset(rewards, nobody, config, step=2, question_id="q")
    seed = derive_seed(4, "keep", 2, "q")
    assert kept == subset(rewards, 3, "random", seed=seed) and len(kept) == 3
    others = [
        trained_subset(rewards, nobody, config, step=step, question_id=id)
        for step in range(4)
        for id in ("q", "r", "s")
    ]
    assert len({tuple(some) for some in others}) > 6


def vote(text):
    """One letter per completion, '-' abstains."""
    answers = [None if letter == "-" else letter for letter in text]
    keys = tuple(None if answer is None else (answer,) for answer in answers)
    return elect(answers, KeyedAnswers(keys=keys), tie_seed=0)


def kept_of(text, count):
    return "".join(sorted(text[i] for i in extremes(vote(text), count)))


def test_extremes_are_the_most_and_the_least_frequent():
    assert kept_of("ABABACBA", 4) == "AABC"  # K // 2 from the top; C, then the first B
    assert kept_of("ABCDEFGH", 4).count(vote("ABCDEFGH").pseudo_label) == 1
    assert kept_of("AABBBCAA", 5) == "AABBC"
    assert extremes(vote("ABABACBA"), 8) == list(range(8))


def test_an_abstention_is_the_least_frequent_answer():
    assert kept_of("AA-AB-AB", 4) == "--AA"
    assert kept_of("------", 2) == "--"


@given(st.text("ABC-", min_size=2, max_size=12), st.integers(2, 12))
def test_extremes_keep_k_and_half_of_them_agree_where_enough_do(text, count):
    consensus = vote(text)
    kept = extremes(consensus, count)
    assert kept == sorted(set(kept)) and len(kept) == min(count, len(text))
    if count < len(text) and consensus.counts:
        agreeing = sum(consensus.class_of[i] == 0 for i in kept)
        assert agreeing >= min(consensus.counts[0], count // 2)
