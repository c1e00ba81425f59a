"""What pairing by question says: whose vote counts as right, intervals, memorisation, losses."""

from __future__ import annotations

from typing import Any

import pytest

from ttrl.evaluate.report.losses import losses
from ttrl.evaluate.report.memorised import memorisation_findings
from ttrl.evaluate.report.paired import difference, pairs
from ttrl.evaluate.report.records import vote_right

Evaluation = dict[str, Any]


def graded(correct: list[int], *, samples: int = 4, prefix: str = "q") -> Evaluation:
    return {
        "questions": [
            {
                "id": f"{prefix}{at}",
                "correct": right,
                "counts": [right, samples - right],
                "vote_right": 2 * right > samples,
            }
            for at, right in enumerate(correct)
        ]
    }


def evaluations(**sets: tuple[list[int], list[int]]) -> dict[tuple[str, str], Evaluation]:
    return {
        (name, when): graded(values)
        for name, sides in sets.items()
        for when, values in zip(("base", "final"), sides, strict=True)
    }


def test_the_vote_of_an_old_record_is_read_off_its_label():
    record = {"correct": 3, "labels": ["7", "8"], "pseudo_label": "8", "right_class": 1}
    assert vote_right(record) is True
    assert vote_right(record | {"pseudo_label": "7"}) is False
    assert vote_right(record | {"pseudo_label": None}) is False
    assert vote_right(record | {"vote_right": False}) is False
    assert vote_right({"correct": None, "pseudo_label": "8", "labels": ["8"]}) is None


def test_questions_are_paired_by_id_and_unlabeled_ones_left_out():
    base, final = graded([1, 2, 3]), graded([3, 2, 1])
    final["questions"].reverse()
    base["questions"][1]["correct"] = None
    found = pairs({("x", "base"): base, ("x", "final"): final}, "x")
    assert [(a["id"], b["id"]) for a, b in zip(found.before, found.after, strict=True)] == [
        ("q0", "q0"), ("q2", "q2"),
    ]  # fmt: skip


def test_the_difference_of_equal_gains_is_exactly_known():
    found = evaluations(unlabeled=([0] * 20, [4] * 20), heldout=([1] * 10, [2] * 10))
    gained = difference(pairs(found, "unlabeled"), pairs(found, "heldout"))
    assert gained is not None
    assert (gained.value, gained.low, gained.high) == (0.75, 0.75, 0.75)


def test_the_interval_of_the_difference_is_that_of_a_difference_of_means():
    """Gains of 0 or 1: the standard error is sqrt(p (1 - p) / n + q (1 - q) / m)."""
    found = evaluations(
        unlabeled=([0] * 200, [4, 0] * 100), heldout=([0] * 100, [4, 0, 0, 0, 0] * 20)
    )
    gained = difference(pairs(found, "unlabeled"), pairs(found, "heldout"))
    assert gained is not None and gained.value == pytest.approx(0.3)
    half = 1.96 * (0.25 / 200 + 0.16 / 100) ** 0.5
    assert gained.low == pytest.approx(0.3 - half, abs=0.012)
    assert gained.high == pytest.approx(0.3 + half, abs=0.012)


def test_memorisation_is_judged_against_heldout_and_fresh_questions_only():
    found = evaluations(
        unlabeled=([0] * 12, [4] * 12),
        heldout=([1] * 12, [1] * 12),
        fresh_generated=([0] * 12, [4] * 12),
        out_of_prior=([0] * 12, [0] * 12),
    )
    texts = [f.full.text for f in memorisation_findings(found) if f.full is not None]
    assert len(texts) == 2
    assert "Against the held-out questions, the gain is specific" in texts[0]
    assert "Against the newly generated questions, there is no sign" in texts[1]


def test_few_questions_or_no_others_leave_memorisation_open():
    few = evaluations(unlabeled=([0] * 12, [4] * 12), heldout=([0] * 9, [4] * 9))
    (finding,) = memorisation_findings(few)
    assert (
        finding.short.tone == "unknown" and "12 trained and 9 of the held-out" in finding.short.text
    )
    (alone,) = memorisation_findings(evaluations(unlabeled=([0] * 12, [4] * 12)))
    assert "no other questions of the same kind" in alone.short.text
    assert memorisation_findings({}) == ()


def test_what_got_worse_names_lost_votes_and_what_is_out_of_reach():
    found = evaluations(unlabeled=([3] * 10 + [1] * 10, [4] * 8 + [1] * 2 + [0] * 10))
    (sentence,) = losses(found)
    text = sentence.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "the vote lost 2 of the 10 questions that it had right (and gained 0)" in text
    assert "pass@4 fell from 100.0 % to 50.0 %, \N{MINUS SIGN}50.0 points" in text
    assert sentence.tone == "fell"


def test_a_set_without_losses_is_told_and_one_without_labels_is_not():
    found = evaluations(unlabeled=([1] * 10, [4] * 10))
    found |= {("heldout", when): {"questions": [{"id": "a"}]} for when in ("base", "final")}
    (sentence,) = losses(found)
    assert sentence.text.startswith("No vote was lost on the unlabeled questions: none that was")
    assert sentence.text.endswith("and pass@k did not clearly fall.")


def test_single_completions_that_clearly_fell_are_a_loss_though_every_vote_is_kept():
    (sentence,) = losses(evaluations(unlabeled=([4] * 10, [3] * 10)))
    text = sentence.text.replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith(
        "What got worse on the unlabeled questions: avg@4 fell, \N{MINUS SIGN}25.0"
    )
    assert sentence.tone == "fell"


def test_of_few_questions_nothing_is_said_of_pass_at_k():
    found = evaluations(unlabeled=([4] * 9, [3] * 9), heldout=([3] * 10, [4] * 10))
    enough, few = losses(found)
    assert "No vote was lost on the held-out questions" in enough.text and "pass@k" in enough.text
    assert few.text.endswith(
        "on the unlabeled questions: none that was right before is wrong after."
    )
