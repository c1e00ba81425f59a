"""The page that compares runs: safe, small, complete, and patient with broken runs."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ttrl.errors import CheckpointError
from ttrl.evaluation.report.arms import Arm, arms_of, inks
from ttrl.evaluation.report.cards import MAX_COMPARED, arm_fates
from ttrl.evaluation.report.curves import MAX_COMPARED as MAX_POINTS
from ttrl.evaluation.report.curves import Line, arm_curves
from ttrl.evaluation.report.outcome import fate_of
from ttrl.evaluation.report.page import SCRIPTS, render_page
from ttrl.evaluation.report.pages import render_report, render_runs, write_comparison_report
from ttrl.evaluation.report.reading import Run as RunFiles
from ttrl.evaluation.report.reading import read_run
from ttrl.evaluation.report.tables import Cell, Column, Table
from ttrl.evaluation.report.text import scalar
from ttrl.evaluation.report.verdicts import Verdict
from ttrl.interval import Interval
from ttrl.recording.question_record import QuestionRecord
from ttrl.recording.results import RunResult

HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"
EMPTY = RunFiles(result=RunResult())


def metrics(value: float) -> dict[str, Any]:
    return {
        "avg@8": value,
        "avg@8_ci": [value - 0.1, value + 0.1],
        "majority_ratio": 0.5,
        "labeled": 2,
    }


def question(id: str, correct: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "prompt": f"What is {id}?",
        "answer": None if correct is None else "1",
        "correct": correct,
        "counts": [correct or 0, 8 - (correct or 0)],
        "labels": ["1", "2"],
        "pseudo_label": "1" if (correct or 0) > 4 else "2",
        "right_class": 0 if correct else None,
        "other": 0,
        "abstained": 0,
    } | changes


def step_record(step: int, value: float = 0.5) -> dict[str, Any]:
    return {
        "step": step,
        "consensus/majority_ratio": value,
        "consensus/flip_rate": value,
        "sample/entropy": value,
        "sample/mean_tokens": 40.0,
        "labels/label_accuracy": value,
        "labels/reward_accuracy": value,
        "labels/ground_truth_ratio": value,
    }


Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Makes a run directory; the arguments replace parts of it."""

    def make(
        folder_name: str,
        /,
        *,
        lines: list[Any] | None = None,
        base: list[dict[str, Any]] | None = None,
        final: list[dict[str, Any]] | None = None,
        config: str = "steps: 3\n",
        **result: Any,
    ) -> Path:
        folder = tmp_path / folder_name
        (folder / "evaluations").mkdir(parents=True)
        default = {
            "name": folder_name,
            "reward": "agreement",
            "stopped": "all steps done",
            "steps": 3,
            "seed": 0,
            "model": "ttrl-tiny",
            "algorithm": "grpo",
            "sampled_tokens": 1000,
            "wall_seconds": 75.0,
            "sets": {"unlabeled": {"base": metrics(0.5), "final": metrics(0.7)}},
        }
        (folder / "result.json").write_text(json.dumps(default | result))
        lines = [step_record(step) for step in (1, 2, 3)] if lines is None else lines
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (folder / "metrics.jsonl").write_text("\n".join(texts))
        (folder / "config.yaml").write_text(config)
        (folder / "manifest.json").write_text(json.dumps({"versions": {"ttrl": "0.4.0"}}))
        (folder / "report.html").write_text("one run")
        base = [question("a", 2), question("b", 6)] if base is None else base
        final = [question("a", 8), question("b", 6)] if final is None else final
        for when, questions in (("base", base), ("final", final)):
            path = folder / "evaluations" / f"{when}-unlabeled.json"
            path.write_text(json.dumps({"questions": questions}))
        return folder

    return make


def page_of(*folders: Path) -> str:
    return render_runs([(read_run(folder), f"{folder.name}/report.html") for folder in folders])


def embedded(html: str, id: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{id}">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])


def arm(*folders: Path, name: str = "a", role: Any = "run") -> Arm:
    return Arm(name=name, role=role, runs=tuple(read_run(folder) for folder in folders))


def test_the_page_loads_nothing_and_links_to_the_reports_next_to_it(run: Run, parsed):
    html = page_of(run("one"), run("two", config="steps: 4\n"))
    assert set(parsed(html).addresses) == {"data:,", "one/report.html", "two/report.html"}
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|sendBeacon|innerHTML", html)


def test_the_page_runs_no_script_but_its_own(run: Run):
    page = unescape(page_of(run("one"), run("two")))
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" in page
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [b64encode(sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"'sha256-(.*?)'", page) == digests and len(digests) == len(SCRIPTS)


def test_hostile_text_stays_text_wherever_it_stands(run: Run, parsed):
    harmless = parsed(page_of(run("one"), run("two")))
    everywhere = question(HOSTILE, 8, prompt=HOSTILE, answer=HOSTILE, level=HOSTILE)
    folder = run(
        "three",
        lines=[step_record(1) | {HOSTILE: 1.0}],
        base=[everywhere],
        final=[everywhere],
        config=f"{json.dumps(HOSTILE)}: {json.dumps(HOSTILE)}\n",
        name=HOSTILE,
        model=HOSTILE,
        stopped=HOSTILE,
        reward=HOSTILE,
        seed=HOSTILE,
        sets={HOSTILE: {"base": metrics(0.5), "final": metrics(0.7)}},
    )
    (folder / "manifest.json").write_text(
        json.dumps({"versions": {HOSTILE: HOSTILE}, "inputs": {"model": HOSTILE}})
    )
    (folder / "evaluations" / f"base-{'<img src=x>'}.json").write_text("{")
    html = page_of(folder, run("four"))
    page = parsed(html)
    assert "<script>alert" not in html and "<img" not in html
    assert page.tags.count("script") == harmless.tags.count("script") and not page.handlers
    assert HOSTILE in page.text
    assert all(
        text.startswith(HOSTILE[:39]) for text in embedded(html, "fates")["questions"][0][:4]
    )
    assert embedded(html, "curves")["charts"][0]["lines"][0]["label"] == HOSTILE


def test_an_address_is_no_script(run: Run, tmp_path: Path, parsed):
    folders = [run("javascript:alert(1)"), run('"><b>', config="steps: 5\n")]
    html = write_comparison_report(folders, tmp_path / "page.html").read_text("utf-8")
    assert {"javascript%3Aalert%281%29/report.html", "%22%3E%3Cb%3E/report.html"} < set(
        parsed(html).addresses
    )


def test_text_that_is_no_unicode_can_be_written(run: Run, tmp_path: Path):
    odd = [question("a", 3, prompt="\ud800 and \u2028 and \x00")]
    page = write_comparison_report(
        [run("one", base=odd, final=odd), run("two")], tmp_path / "p.html"
    )
    prompts = [each[1] for each in embedded(page.read_text("utf-8"), "fates")["questions"]]
    assert "? and \u2028 and \x00" in prompts


def test_twelve_runs_of_sixty_steps_and_512_questions_stay_small(run: Run):
    prompt = "How many apples does she have now? " * 8
    questions = [
        question(f"chain-unlabeled-{i:04}", i % 9, prompt=f"{i} {prompt}") for i in range(512)
    ]
    lines = [step_record(step, 1 / (step + 2)) for step in range(60)]
    folders = [
        run(
            f"a{a}-{s}",
            lines=lines,
            base=questions,
            final=questions,
            seed=s,
            config=f"steps: {a}\n",
        )
        for a in range(4)
        for s in range(3)
    ]
    html = page_of(*folders)
    assert len(html.encode()) < 400_000
    assert len(embedded(html, "fates")["questions"]) == 512


def test_a_long_run_is_thinned_and_this_is_told(run: Run):
    lines = [step_record(step) for step in range(2 * MAX_POINTS)]
    html = page_of(run("one", lines=lines), run("two", lines=lines))
    assert embedded(html, "curves")["steps"] == list(range(0, 2 * MAX_POINTS, 2))
    assert "One step in 2 is drawn" in html


def lines_of(*arms: Arm) -> list[Line]:
    """What the first chart draws."""
    return list(arm_curves(arms).charts[0].lines)


def test_an_arm_is_drawn_by_its_runs_and_their_mean(run: Run):
    folders = [run(f"r{v}", lines=[step_record(1, v), step_record(2, 0.5)]) for v in (0.2, 0.6)]
    *runs, mean = lines_of(arm(*folders))
    assert [each.values for each in runs] == [(20.0, 50.0), (60.0, 50.0)]
    assert not any(each.label for each in runs) and mean.values == (40.0, 50.0)
    assert mean.low == mean.high == ()
    ((_, last),) = arm_curves([arm(*folders)]).charts[0].legend
    assert last.startswith("50.0")


def test_a_control_is_a_band_from_its_lowest_to_its_highest_run(run: Run):
    folders = [run(f"r{v}", lines=[step_record(1, v)]) for v in (0.2, 0.6, 0.4)]
    (line,) = lines_of(arm(*folders, role="control"))
    assert (line.low, line.values, line.high) == ((20.0,), (40.0,), (60.0,))


def test_a_mean_ends_where_its_first_run_ends(run: Run):
    short = run("short", lines=[step_record(1, 0.2)])
    long = run("long", lines=[step_record(1, 0.4), step_record(2, 0.9)])
    assert lines_of(arm(short, long))[-1].values == (30.0, None)
    notes = arm_curves([arm(short, long)]).notes
    assert any("ended at different steps (1, 2)" in note for note in notes)


def test_steps_of_different_runs_share_one_axis(run: Run):
    folders = [run("odd", lines=[step_record(1)]), run("even", lines=[step_record(2)])]
    arms = [arm(folders[0]), arm(folders[1], name="b")]
    assert arm_curves(arms).steps == (1, 2)
    assert [each.values for each in lines_of(*arms)] == [(50.0, None), (None, 50.0)]


def test_without_labels_the_page_says_what_needs_them(run: Run):
    plain = [question("a", None)]
    bare = {"majority_ratio": 0.5, "labeled": 0}
    lines = [{k: v for k, v in step_record(1).items() if not k.startswith("labels/")}]
    sets = {"unlabeled": {"base": bare, "final": bare}}
    folders = [run(n, lines=lines, base=plain, final=plain, sets=sets) for n in ("one", "two")]
    html = page_of(*folders)
    assert "cannot be compared by accuracy" in html
    assert "Label accuracy: needs labels." in html and "gained and lost needs labels" in html
    assert embedded(html, "curves")["charts"][0]["unit"] == "% of votes"
    assert 'id="fates"' not in html


def test_only_results_are_needed(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text("{}")
    html = page_of(tmp_path / "one", tmp_path / "two")
    assert "No steps were recorded." in html


def test_broken_lines_and_files_are_counted_and_named(run: Run):
    folder = run("one", lines=[step_record(1), '{"step": 2, "tr', "[1]"])
    (folder / "evaluations" / "final-heldout.json").write_text("{")
    html = page_of(folder, run("two"))
    assert "one: 2 lines of metrics.jsonl could not be read" in html
    assert "one: evaluations/final-heldout.json could not be read" in html


def test_results_of_any_shape_do_not_stop_the_page(run: Run):
    odd: Any
    for number, odd in enumerate(([], "x", None, {"unlabeled": 3}, {"unlabeled": {"base": []}})):
        page_of(run(f"r{number}", sets=odd, seed=[1], name=None, base=[{"id": 3}], final=[]))


def test_a_fate_compares_the_votes_before_and_after():
    wrong, right, none, marked = (
        QuestionRecord.from_json(each)
        for each in (
            question("a", 2),
            question("a", 8),
            question("a", None),
            question("a", 2, vote_right=True),
        )
    )
    assert fate_of(wrong, right) == "gained" and fate_of(right, wrong) == "lost"
    assert fate_of(right, right) == "kept" and fate_of(wrong, wrong) == "never"
    assert fate_of(none, none) is None and fate_of(None, right) is None
    assert fate_of(marked, wrong) == "lost"  # what a record says counts


def test_fates_stand_in_the_order_of_the_runs_and_are_counted(run: Run):
    one = run(
        "one", base=[question("a", 2), question("b", 8)], final=[question("a", 8), question("b", 2)]
    )
    two = run(
        "two", base=[question("b", 8), question("c", 2)], final=[question("b", 8), question("c", 2)]
    )
    found = arm_fates([arm(one), arm(two, name="b")], "unlabeled")
    assert found is not None
    # id, prompt, answer, level, right votes before and after in percent, a letter per run
    assert [(row[0], row[6]) for row in found.questions] == [("a", "g-"), ("b", "lk"), ("c", "-n")]
    assert found.questions[1][4:6] == [100, round(100 * (0.25 + 1.0) / 2)]
    assert [run.counts for run in found.runs] == [
        {"gained": 1, "kept": 0, "lost": 1, "never": 0},
        {"gained": 0, "kept": 1, "lost": 0, "never": 1},
    ]


def test_of_very_many_questions_all_are_counted_and_gained_and_lost_ones_are_kept(run: Run):
    most = MAX_COMPARED
    base = [question(f"q{i}", 2) for i in range(most + 3)] + [question("loser", 8)]
    final = [question(f"q{i}", 8 if i > most else 2) for i in range(most + 3)]
    found = arm_fates(
        [arm(run("one", base=base, final=[*final, question("loser", 2)]))], "unlabeled"
    )
    assert found is not None and found.left_out == 4
    (counted,) = found.runs
    assert counted.counts == {"gained": 2, "kept": 0, "lost": 1, "never": most + 1}
    ids = [row[0] for row in found.questions]
    assert len(ids) == most and ids[:2] == ["q0", "q1"]  # in the order of the file
    assert ids[-3:] == [f"q{most + 1}", f"q{most + 2}", "loser"]


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "config",
    [
        "a: {1: x, b: y}\n",
        "a: &a [*a]\n",
        "a: " + "[" * 700 + "]" * 700,
        "a: !!timestamp nonsense\n",
        "a: " + "1:" * 400 + "1.0\n",
        "a: 0x" + "f" * 5000,
        "? [1]\n: 2\n",
        "a: .nan\nb: 2001-01-01\n",
    ],
)
def test_a_config_of_any_shape_does_not_stop_the_page(run: Run, config: str):
    page_of(run("one", config=config), run("two"))


def test_a_config_whose_aliases_grow_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert replace(EMPTY, config="\n".join(lines)).settings == {}
    assert replace(EMPTY, config="a: 1\nb: [yes, 0.5]\n").settings == {"a": 1, "b": [True, 0.5]}


def test_configs_that_cannot_be_read_are_no_group(run: Run):
    folders = [run("one", config="a: *x"), run("two", config="a: *y")]
    assert len(arms_of([(read_run(folder), "") for folder in folders])) == 2


@pytest.mark.parametrize(
    "odd",
    [["answer-key"], {"a": 1}, nested(40), nested(700), 1e308, -1e308, 10**400, "x" * 9999, True],
    ids=["list", "mapping", "deep", "deeper", "huge", "-huge", "integer", "text", "truth"],
)
def test_a_result_of_any_shape_stops_neither_page(run: Run, odd: Any):
    keys = (
        "name", "reward", "stopped", "steps", "seed", "model", "algorithm", "sampled_tokens",
        "wall_seconds", "energy_joules", "ttrl_version",
    )  # fmt: skip
    base = question("a", 2, counts=[odd, 1], abstained=odd) | {"id": odd, "level": odd}
    sets = {"unlabeled": {"base": metrics(0.5) | {"avg@" + "9" * 5000: 1, "labeled": odd}}}
    folders = [
        run("one", **dict.fromkeys(keys, odd)),
        run("two", base=[base], final=[base | {"correct": odd}], sets=sets),
        run("three", lines=[step_record(1) | dict.fromkeys(("step", "sample/entropy"), odd)]),
    ]
    (folders[1] / "manifest.json").write_text(json.dumps({"inputs": {"a": odd}, "versions": odd}))
    kept = [folder for folder in folders if is_whole(folder)]
    assert folders[2] in kept
    page_of(*kept)
    for folder in kept:
        render_report(folder)


def is_whole(folder: Path) -> bool:
    """A result.json that is no result is told as such."""
    try:
        read_run(folder)
    except CheckpointError:
        return False
    return True


def test_sums_of_huge_numbers_do_not_overflow(run: Run):
    huge = {"sampled_tokens": 1e308, "wall_seconds": 1e308}
    page_of(*(run(f"r{seed}", config=f"seed: {seed}\n", seed=seed, **huge) for seed in range(3)))


def test_a_value_that_is_nested_very_deep_is_told_in_one_line():
    assert scalar(nested(700)) == "(several)" and scalar([["a"], "b"]) == "(several), b"


def test_settings_that_differ_are_shown_and_others_are_not(run: Run):
    html = page_of(
        run("one", config="algorithm: grpo\nlora: 0\nseed: 1\n"),
        run("two", config="algorithm: dapo\nlora: 0\nseed: 2\nnew_key: [1, 2]\n"),
    )
    table = html[html.index("Settings that differ") : html.index("<summary>Runs</summary>")]
    rows = [
        re.findall(r">([^<\n]+)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table, re.S)
    ]
    assert rows[1:] == [["algorithm", "grpo", "dapo"], ["new_key", "—", "1, 2"]]


def test_a_setting_is_told_in_one_short_line():
    assert [scalar(v) for v in (None, True, 0.5, [], ["a", 1], {"deep": 1})] == [
        "none",
        "yes",
        "0.5",
        "none",
        "a, 1",
        "(several)",
    ]
    assert len(scalar("x" * 10_000)) == 120


def test_controls_are_drawn_in_quiet_colours_and_colours_come_round_dashed(run: Run):
    folder = run("one")
    arms = [arm(folder, name=f"r{i}") for i in range(7)] + [arm(folder, name="c", role="control")]
    found = inks(arms)
    assert found[0] == ("--arm-1", False) and found[6] == ("--arm-1", True)
    assert found[7] == ("--control-1", True)


@pytest.mark.parametrize(
    ("scale", "marks"),
    [
        ((0.0, 100.0), [(0.0, "0"), (50.0, "50"), (100.0, "100")]),
        ((-10.0, 30.0), [(0.0, "−10"), (25.0, "0"), (100.0, "+30")]),
        ((-2.0, 98.0), [(0.0, "−2"), (100.0, "+98")]),
        ((0.0, 31.234), [(0.0, "0"), (50.0, "15.6"), (100.0, "31.2")]),
        ((0.0, 0.0), [(0.0, "0"), (100.0, "0")]),
    ],
)
def test_a_scale_is_marked_at_its_ends_and_at_0(
    scale: tuple[float, float], marks: list[tuple[float, str]]
):
    assert list(Column("", scale=scale).marks) == marks


def test_what_a_caller_gives_is_on_the_page(run: Run, parsed):
    whisker = Interval(value=0.1, low=-0.2, high=2.0)
    row = (Cell("TTRL", arm="a"), Cell("+10", tone="rose", whisker=whisker, link="x/y.html"))
    heads = ("arm", Column("gain", scale=(-10, 30)))
    table = Table("A caption", heads, [row], note="A note.")
    arms = [arm(run("one"))]
    html = render_page(
        kicker="a kicker",
        title="a title",
        facts=[("seeds", "0, 1")],
        verdict=Verdict("a quote", ()),
        sections=[("In numbers", [table])],
        arms=arms,
        curves=arm_curves(arms),
        appendix=[("Fold", "as <it> is"), ("Table", table)],
        notes=["a caution"],
        figure="<svg></svg>",
        figure_link="figure.svg",
    )
    page = parsed(html)
    for text in (
        "a kicker",
        "a title",
        "a quote",
        "A caption",
        "A note.",
        "a caution",
        "as <it> is",
    ):
        assert text in page.text, text
    assert "<svg></svg>" in html and {"figure.svg", "x/y.html"} < set(page.addresses)
    assert "--x:50.00;--lo:0.00;--hi:100.00" in html and "--zero:25.00" in html


def test_a_page_takes_the_place_of_a_page_and_of_nothing_else(run: Run, tmp_path: Path):
    folders, target = [run("one"), run("two")], tmp_path / "page.html"
    first = write_comparison_report(folders, target).read_bytes()
    assert write_comparison_report(folders, target).read_bytes() == first
    target.write_text("my notes")
    with pytest.raises(CheckpointError, match="no page that ttrl has written"):
        write_comparison_report(folders, target)
    assert target.read_text() == "my notes"
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []
