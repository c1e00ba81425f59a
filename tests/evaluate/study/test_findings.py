"""Sentences of a study: what is said follows from the numbers, and nothing is said without them."""

import pytest

from ttrl.evaluate.study.equal_tokens import equal_tokens
from ttrl.evaluate.study.evidence import Evidence, gather
from ttrl.evaluate.study.findings import findings
from ttrl.evaluate.study.plan import read_plan
from ttrl.evaluate.study.quote import quote

LOW, HIGH = (1,) * 12 + (0, 2, 1, 3), (4,) * 12 + (3, 4, 4, 4)
MIDDLE = (3,) * 12 + (2, 3, 4, 3)


def evidence_of(study) -> Evidence:
    plan = read_plan(study.path)
    arms = {name: arm for name in plan.arms if (arm := plan.arm(name))}
    equal = equal_tokens(study.path, arms["ttrl"], questions=2, seeds=plan.seeds)
    return gather(arms, equal_tokens=equal, left_out=plan.missing(arms))


def texts(evidence: Evidence) -> str:
    return "\n".join(sentence.text for sentence in findings(evidence))


def test_a_gain_that_holds_everywhere_is_quoted_without_a_but(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH), "heldout": (LOW, HIGH)})
        study.run("random", seed, {"unlabeled": (LOW, LOW), "heldout": (LOW, LOW)})
    said = quote(evidence_of(study))
    assert "+70.3 points" in said  # 18 of 64 right before, 63 after
    assert "2 seeds, 16 questions" in said and "But" not in said
    assert "It does not come from a random reward (0.0 points" in said


def test_a_control_that_gains_most_of_it_is_a_doubt_though_ttrl_ends_clearly_above(study):
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH)})
        study.run("format", seed, {"unlabeled": (LOW, MIDDLE)})
    said = quote(evidence_of(study))
    assert "But a format reward alone gives +" in said and "does not come from" not in said


def test_a_control_that_cannot_be_told_apart_is_not_said_to_do_as_well(study):
    for seed, control in ((0, HIGH), (1, (0,) * 16), (2, LOW)):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH)})
        study.run("random", seed, {"unlabeled": (LOW, control)})
    assert "But a random reward is not clearly worse (TTRL +" in quote(evidence_of(study))


def test_a_clear_loss_is_told_as_one(study):
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (HIGH, LOW)})
    said = quote(evidence_of(study))
    assert said.startswith("The model got worse") and "−70.3 points" in said


def test_few_questions_support_no_claim(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 0, 0), (4, 4, 4))})
    evidence = evidence_of(study)
    assert quote(evidence).startswith("Too few questions for a verdict")
    assert findings(evidence)[0].tone == "unclear"


def test_a_gain_that_does_not_show_elsewhere_is_doubted(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH), "heldout": (LOW, LOW)})
    evidence = evidence_of(study)
    assert "it does not clearly show on held-out questions" in quote(evidence)
    assert "it looks memorised" in texts(evidence)


def test_no_gain_is_not_called_one(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, LOW)})
    assert quote(evidence_of(study)).startswith("No gain can be told from chance")


def test_fates_are_counted_by_the_vote(study) -> None:
    # right before: q0, q1; right after: q1, q2
    study.run("ttrl", 0, {"unlabeled": ((4, 4, 0, 0), (0, 4, 4, 0))})
    assert "gained 1, kept 1, lost 1 and never had 1" in texts(evidence_of(study))


def test_the_vote_at_equal_cost_is_compared(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH)})
    study.equal_tokens(0, (10,) * 16, samples=16)
    said = texts(evidence_of(study))
    assert "the base could vote with 16 completions a question (maj@16, 100.0" in said


def test_lucky_hits_are_told_at_the_start_and_at_the_end(study) -> None:
    steps = [
        {
            "labels/label_accuracy": 0.25,
            "labels/reward_accuracy": 0.75,
            "labels/lucky_rate": 0.5,
        },
        {
            "labels/label_accuracy": 1.0,
            "labels/reward_accuracy": 1.0,
            "labels/lucky_rate": 0.0,
        },
    ]
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, steps=steps)
    said = texts(evidence_of(study)).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "at the start 25.0 % of the labels are right and 75.0 % of the rewards, 50.0 points of"
        in said
    )
    assert "at the end 100.0 % of the labels" in said


def test_one_seed_says_that_its_intervals_know_nothing_of_others(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)})
    assert "One seed: the intervals speak of other questions, not of other seeds" in texts(
        evidence_of(study)
    )


def test_without_labels_everything_that_needs_them_says_so(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, labeled=False)
    evidence = evidence_of(study)
    assert "need labels" in quote(evidence)
    assert "agreement and not correctness" in texts(evidence)


def test_runs_that_did_not_end_are_named(study):
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)})
    study.run("random", 0, {"unlabeled": (LOW, HIGH)})
    (study.path / "runs" / "random-seed-0" / "result.json").unlink()
    assert "left out: random-seed-0." in texts(evidence_of(study))


def test_one_seed_is_tested_exactly(study):
    study.run("ttrl", 0, {"unlabeled": ((0,) * 4 + (4,) * 12, (4,) * 16)})
    evidence = evidence_of(study)
    assert "gained 4, kept 12, lost 0 and never had 0 (exact McNemar test, p = 0.12)" in texts(
        evidence
    )
    assert next(s for s in findings(evidence) if "McNemar" in s.text).tone == "unclear"


def test_few_changed_questions_are_not_tested_over_seeds(study):
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": ((0,) * 4 + (4,) * 12, (4,) * 16)})
    assert "gained 4.0, kept 12.0" in texts(evidence_of(study))
    assert "4 questions changed, too few for a test over seeds" in texts(evidence_of(study))


def test_the_share_of_the_upper_bound_is_told_only_of_two_gains(study):
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, MIDDLE)})
        study.run("leakage", seed, {"unlabeled": (LOW, HIGH)})
    said = texts(evidence_of(study))
    share = 100 * (sum(MIDDLE) - sum(LOW)) / (sum(HIGH) - sum(LOW))
    assert f"that is {share:.0f} %" in said
    for seed in (0, 1):
        (study.path / "runs" / f"ttrl-seed-{seed}" / "result.json").unlink()
    study.run("ttrl", 2, {"unlabeled": (HIGH, LOW)})
    assert "Trained on the true answers" not in texts(evidence_of(study))  # no common seed


def test_what_got_worse_has_its_interval(study):
    lower = (0,) * 8 + (4,) * 8
    for seed in (0, 1, 2):
        study.run("ttrl", seed, {"unlabeled": ((1,) * 8 + (3,) * 8, lower)})
    said = texts(evidence_of(study)).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "What got worse" in said
        and "pass@4 on unlabeled questions from 100.0 % to 50.0 %, −50" in said
    )


@pytest.mark.parametrize("missing", ["labels/lucky_rate", "labels/label_accuracy"])
def test_steps_that_did_not_record_lucky_hits_are_left_out(study, missing):
    row = {"labels/label_accuracy": 0.5, "labels/reward_accuracy": 0.5, "labels/lucky_rate": 0.1}
    del row[missing]
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, steps=[row])
    assert "Lucky hits" not in texts(evidence_of(study))
