"""Verdicts on hand-made numbers."""

import math
from dataclasses import replace

import pytest

from ttrl.probing.signals import Signals
from ttrl.probing.trial import Trial, divergence
from ttrl.probing.verdict import FEW, IGNORED, MOVED, STILL, judge


def test_divergence_of_the_same_policy_is_zero() -> None:
    assert divergence([(-1.0, -2.0)], [(-1.0, -2.0)]) == 0.0


def test_divergence_is_the_mean_of_r_minus_one_minus_log_r_over_tokens() -> None:
    # log r = log 2, log 1/2 and 0: (2 - 1 - log 2) + (1/2 - 1 + log 2) + 0 = 1/2
    before, after = [(-1.0, -2.0), (-3.0,)], [(-1.0 + math.log(2), -2.0 - math.log(2)), (-3.0,)]
    assert divergence(before, after) == pytest.approx(0.5 / 3)


def test_divergence_is_finite_however_far_and_infinite_where_no_number_is_left() -> None:
    assert math.isfinite(divergence([(-900.0,)], [(0.0,)]))
    assert divergence([(-1.0,)], [(math.nan,)]) == math.inf


@pytest.fixture
def good() -> Signals:
    return Signals(
        questions=24,
        votes_per_question=16,
        majority_ratio=0.5,
        majority_ratio_quartiles=(0.3, 0.5, 0.7),
        margin=0.3,
        unanimous=0.1,
        within=0.4,
        across=0.02,
        halves=0.7,
        unreliability=0.5,
        distinct_answers=5.0,
        distinct_labels=0.8,
        no_answer=0.0,
        truncated=0.0,
        entropy=0.1,
        mean_tokens=40.0,
        longest_tokens=50.0,
        distinct_completions=0.9,
        sharp_within=0.6,
        changes=40,
        ignored_numbers=0.0,
    )


@pytest.fixture
def calm() -> Trial:
    return Trial(
        learning_rate=2e-4,
        moved=0.004,
        agreement=(0.4, 0.45),
        labels_kept=0.8,
        no_answer_after=0.0,
        completions=192,
        update_seconds=1.0,
    )


def test_nothing_against_it_is_a_go_with_its_numbers(good, calm) -> None:
    verdict = judge(good, calm)
    assert verdict.name == "go"
    assert "kappa 0.39" in verdict.reasons[0] and "0.0040 nats" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({"no_answer": 0.3}, "go with care", "30% of the votes have no answer"),
        ({"no_answer": 0.6}, "do not", "60% of the votes have no answer"),
        ({"within": 0.1, "across": 0.01}, "go with care", "agree 10.0% of the time"),
        ({"within": 0.51, "across": 0.5}, "do not", "hardly a consensus"),
        ({"ignored_numbers": IGNORED[0]}, "go with care", "one of 40 changes"),
        ({"ignored_numbers": IGNORED[1]}, "do not", "leaves parts of these questions out"),
        ({"ignored_numbers": None}, "go", "nothing speaks against it"),
        ({"unanimous": 0.95}, "go with care", "little is left to learn"),
    ],
)
def test_each_number_is_judged_alone(good, calm, change, name, told) -> None:
    verdict = judge(replace(good, **change), calm)
    assert verdict.name == name and told in verdict.reasons[0]


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({"moved": MOVED[0]}, "go with care", "learning rate 0.0002"),
        ({"moved": MOVED[1]}, "do not", "nats per token"),
        ({"moved": 0.0, "learning_rate": 0.0}, "go with care", "hardly move the policy"),
        ({"moved": STILL}, "go with care", "hardly move the policy"),
        ({"moved": 2 * STILL}, "go", "nothing speaks against it"),
        ({"moved": math.inf}, "do not", "inf nats per token"),
        ({"moved": None, "skipped": "no group differs"}, "go with care", "no group differs"),
        ({"moved": None, "skipped": "bad", "broke": True}, "do not", "failed: bad"),
    ],
)
def test_the_trial_is_judged(good, calm, change, name, told) -> None:
    verdict = judge(good, replace(calm, **change))
    assert verdict.name == name and told in verdict.reasons[0]


def test_the_gravest_reason_stands_first_and_decides(good, calm) -> None:
    verdict = judge(replace(good, no_answer=0.3), replace(calm, moved=1.0))
    assert verdict.name == "do not" and len(verdict.reasons) == 2
    assert "nats per token" in verdict.reasons[0] and "no answer" in verdict.reasons[1]


def test_texts_are_judged_by_abstentions_and_the_trial_and_never_a_go(good, calm) -> None:
    texts = replace(good, across=None, halves=None, ignored_numbers=None)
    verdict = judge(texts, calm)
    assert verdict.name == "go with care" and "cannot be held against chance" in verdict.reasons[0]
    assert judge(replace(texts, no_answer=0.9), calm).name == "do not"


@pytest.mark.parametrize(("questions", "name"), [(FEW - 1, "go with care"), (FEW, "go")])
def test_too_few_questions_are_no_evidence(good, calm, questions, name) -> None:
    verdict = judge(replace(good, questions=questions), calm)
    assert verdict.name == name
    assert ("too few to tell" in verdict.reasons[0]) == (name == "go with care")


def test_a_single_question_is_told_as_too_few_and_without_chance(good, calm) -> None:
    verdict = judge(replace(good, questions=1, across=None), calm)
    assert verdict.name == "go with care"
    assert "1 question is" in " ".join(verdict.reasons) and len(verdict.reasons) == 2
