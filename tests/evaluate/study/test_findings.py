"""Sentences of a study: what is said follows from the numbers, and nothing is said without them."""

from ttrl.evaluate.study.arms import read_arm, set_names, votes_at_equal_tokens
from ttrl.evaluate.study.findings import Evidence, findings, gather, quote
from ttrl.evaluate.study.layout import ROLES, run_path

LOW, HIGH = (1,) * 12 + (0, 2, 1, 3), (4,) * 12 + (3, 4, 4, 4)


def evidence_of(study, **options) -> Evidence:
    arms = {
        name: arm
        for name in ROLES
        if (arm := read_arm(name, {s: run_path(study.path, name, s) for s in study.seeds}))
    }
    equal = votes_at_equal_tokens(study.path, 0)
    return gather(arms, set_names(list(arms.values())), equal_tokens=equal, **options)


def texts(evidence: Evidence) -> str:
    return "\n".join(sentence.text for sentence in findings(evidence))


def test_a_gain_that_holds_everywhere_is_quoted_without_a_but(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH), "heldout": (LOW, HIGH)})
        study.run("random", seed, {"unlabeled": (LOW, LOW), "heldout": (LOW, LOW)})
    said = quote(evidence_of(study))
    assert "+70.3 points" in said  # 18 of 64 right before, 63 after
    assert "2 seeds, 16 questions" in said and "But" not in said
    assert "does not come from random reward" in said


def test_a_control_that_does_as_well_is_the_first_doubt(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH)})
        study.run("format", seed, {"unlabeled": (LOW, HIGH)})
    said = quote(evidence_of(study))
    assert "But a format reward does as well." in said


def test_a_gain_that_does_not_show_elsewhere_is_doubted(study) -> None:
    for seed in (0, 1):
        study.run("ttrl", seed, {"unlabeled": (LOW, HIGH), "heldout": (LOW, LOW)})
    evidence = evidence_of(study)
    assert "the gain does not show on held-out questions" in quote(evidence)
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
    assert "at the start 25.0 % of the labels are right and 75.0 % of the rewards (50.0 %" in said
    assert "at the end 100.0 % of the labels" in said


def test_one_seed_says_that_its_intervals_know_nothing_of_others(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)})
    assert "One seed: the intervals speak of other questions, not of other seeds" in texts(
        evidence_of(study)
    )


def test_without_labels_everything_that_needs_them_says_so(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)}, labeled=False)
    evidence = evidence_of(study)
    assert "needs labels" in quote(evidence)
    assert "agreement, not correctness" in texts(evidence)


def test_runs_that_did_not_end_are_named(study) -> None:
    study.run("ttrl", 0, {"unlabeled": (LOW, HIGH)})
    assert "random-seed-0" in texts(evidence_of(study, failed=["random-seed-0"]))
