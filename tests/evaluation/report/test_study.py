"""A study: its outcomes are read from run folders, and what is said follows from the numbers alone."""

import json
from dataclasses import replace

import pytest

from ttrl.evaluation.report.arm_tables import as_json, level_rows, study_markdown, study_rows
from ttrl.evaluation.report.arms import Arm, read_arm
from ttrl.evaluation.report.findings import ONE_SEED
from ttrl.evaluation.report.outcome import Outcome, paired_outcome, pass_rate, vote_value
from ttrl.evaluation.report.plan import Plan, read_plan
from ttrl.evaluation.report.study import Evidence, equal_tokens, gather, samples_at_equal_tokens
from ttrl.evaluation.report.verdicts import study_verdict

LOW, HIGH = (1,) * 12 + (0, 2, 1, 3), (4,) * 12 + (3, 4, 4, 4)
MIDDLE = (3,) * 12 + (2, 3, 4, 3)


def plan_of(study, seeds=(0, 1), questions=0) -> Plan:
    return Plan(path=study.path, names=("ttrl", "random"), seeds=seeds, questions=questions)


def read(study, arm="ttrl", seeds=(0, 1)) -> Arm | None:
    return read_arm(plan_of(study, seeds), arm)


def outcome_of(arm: Arm | None) -> Outcome | None:
    assert arm is not None
    return paired_outcome(arm.runs, "unlabeled")


def ids(found: Outcome) -> list[str]:
    return [id for id, *_ in found.keys]


def evidence_of(study) -> Evidence:
    return gather(replace(read_plan(study.path), questions=2))


def quote(evidence: Evidence) -> str:
    return study_verdict(evidence).quote


def texts(evidence: Evidence) -> str:
    return "\n".join(sentence.text for sentence in study_verdict(evidence).findings)


def test_shares_and_votes_are_one_row_per_seed(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0, 3), (4, 1))})
    study.run("ttrl", 1, {"unlabeled": ((1, 3), (2, 4))})
    found = outcome_of(read(study))
    assert found is not None and ids(found) == ["q0", "q1"] and found.samples == 4
    assert found.table("base").tolist() == [[0, 0.75], [0.25, 0.75]]
    assert found.table("final").tolist() == [[1, 0.25], [0.5, 1]]
    assert found.changes().tolist() == [[1, -0.5], [0.25, 0.25]]
    assert found.table("base", vote_value).tolist() == [[0, 1], [0, 1]]
    assert found.table("final", vote_value).tolist() == [[1, 0], [0, 1]]


def test_runs_that_have_not_ended_are_left_out(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    arm = read(study, seeds=(0, 1, 2))
    assert arm is not None and arm.seeds == (0,)
    assert read(study, arm="random") is None


def test_questions_that_one_seed_lacks_are_left_out(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0, 3, 1), (4, 1, 1))})
    study.run("ttrl", 1, {"unlabeled": ((1, 3), (2, 4))})
    found = outcome_of(read(study))
    assert found is not None and ids(found) == ["q0", "q1"]


def test_a_set_without_labels_has_no_outcome(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))}, labeled=False)
    assert outcome_of(read(study, seeds=(0,))) is None


def test_sets_are_those_that_every_seed_has(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,)), "heldout": ((0,), (4,))})
    study.run("ttrl", 1, {"unlabeled": ((0,), (4,))})
    assert read(study).sets == ["unlabeled"]


def test_a_question_that_was_changed_between_seeds_is_not_the_same_one(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 1))})
    run = study.run("ttrl", 1, {"unlabeled": ((0, 1), (4, 1))})
    path = run / "evaluations" / "base-unlabeled.json"
    evaluation = json.loads(path.read_text("utf-8"))
    evaluation["questions"][0]["prompt"] = "another one?"
    path.write_text(json.dumps(evaluation), "utf-8")
    found = outcome_of(read(study))
    assert found is not None and ids(found) == ["q1"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("result.json", "{}"),
        ("result.json", '{"sets": []}'),
        ("result.json", '{"sets": {"unlabeled": {"base": {}}}}'),
        ("result.json", ""),
        ("evaluations/final-unlabeled.json", "{not json"),
        ("evaluations/final-unlabeled.json", "[]"),
        ("evaluations/base-unlabeled.json", '{"metrics": {}}'),
    ],
)
def test_a_damaged_run_is_left_out_and_costs_no_other(study, file, text):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    damaged = study.run("ttrl", 1, {"unlabeled": ((0,), (4,))})
    (damaged / file).write_text(text, "utf-8")
    assert read(study).seeds == (0,)


def test_arms_are_compared_on_the_seeds_and_questions_that_both_have(study):
    study.run("ttrl", 1, {"unlabeled": ((0, 0), (4, 2))})
    study.run("ttrl", 2, {"unlabeled": ((0, 0), (4, 4))})
    for seed, final in ((0, (4, 4)), (1, (1, 4)), (2, (0, 4))):
        study.run("random", seed, {"unlabeled": ((0, 0), final)})
    ours = outcome_of(read(study, seeds=(1, 2)))
    theirs = outcome_of(read(study, "random", (0, 1, 2)))
    assert ours is not None and theirs is not None
    first, second = ours.shared_with(theirs)
    assert first.seeds == second.seeds == (1, 2)
    assert second.table("final").tolist() == [[0.25, 1], [0, 1]]
    # (1 - .25) + (.5 - 1) under seed 1, (1 - 0) + (1 - 1) under seed 2, over four cells
    assert ours.apart(theirs).value == pytest.approx((0.75 - 0.5 + 1 + 0) / 4)


def test_arms_without_a_common_seed_are_not_compared(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    study.run("random", 1, {"unlabeled": ((0,), (4,))})
    ours = outcome_of(read(study, seeds=(0,)))
    theirs = outcome_of(read(study, "random", (1,)))
    assert ours.apart(theirs) is None


def test_pass_rates_come_from_shares(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1, 2, 4), (0, 0, 0, 0))})
    found = outcome_of(read(study, seeds=(0,)))
    assert found is not None
    assert found.table("base", pass_rate(2)).tolist() == [[0, 0.5, 1 - 1 / 6, 1]]


STEPS = ({"sample/tokens": 150.0}, {"sample/tokens": 151.0})


def test_equal_tokens_are_training_tokens_over_questions_and_length_rounded_up(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 4))}, steps=STEPS)
    arm = read(study, seeds=(0,))
    assert samples_at_equal_tokens(arm, questions=2) == 16  # 301 / (2 questions x 10 tokens)
    assert samples_at_equal_tokens(arm, questions=64) == 1  # also those that are not evaluated


def test_a_vote_that_was_taken_is_found_and_one_that_needs_none_is_told(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 4))}, steps=STEPS)
    arm = read(study, seeds=(0,))
    assert equal_tokens(plan_of(study, questions=2), arm) is None  # 16 > 4, not taken
    assert equal_tokens(plan_of(study, questions=64), arm) == (1, None)
    study.equal_tokens(1, (9, 2), samples=16)
    samples, votes = equal_tokens(plan_of(study, questions=2), arm)
    assert samples == 16 and list(votes.values()) == [True, False]


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
    assert "[" not in quote(evidence) + texts(evidence)  # no interval anywhere
    assert study_verdict(evidence).findings[0].tone == "unclear"


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
        {"labels/label_accuracy": 0.25, "labels/reward_accuracy": 0.75, "labels/lucky_rate": 0.5},
        {"labels/label_accuracy": 1.0, "labels/reward_accuracy": 1.0, "labels/lucky_rate": 0.0},
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
    assert ONE_SEED in texts(evidence_of(study))


def test_without_labels_everything_that_needs_them_says_so(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, labeled=False)
    evidence = evidence_of(study)
    assert "need labels" in quote(evidence)
    assert "agreement, not correctness" in texts(evidence)


def test_runs_that_did_not_end_are_named(study):
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)})
    study.run("random", 0, {"unlabeled": (LOW, HIGH)})
    (study.path / "runs" / "random-seed-0" / "result.json").unlink()
    assert "left out: random-seed-0." in texts(evidence_of(study))


def test_one_seed_is_tested_exactly(study):
    study.run("ttrl", 0, {"unlabeled": ((0,) * 4 + (4,) * 12, (4,) * 16)})
    evidence = evidence_of(study)
    said = texts(evidence)
    assert "gained 4, kept 12, lost 0 and never had 0: chance alone may make" in said
    assert "(exact McNemar test over the 4 questions that changed, p = 0.12)" in said
    assert (
        next(s for s in study_verdict(evidence).findings if "McNemar" in s.text).tone == "unclear"
    )


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
        and "pass@4 on unlabeled questions fell from 100.0 % to 50.0 %, −50" in said
    )


@pytest.mark.parametrize("missing", ["labels/lucky_rate", "labels/label_accuracy"])
def test_steps_that_did_not_record_lucky_hits_are_left_out(study, missing):
    row = {"labels/label_accuracy": 0.5, "labels/reward_accuracy": 0.5, "labels/lucky_rate": 0.1}
    del row[missing]
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, steps=[row])
    assert "Lucky hits" not in texts(evidence_of(study))


def test_a_row_pools_all_seeds_of_an_arm_on_a_set(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 2), (4, 2))})
    study.run("ttrl", 1, {"unlabeled": ((1, 1), (4, 4))})
    (row,) = study_rows(evidence_of(study))
    known = [row[key] for key in ("arm", "set", "seeds", "questions", "samples")]
    assert known == ["ttrl", "unlabeled", 2, 2, 4]
    assert row["before"].value == pytest.approx(4 / 16)
    assert row["after"].value == pytest.approx(14 / 16)
    assert row["gain"].value == pytest.approx(10 / 16)
    assert row["gain"].low < row["gain"].value < row["gain"].high
    assert row["vote_before"].value == 0 and row["vote_after"].value == 3 / 4
    assert (row["pass_key"], row["pass_before"], row["pass_after"]) == ("pass@4", 3 / 4, 1)
    assert as_json(row)["gain"]["over"] == "questions and seeds"


def test_sets_come_in_order_and_arms_within_them(study):
    for arm in ("random", "ttrl"):
        study.run(arm, 0, {"unlabeled": ((0,), (4,)), "heldout": ((0,), (4,))})
    found = [(row["set"], row["arm"]) for row in study_rows(evidence_of(study))]
    assert found == [
        ("unlabeled", "ttrl"), ("unlabeled", "random"), ("heldout", "ttrl"), ("heldout", "random"),
    ]  # fmt: skip


def test_the_markdown_table_has_percent_and_points(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 2), (4, 2))})
    lines = study_markdown(study_rows(evidence_of(study))).splitlines()
    assert lines[0].startswith("| questions | reward | avg@4 before → after | gain, points |")
    assert lines[2].startswith("| unlabeled (2) | TTRL | 25.0 → 75.0 | +50.0 [+0.0, +100.0] |")


def test_levels_split_a_set_in_natural_order(study):
    run = study.run("ttrl", 0, {"unlabeled": ((0, 0, 4), (4, 0, 4))})
    for when in ("base", "final"):
        path = run / "evaluations" / f"{when}-unlabeled.json"
        evaluation = json.loads(path.read_text("utf-8"))
        for record, level in zip(
            evaluation["questions"], ("Level 10", "Level 2", None), strict=True
        ):
            record["level"] = level
        path.write_text(json.dumps(evaluation), "utf-8")
    found = level_rows(evidence_of(study))
    assert [(row["level"], row["questions"]) for row in found] == [("Level 2", 1), ("Level 10", 1)]
    assert [row["gain"].value for row in found] == [0, 1]


def test_sets_without_levels_have_no_rows_by_level(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    assert level_rows(evidence_of(study)) == []
