"""Tables of a study: every arm on every set, and TTRL by level."""

import json

import pytest

from ttrl.evaluate.study.evidence import gather
from ttrl.evaluate.study.plan import read_plan
from ttrl.evaluate.study.tables import level_rows, markdown, rows


def evidence_of(study):
    plan = read_plan(study.path)
    return gather({name: arm for name in plan.arms if (arm := plan.arm(name))})


def test_a_row_pools_all_seeds_of_an_arm_on_a_set(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 2), (4, 2))})
    study.run("ttrl", 1, {"unlabeled": ((1, 1), (4, 4))})
    (row,) = rows(evidence_of(study))
    assert (row.arm, row.set, row.seeds, row.questions, row.samples) == (
        "ttrl",
        "unlabeled",
        2,
        2,
        4,
    )
    assert row.before.value == pytest.approx(4 / 16)
    assert row.after.value == pytest.approx(14 / 16)
    assert row.gain.value == pytest.approx(10 / 16)
    assert row.gain.low < row.gain.value < row.gain.high
    assert row.vote_before.value == 0 and row.vote_after.value == 3 / 4
    assert row.pass_key == "pass@4" and row.pass_before == 3 / 4 and row.pass_after == 1


def test_sets_come_in_order_and_arms_within_them(study):
    for arm in ("random", "ttrl"):
        study.run(arm, 0, {"unlabeled": ((0,), (4,)), "heldout": ((0,), (4,))})
    found = [(row.set, row.arm) for row in rows(evidence_of(study))]
    assert found == [
        ("unlabeled", "ttrl"), ("unlabeled", "random"), ("heldout", "ttrl"), ("heldout", "random"),
    ]  # fmt: skip


def test_the_markdown_table_has_percent_and_points(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 2), (4, 2))})
    lines = markdown(rows(evidence_of(study))).splitlines()
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
    assert [(row.level, row.questions) for row in found] == [("Level 2", 1), ("Level 10", 1)]
    assert [row.gain.value for row in found] == [0, 1]


def test_sets_without_levels_have_no_rows_by_level(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    assert level_rows(evidence_of(study)) == []
