"""What groups of runs reached and how far they are apart, against numbers worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ttrl.evaluation.report.arm_tables import arm_tables
from ttrl.evaluation.report.arms import Arm, Measure, arms_of, comparability, measure, measured_sets
from ttrl.evaluation.report.groups import Pair, differences, pair_of
from ttrl.evaluation.report.outcome import paired_outcome
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.tables import Cell, Table
from ttrl.evaluation.report.text import NO_BREAK_SPACE, signed_span
from ttrl.evaluation.report.verdicts import Verdict, comparison_verdict
from ttrl.interval import Interval
from ttrl.recording.evaluations import Evaluation, SetMetrics
from ttrl.recording.question_record import QuestionRecord
from ttrl.recording.results import RunResult


def record(
    id: str, correct: int | None, *, n: int = 8, prompt: str | None = None
) -> dict[str, Any]:
    right = correct or 0
    return {
        "id": id,
        "prompt": prompt or f"What is {id}?",
        "answer": None if correct is None else "1",
        "correct": correct,
        "counts": [right, n - right],
        "labels": ["1", "2"],
        "pseudo_label": "1" if right * 2 >= n else "2",
        "right_class": 0 if right else None,
        "other": 0,
        "abstained": 0,
    }


def evaluation(marks: Mapping[str, int | None]) -> Evaluation:
    return Evaluation.from_json({"questions": [record(id, mark) for id, mark in marks.items()]})


def run_files(
    before: Mapping[str, int | None],
    after: Mapping[str, int | None],
    *,
    seed: int = 0,
    config: str = "algorithm: grpo\n",
    manifest: Mapping[str, Any] | None = None,
    sets: Mapping[str, Any] | None = None,
    **result: Any,
) -> Run:
    metrics = {"avg@8": 0.5, "majority_ratio": 0.6}
    sets = {"unlabeled": {"base": metrics, "final": metrics}} if sets is None else sets
    return Run(
        result=RunResult(
            **{"name": f"a-{seed}", "seed": seed, "path": Path("r"), **result},
            metrics={
                name: {when: SetMetrics.from_json(each) for when, each in pair.items()}
                for name, pair in sets.items()
            },
            evaluations={
                ("unlabeled", "base"): evaluation(before),
                ("unlabeled", "final"): evaluation(after),
            },
        ),
        config=f"{config}seed: {seed}\n",
        manifest=json.dumps(manifest or {}),
    )


def arm(*runs: Run, name: str = "a", role: Any = "run") -> Arm:
    return Arm(name=name, role=role, runs=runs)


def verdict_of(*arms: Arm) -> Verdict:
    return comparison_verdict(arms, measured_sets(arms))


def pairs_of(*arms: Arm) -> list[Pair]:
    return differences(measured_sets(arms)["unlabeled"])


def cells(table: Table, column: str) -> list[Cell]:
    at = [each.title for each in table.columns].index(column)
    return [row[at] for row in table.rows]


def apart(first: Measure | None, second: Measure | None) -> Pair | None:
    assert first is not None and second is not None
    return pair_of(first, second)


def spread(low: int, *, questions: int = 40) -> dict[str, int]:
    """Between `low` and `low` + 2 right ones of 8."""
    return {f"q{index}": low + index % 3 for index in range(questions)}


def plain(text: str) -> str:
    return text.replace(NO_BREAK_SPACE, " ")


def many(marks: Mapping[str, int], *, copies: int = 5) -> dict[str, int]:
    """The same means with more questions."""
    return {f"{id}{copy}": mark for copy in range(copies) for id, mark in marks.items()}


def test_one_run_is_measured_by_its_questions():
    before = many({"x": 2, "y": 4})
    found = measure(arm(run_files(before, many({"x": 6, "y": 8}))), "unlabeled")
    assert found is not None and found.metric == "avg@8" and found.questions == 10
    assert found.before is not None and found.before.value == (2 / 8 + 4 / 8) / 2
    assert found.after is not None and found.after.value == (6 / 8 + 8 / 8) / 2
    assert found.change is not None
    assert found.change.value == 0.5 and found.change.bounds == (0.5, 0.5)  # both changed alike
    assert found.change.over == "questions"


def test_several_runs_are_pooled_over_questions_and_seeds():
    rng = np.random.default_rng(0)
    before = [{f"q{q}": int(rng.integers(9)) for q in range(30)} for _ in range(3)]
    after = [{f"q{q}": int(rng.integers(9)) for q in range(30)} for _ in range(3)]
    runs = [
        run_files(b, a, seed=seed) for seed, (b, a) in enumerate(zip(before, after, strict=True))
    ]
    found = measure(arm(*runs), "unlabeled")
    assert found is not None and found.change is not None and found.change.bounds is not None
    changes = np.array([[(a[q] - b[q]) / 8 for q in b] for b, a in zip(before, after, strict=True)])
    assert found.change.value == pytest.approx(changes.mean())
    assert found.changes == pytest.approx(changes.mean(axis=1))
    questions_alone = stats.t.ppf(0.975, 29) * changes.mean(axis=0).std(ddof=1) / np.sqrt(30)
    low, high = found.change.bounds
    assert (
        found.change.over == "questions and seeds" and (high - low) / 2 >= questions_alone - 1e-12
    )


def test_unlabeled_questions_are_left_out():
    found = measure(arm(run_files({"x": 2, "y": None}, {"x": 4, "y": None})), "unlabeled")
    assert found is not None and found.questions == 1
    assert found.after is not None and found.after.value == 0.5


def test_a_table_of_a_study_has_the_interval_of_its_sentences():
    runs = arm(*(run_files(spread(0), spread(low), seed=low) for low in (1, 6)))
    change = paired_outcome(runs.runs, "unlabeled").change()  # from two seeds that disagree
    assert change.low < -1 and change.high > 1
    (table,) = arm_tables([runs], pairs=False)
    assert cells(table, "change, paired")[0].small == signed_span((change.low, change.high))


def test_without_records_of_questions_the_recorded_interval_of_one_run_is_told_and_nothing_paired():
    metrics = {"base": {"avg@16": 0.4, "avg@16_ci": [0.3, 0.5], "labeled": 9}}
    metrics["final"] = metrics["base"] | {"avg@16": 0.7, "avg@16_ci": [0.6, 0.8]}
    run = run_files({}, {}, sets={"unlabeled": metrics})
    found = measure(arm(run), "unlabeled")
    assert found is not None and found.metric == "avg@16" and found.questions == 9
    assert found.after is not None and found.after.bounds == (0.6, 0.8)
    assert found.change is not None
    assert found.change.value == pytest.approx(0.3) and found.change.bounds is None
    assert pair_of(found, found) is None


def test_a_difference_is_paired_by_question_and_by_seed():
    early = [many(marks) for marks in ({"x": 2, "y": 4}, {"x": 0, "y": 2})]
    late = many({"y": 5, "x": 3})
    first = measure(
        arm(run_files({}, early[0], seed=1), run_files({}, early[1], seed=2)), "unlabeled"
    )
    second = measure(arm(run_files({}, late, seed=2), run_files({}, late, seed=1)), "unlabeled")
    paired = apart(first, second)
    assert paired is not None and not paired.chosen and paired.value.bounds is not None
    assert paired.value.over == "questions and seeds"
    assert paired.value.value == pytest.approx(((3 - 2) + (5 - 4) + (3 - 0) + (5 - 2)) / 4 / 8)
    assert paired.value.bounds[0] < paired.value.value < paired.value.bounds[1]


def test_runs_without_a_counterpart_do_not_count_in_a_difference_and_this_is_said():
    first = measure(
        arm(run_files({}, {"x": 2}, seed=1), run_files({}, {"x": 8}, seed=2)), "unlabeled"
    )
    second = measure(arm(run_files({}, {"x": 3}, seed=1)), "unlabeled")
    paired = apart(first, second)
    assert paired is not None and paired.value.value == 1 / 8
    assert paired.value.over == "questions" and paired.chosen == "the runs of seed 1"


def seeded(lows: Mapping[int, int], *, name: str) -> Arm:
    """A group of runs that end on `spread(low)`, by seed."""
    runs = [run_files(spread(1), spread(low), seed=seed) for seed, low in lows.items()]
    return arm(*runs, name=name)


def test_groups_of_other_seeds_are_not_judged_by_the_seeds_that_they_share():
    for lows, chosen in (
        ({0: 5}, "the runs of seed 0"),
        ({0: 5, 1: 5, 7: 5}, "the runs of seeds 0 and 1"),
        ({8: 5, 9: 5}, "the first 2 runs of each"),
    ):
        arms = [seeded({0: 2, 1: 2, 2: 2}, name="three"), seeded(lows, name="other")]
        (pair,) = pairs_of(*arms)
        assert pair.chosen == chosen and pair.tone == "unclear" and not pair.is_judged
        assert pair.value.value == pytest.approx(3 / 8)
        found = verdict_of(*arms)
        (said,) = [each for each in found.findings if "do not have the same seeds" in each.text]
        assert said.tone == "unclear" and f"Of {chosen} alone" in said.text
        assert "other ends +37.5 points [" in said.text and "] above three on the" in said.text
        assert "The difference between them is not judged" in found.quote
        cell = arm_tables(arms)[1].rows[0]
        assert cell[1].tone == "unclear" and cell[2].small == f"{chosen} alone"


def test_a_difference_that_is_not_judged_does_not_count_as_clear():
    three, four = ({0: low, 1: low, 2: low} for low in (2, 4))
    arms = [seeded(three, name="a"), seeded(four, name="b"), seeded({0: 6}, name="c")]
    said = verdict_of(*arms).quote
    assert "1 of 3 differences after training is clear; 2 cannot be judged." in said


def test_few_questions_support_no_interval_and_no_claim():
    arms = [
        arm(run_files(spread(1, questions=9), spread(low, questions=9)), name=name)
        for name, low in (("low", 2), ("high", 5))
    ]
    for each in measured_sets(arms)["unlabeled"]:
        for found in (each.before, each.after, each.change):
            assert found is not None and found.bounds is None
    (pair,) = pairs_of(*arms)
    assert pair.value.bounds is None and pair.tone == "unclear"
    said = verdict_of(*arms)
    assert [each.tone for each in said.findings] == ["unclear", "unclear"]
    assert "fewer than 10 questions support no interval" in said.findings[0].text
    assert "Brackets" not in said.quote
    assert "Fewer than 10 questions support no interval." in said.quote
    assert said.quote.endswith("is not judged: fewer than 10 questions support no interval.")
    first, second = arm_tables(arms)
    assert "fewer than 10 questions" in first.note and second.rows[0][1].small == "no interval"
    assert {cell.tone for table in (first, second) for row in table.rows for cell in row} == {None}


def test_brackets_of_one_run_and_of_several_are_told_apart():
    arms = [seeded({0: 2, 1: 3}, name="two"), seeded({0: 5}, name="one")]
    both, first = verdict_of(*arms).quote, verdict_of(arms[0]).quote
    assert "over questions, and over seeds where a group has several runs." in both
    assert "intervals over questions and seeds." in first


def test_an_interval_of_shares_ends_at_0_and_1():
    runs = [run_files(spread(0), spread(low), seed=low) for low in (1, 6)]
    found = measure(arm(*runs), "unlabeled")  # two seeds far apart: t with 1 degree of freedom
    assert found is not None and found.after is not None and found.change is not None
    assert found.after.bounds == (0.0, 1.0) and found.change.bounds == (-1.0, 1.0)


@pytest.mark.parametrize("other", [{"x": 3}, {"x": 3, "z": 4}, {"x": 3, "y": 4, "z": 4}])
def test_other_questions_cannot_be_paired(other: dict[str, int]):
    first = measure(arm(run_files({}, {"x": 2, "y": 4})), "unlabeled")
    second = measure(arm(run_files({}, other)), "unlabeled")
    assert apart(first, second) is None


def test_the_same_id_with_another_text_is_another_question():
    run = run_files({}, {"x": 2})
    changed = QuestionRecord.from_json(record("x", 2, prompt="Something else?"))
    there = Evaluation(set="x", when="final", metrics=SetMetrics(), questions=(changed,))
    other = run_files({}, {})
    other = replace(
        other, result=replace(other.result, evaluations={("unlabeled", "final"): there})
    )
    first, second = measure(arm(run), "unlabeled"), measure(arm(other), "unlabeled")
    assert apart(first, second) is None


def test_a_direction_needs_an_interval_that_leaves_out_0():
    def direction(low: float | None, high: float | None) -> str:
        return Interval(value=0.0, low=low, high=high).direction

    assert direction(0.01, 0.2) == "rose" and direction(-0.2, -0.01) == "fell"
    assert direction(-0.1, 0.2) == direction(0.0, 0.2) == direction(None, None) == "unclear"


def pair_of_arms() -> list[Arm]:
    return [
        arm(run_files(spread(1), spread(2)), name="low"),
        arm(run_files(spread(1), spread(5)), name="high"),
    ]


def test_pairs_are_told_from_the_higher_one_in_either_order():
    for arms in (pair_of_arms(), pair_of_arms()[::-1]):
        (pair,) = pairs_of(*arms)
        assert (pair.higher, pair.lower) == ("high", "low") and pair.tone == "rose"
        assert pair.value.value == 3 / 8 and pair.value.bounds == (3 / 8, 3 / 8)


def test_more_than_four_groups_are_compared_with_the_first_alone():
    arms = [arm(run_files(spread(1), spread(1 + i)), name=f"g{i}") for i in range(5)]
    found = [(pair.higher, pair.lower) for pair in pairs_of(*arms)]
    assert found == [("g1", "g0"), ("g2", "g0"), ("g3", "g0"), ("g4", "g0")]


def test_the_findings_in_words():
    found = verdict_of(*pair_of_arms())
    assert [(plain(each.text), each.tone) for each in found.findings] == [
        (
            "low: on 40 unlabeled questions, avg@8 rose from 24.7 % to 37.2 %: +12.5 points "
            "[+12.5, +12.5], over questions.",
            "rose",
        ),
        (
            "high: on 40 unlabeled questions, avg@8 rose from 24.7 % to 74.7 %: +50.0 points "
            "[+50.0, +50.0], over questions.",
            "rose",
        ),
        (
            "high ends +37.5 points [+37.5, +37.5] above low on the same questions, over questions; "
            "one seed says nothing of others.",
            "rose",
        ),
    ]
    assert plain(found.quote) == (
        "On the same 40 unlabeled questions, avg@8 went from 24.7 % to 37.2 % with low "
        "(+12.5 points [+12.5, +12.5]); to 74.7 % with high (+50.0 points [+50.0, +50.0]). Brackets "
        "are 95 % intervals over questions. The difference between them is clear."
    )


def test_what_cannot_be_paired_is_said():
    said = verdict_of(
        arm(run_files(spread(1), spread(2)), name="first"),
        arm(run_files(spread(1), spread(2, questions=50)), name="more"),
    ).findings[-1]
    assert said.tone == "unknown"
    assert "cannot be paired with first: more (40 of 50 questions are the same)" in said.text


def test_without_labels_there_is_agreement_only():
    none = {"x": None, "y": None}
    agreement = {"majority_ratio": 0.6}
    arms = [arm(run_files(none, none, sets={"unlabeled": {"base": agreement, "final": agreement}}))]
    assert measured_sets(arms) == {}
    found = verdict_of(*arms)
    assert found.findings == () and "no labels" in found.quote and "60.0" in found.quote
    assert "agreement, not correctness" in found.quote
    (table,) = arm_tables(arms)
    assert [column.title for column in table.columns] == ["", "runs", "majority ratio"]
    assert "Accuracy needs labels." in table.note


def test_rewards_by_true_labels_are_an_upper_bound_wherever_they_are_told():
    arms = [arm(run_files(spread(1), spread(2)), name="leak", role="upper bound")]
    found = verdict_of(*arms)
    assert "an upper bound, not TTRL" in found.findings[0].text
    assert "(upper bound; " in found.quote
    assert arm_tables(arms)[0].rows[0][0].small == "upper bound"


def test_the_tables_hold_every_group_and_every_difference():
    first, second = arm_tables(pair_of_arms())
    assert [row[0].text for row in first.rows] == ["low", "high"]
    after = cells(first, "after")[1]
    assert after.whisker is not None and after.whisker.value == pytest.approx(0.746875)
    assert after.start is not None and after.start.value == pytest.approx(0.246875)
    (scale,) = [column.scale for column in first.columns if column.title == "after"]
    assert scale == (10.0, 80.0)
    assert [row[0].text for row in second.rows] == ["high above low"]
    assert second.rows[0][1].tone == "rose" and second.columns[1].scale == (-50.0, 50.0)


def grouped(*runs: Run) -> list[tuple[str, int]]:
    return [(arm.name, len(arm.runs)) for arm in arms_of([(run, "") for run in runs])]


def test_runs_that_differ_by_their_seed_alone_are_one_group():
    same = [run_files({}, {}, seed=seed, name=f"grpo-8-{seed}") for seed in (7, 8, 9)]
    other = run_files({}, {}, seed=7, name="dapo-7", config="algorithm: dapo\n")
    assert grouped(*same, other) == [("grpo-8", 3), ("dapo-7", 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"config": "algorithm: grpo\nlora: 8\n"},
        {"manifest": {"inputs": {"model": "other"}}},
        {"manifest": {"inputs": {"questions": "other"}}},
        {"ttrl_version": "0.1.0"},
    ],
)
def test_other_settings_inputs_or_versions_are_another_group(change: dict[str, Any]):
    runs = [run_files({}, {}, seed=1), run_files({}, {}, seed=2, **change)]
    assert [count for _, count in grouped(*runs)] == [1, 1]


def test_groups_of_the_same_name_are_told_apart():
    runs = [run_files({}, {}, name="x", config=f"algorithm: {name}\n") for name in ("a", "b", "c")]
    assert grouped(*runs) == [("x", 1), ("x (2)", 1), ("x (3)", 1)]


@pytest.mark.parametrize(
    ("reward", "role"),
    [("answer-key", "upper bound"), ("random", "control"), ("format", "control"), ("soft", "run")],
)
def test_the_reward_tells_the_role(reward: str, role: str):
    (found,) = arms_of([(run_files({}, {}, reward=reward), "")])
    assert found.role == role


def test_other_models_questions_and_temperatures_are_told():
    first = run_files({"x": 1}, {"x": 1}, model="m", manifest={"inputs": {"model": "a" * 64}})
    second = run_files({"y": 1}, {"y": 1}, model="m", manifest={"inputs": {"model": "b" * 64}})
    cold, hot = (
        Evaluation(set="h", when=when, metrics=SetMetrics(), temperature=heat)
        for when, heat in (("base", 0.6), ("final", 1.0))
    )
    evaluations = {("h", "base"): cold, ("h", "final"): hot}
    third = replace(first, result=replace(first.result, evaluations=evaluations))
    said = " ".join(comparability([arm(first), arm(second), arm(third)]))
    assert f"not start from the same model: m (sha256 {'a' * 12}), m (sha256 {'b' * 12})" in said
    assert "same questions of the set unlabeled: 0 are in all" in said
    assert "set h was evaluated at different temperatures: 0.6, 1." in said
    assert "One seed each" in said
