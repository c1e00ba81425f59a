import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule, score
from ttrl.consensus.vote import vote_on_group
from ttrl.errors import DataError
from ttrl.training.signals import (
    agreement_across,
    guard_signals,
    kl_estimate,
    pay_for_label,
    repetition,
    some_of,
)
from ttrl.types import Question

MATH = get_task("math")
CONFIG = RunConfig(votes_per_question=4, trained_per_question=4)


@pytest.fixture
def scored(make_group):
    """`scored("7 7 8 -", ...)`: a group of each text's answers, `-` for none, as the step scores it."""

    def make(*votes, rewards=None, config=CONFIG, prompt="Add 3 and 4."):
        found = []
        for i, answers in enumerate(votes):
            texts = ["?" if a == "-" else rf"\boxed{{{a}}}" for a in answers.split()]
            group = replace(
                make_group(texts, id=f"q{i}"), question=Question(id=f"q{i}", prompt=prompt)
            )
            consensus = vote_on_group(MATH, group, tie_seed=0)
            one = score(group, consensus, rule=make_rule(config), config=config, step=0)
            found.append(one if rewards is None else replace(one, rewards=rewards))
        return found

    return make


class ScriptedSampler:
    """Answers every copy of a question alike, and remembers what it was asked."""

    def __init__(self, make_group, answer):
        self.make_group, self.answer, self.asked = make_group, answer, []

    def sample(self, questions, *, n, params, seed, first=0):
        self.asked += [(q, n, params, seed) for q in questions]
        return [self.make_group([rf"\boxed{{{self.answer}}}"] * n, id=q.id) for q in questions]

    def load_weights(self, model):
        raise AssertionError("the guard changes nothing")


def test_kl_is_the_mean_of_r_minus_one_minus_log_r(make_group):
    completion = make_group(["ab"]).completions[0]  # three tokens, each of log-probability -0.5
    base = [(-0.5, -1.5, -0.5 + math.log(2))]
    by_hand = (0 + (math.exp(-1) - 1 + 1) + (2 - 1 - math.log(2))) / 3
    assert kl_estimate([completion], base) == pytest.approx(by_hand)


def test_one_token_that_the_base_prefers_counts_for_less_than_a_nat(make_group):
    completion = make_group([""]).completions[0]
    assert kl_estimate([completion], [(100.0,)]) == pytest.approx(math.e - 2)
    assert kl_estimate([], []) == 0.0


@given(st.lists(st.floats(-50, 0), min_size=3, max_size=3))
def test_kl_is_never_negative(base):
    from ttrl.types import Completion

    completion = Completion(
        question_id="q", prompt_ids=(), token_ids=(1, 2, 3), logprobs=(-1.0,) * 3,
        entropy=(), finish_reason="stop", policy_version=0, text="",
    )  # fmt: skip
    assert kl_estimate([completion], [base]) >= 0


def test_kl_is_measured_in_each_early_step_and_then_in_every_second_one(scored):
    def has_kl(step):
        found = guard_signals(
            scored("7 7 7 8"),
            base=lambda completions: [c.logprobs for c in completions],
            sampler=None,
            task=MATH,
            config=CONFIG,
            step=step,
        )
        return "guard/kl" in found

    assert [step for step in (1, 11, 12, 13, 14, 99) if has_kl(step)] == [1, 11, 12, 14]


def test_repetition_counts_grams_that_came_before():
    assert repetition([1, 2, 3]) == 0.0  # too short to repeat anything
    assert repetition([1, 2, 3, 4, 5]) == 0.0
    assert repetition([7] * 8) == pytest.approx(4 / 5)  # five 4-grams, one of them new


def test_a_part_is_read_of_many_completions_and_all_of_few():
    assert len(some_of(range(512))) == 32 and len(some_of(range(10_000))) == 32
    assert some_of(range(512))[:3] == [0, 16, 32]
    assert len(some_of(range(64))) == 16
    assert some_of(range(5)) == [0, 1, 2, 3, 4]


def test_agreement_across_questions_is_that_of_pairs_of_votes(scored):
    # of 4 x 4 pairs, the 3 votes for 7 meet 2 votes for 7
    assert agreement_across(scored("7 7 7 8", "7 7 9 -")) == pytest.approx(6 / 16)
    assert agreement_across(scored("7 7", "8 8")) == 0.0
    assert agreement_across(scored("7 7 7 7")) is None


def test_agreement_is_paid_and_something_else_is_not(scored):
    assert pay_for_label(scored("7 7 7 8")) == 1.0
    assert pay_for_label(scored("7 7 7 8", rewards=(0.0, 0.0, 0.0, 1.0))) == -1.0
    # (0.5 - 0.25) / (1 - 0), a mean over the question with different rewards only
    groups = scored("7 7 8 9", rewards=(0.0, 1.0, 0.5, 0.0)) + scored("7 7 7 7")
    assert pay_for_label(groups) == pytest.approx(0.25)
    assert pay_for_label(scored("7 7 7 7")) is None


def test_signals_of_a_step(scored, make_group):
    sampler = ScriptedSampler(make_group, 7)
    groups = scored("7 7 7 8", "7 7 7 9", "7 7 7 7", "1 2 3 4")

    def base(completions):
        return [c.logprobs for c in completions]

    found = guard_signals(groups, base=base, sampler=sampler, task=MATH, config=CONFIG, step=5)
    assert found["guard/kl"] == 0.0 and found["guard/pay_for_label"] == 1.0
    assert (
        found["guard/ignored_numbers"] == 1.0
    )  # three confident questions, the same answer always
    assert found["guard/tokens"] == 3 * 4 * len(rb"\boxed{7}.")
    assert [question.id for question, *_ in sampler.asked] == ["q0~0", "q1~0", "q2~0"]
    assert all(question.prompt != "Add 3 and 4." for question, *_ in sampler.asked)


def test_other_answers_to_changed_numbers_do_not_ignore_them(scored, make_group):
    groups, sampler = scored(*["7 7 7 8"] * 3), ScriptedSampler(make_group, 8)
    found = guard_signals(groups, base=None, sampler=sampler, task=MATH, config=CONFIG, step=0)
    assert found["guard/ignored_numbers"] == 0.0 and "guard/kl" not in found


@pytest.mark.parametrize(
    ("votes", "step", "prompt"),
    [
        (["7 7 7 8"] * 3, 1, "Add 3 and 4."),  # between two looks
        (["7 7 7 8"] * 2, 0, "Add 3 and 4."),  # too few
        (["7 7 8 9"] * 9, 0, "Add 3 and 4."),  # not confident
        (["7 7 7 8"] * 9, 0, "Add them."),  # no number
    ],
)
def test_nothing_is_asked_where_it_would_say_little(votes, step, prompt, scored, make_group):
    sampler = ScriptedSampler(make_group, 7)
    found = guard_signals(
        scored(*votes, prompt=prompt),
        base=None,
        sampler=sampler,
        task=MATH,
        config=CONFIG,
        step=step,
    )
    assert not sampler.asked and "guard/ignored_numbers" not in found


def test_a_changed_question_that_does_not_fit_is_not_asked(scored):
    class FullSampler:
        def sample(self, *_, **__):
            raise DataError("too long")

    found = guard_signals(
        scored(*["7 7 7 8"] * 3), base=None, sampler=FullSampler(), task=MATH, config=CONFIG, step=0
    )
    assert "guard/ignored_numbers" not in found


def test_a_rule_that_follows_no_vote_is_not_held_against_it(scored):
    config = RunConfig(reward="random", votes_per_question=4, trained_per_question=4)
    found = guard_signals(
        scored("7 7 7 8", config=config), base=None, sampler=None, task=MATH, config=config, step=1
    )
    assert "guard/pay_for_label" not in found
