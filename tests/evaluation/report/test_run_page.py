"""The report as a page: safe, small, complete, and patient with broken runs."""

from __future__ import annotations

import json
import random
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ttrl.errors import CheckpointError
from ttrl.evaluation.report.cards import LONG_TEXT, MAX_QUESTIONS, Texts, is_changed, vote_row
from ttrl.evaluation.report.curves import MAX_POINTS
from ttrl.evaluation.report.outcome import fate_of
from ttrl.evaluation.report.page import SCRIPTS
from ttrl.evaluation.report.pages import render_report, write_report
from ttrl.recording.question_record import QuestionRecord

HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"


def metrics(value: float) -> dict[str, Any]:
    return {
        "avg@16": value,
        "avg@16_ci": [value - 0.04, value + 0.04],
        "maj@64": value,
        "maj@64_ci": [value - 0.08, value + 0.08],
        "pass@16": 0.9,
        "entropy": 0.7,
        "no_answer_rate": 0.06,
        "truncated_rate": 0.05,
        "mean_tokens": 44.2,
        "majority_ratio": 0.46,
        "questions": 2,
        "labeled": 2,
        "temperature": 0.6,
        "top_p": 0.95,
    }


def question(id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "prompt": f"What is {id}?",
        "pseudo_label": "7",
        "tied": False,
        "counts": [30, 20, 5],
        "labels": ["7", "8", "9"],
        "other": 4,
        "abstained": 5,
        "answer": "8",
        "correct": 20,
        "right_class": 1,
        "example": "Thus \\boxed{7}",
    } | changes


def record(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "consensus/majority_ratio": 0.4,
        "sample/entropy": 0.9,
        "sample/mean_tokens": 44.0,
        "train/grad_norm": 0.5,
        "labels/label_accuracy": 0.6,
        "labels/reward_accuracy": 0.8,
        "labels/ground_truth_ratio": 0.5,
    }


Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Makes a run directory; the arguments replace parts of it."""

    def make(
        *,
        result: dict[str, Any] | None = None,
        lines: list[str] | None = None,
        base: list[dict[str, Any]] | None = None,
        final: list[dict[str, Any]] | None = None,
    ) -> Path:
        default = {
            "name": "a-run",
            "reward": "majority",
            "stopped": "all steps done",
            "steps": 3,
            "seed": 0,
            "model": "ttrl-tiny",
            "algorithm": "grpo",
            "sampled_tokens": 1000,
            "sampling_seconds": 10.0,
            "wall_seconds": 75.0,
            "peak_rss_bytes": 2**30,
            "sets": {"unlabeled": {"base": metrics(0.5), "final": metrics(0.88)}},
        }
        (tmp_path / "result.json").write_text(json.dumps(default | (result or {})))
        lines = [json.dumps(record(step)) for step in (1, 2, 3)] if lines is None else lines
        (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
        (tmp_path / "config.yaml").write_text("steps: 3\n")
        (tmp_path / "evaluations").mkdir(exist_ok=True)
        for when, questions in (("base", base), ("final", final)):
            content = {"questions": questions or [question("a"), question("b")]}
            path = tmp_path / "evaluations" / f"{when}-unlabeled.json"
            path.write_text(json.dumps(content))
        return tmp_path

    return make


def embedded(html: str, id: str = "curves") -> Any:
    found = re.search(rf'<script type="application/json" id="{id}">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def cards(html: str, at: int = 0) -> list[list[Any]]:
    """Rows of the questions of one set: id, prompt, answer, fate, changed, level, before, ..."""
    rows: list[list[Any]] = embedded(html, "questions")["sets"][at]
    return rows


def test_the_report_is_written_beside_and_leaves_no_temporary_file(run: Run):
    directory = run()
    before = {path.name for path in directory.iterdir()}
    written = write_report(directory)
    assert written == directory / "report.html"
    assert written.read_text("utf-8") == render_report(directory)
    assert {p.name for p in directory.iterdir()} == before | {"report.html", "figure.svg"}


def test_a_report_that_fails_keeps_the_old_one(run: Run):
    directory = run()
    written = write_report(directory)
    old = written.read_bytes()
    (directory / "result.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"result\.json"):
        write_report(directory)
    assert written.read_bytes() == old


def test_the_page_names_no_address_and_forbids_loading(run: Run, parsed):
    html = render_report(run())
    assert parsed(html).addresses == ["data:,"]
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|sendBeacon", html)


def test_the_page_runs_no_script_but_its_own(run: Run):
    page = unescape(render_report(run()))
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" in page
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", "".join(scripts[1:])
    )
    digests = [b64encode(sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"'sha256-(.*?)'", page) == digests and len(digests) == len(SCRIPTS)


def test_hostile_text_stays_text_wherever_it_stands(run: Run, parsed):
    harmless = parsed(render_report(run()))
    everywhere = question(
        HOSTILE,
        prompt=HOSTILE,
        pseudo_label=HOSTILE,
        labels=[HOSTILE, "8", "9"],
        answer=HOSTILE,
        example=HOSTILE,
    )
    directory = run(
        result={"name": HOSTILE, "model": HOSTILE, "stopped": HOSTILE, "reward": HOSTILE},
        lines=[json.dumps(record(1) | {HOSTILE: 1.0, "sample/entropy": HOSTILE})],
        base=[everywhere, question("b")],
        final=[everywhere, question("b")],
    )
    (directory / "config.yaml").write_text(HOSTILE)
    (directory / "manifest.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    html = render_report(directory)
    page = parsed(html)
    assert "<script>alert" not in html and "<img" not in html
    assert page.tags.count("script") == harmless.tags.count("script") and not page.handlers
    assert page.addresses == ["data:,"]
    assert HOSTILE in page.text
    row = cards(html)[0]
    assert (row[1], row[10], row[11]) == (HOSTILE, HOSTILE, HOSTILE)
    assert row[0].startswith(HOSTILE[:70]) and row[2].startswith(HOSTILE[:70])


def test_a_very_long_line_is_cut_and_the_cut_is_told(run: Run):
    long = [question("a", example="A" * 100_000, prompt="C" * 100_000, labels=["B" * 100_000])]
    html = render_report(run(base=long, final=long))
    assert "A" * LONG_TEXT in html and "A" * (LONG_TEXT + 1) not in html
    assert cards(html)[0][10] == ["A" * LONG_TEXT, 100_000 - LONG_TEXT]
    assert "characters are left out here" in html
    assert "B" * 80 not in html


def test_text_that_is_no_unicode_can_be_written(run: Run):
    odd = [question("a", example="\ud800 and \u2028 and \x00")]
    assert "? and \u2028" in write_report(run(base=odd)).read_text("utf-8")


def test_the_page_is_small(run: Run):
    many = [question(f"q{index}", example="") for index in range(128)]
    lines = [json.dumps(record(step)) for step in range(60)]
    html = render_report(run(lines=lines, base=many, final=many))
    assert len(html.encode()) < 400_000


def visit(step: int, id: str, **changes: Any) -> dict[str, Any]:
    labels = ["42", "50", "22", "32", "21", "9"]
    counts = [35, 12, 8, 5, 3, 1]
    fixed = {"label": "42", "labels": labels, "counts": counts, "abstained": 0}
    return {"step": step, "question": id} | fixed | changes


def test_the_page_is_small_even_if_512_questions_are_visited_60_times(run: Run):
    """Without the texts of questions and completions. 512 is what the embedded set has."""
    rng = random.Random(0)
    many = [
        question(f"chain-unlabeled-{at:04d}", example="", prompt="", counts=[rng.randrange(9) for _ in "123"])
        for at in range(512)
    ]  # fmt: skip
    directory = run(
        lines=[json.dumps(record(step)) for step in range(1, 61)], base=many, final=many
    )
    for when in ("base", "final"):
        other = {"questions": [q | {"id": q["id"].replace("unlabeled", "heldout")} for q in many]}
        for name in ("heldout", "out_of_prior", "fresh_generated", "fresh_perturbed"):
            (directory / "evaluations" / f"{when}-{name}.json").write_text(json.dumps(other))
    lines = [
        json.dumps(visit(step, q["id"], labels=[str(rng.randrange(99)) for _ in "123456"]))
        for step in range(1, 61)
        for q in many
    ]
    (directory / "votes.jsonl").write_text("\n".join(lines))
    html = render_report(directory)
    rows = cards(html)
    assert len(rows) == 512 and all(row[9] == 60 for row in rows)
    assert [visits[0][0] for row in rows for visits in [row[8]]] == [1] * 512
    assert len(html.encode()) < 400_000


def test_a_long_run_is_thinned_and_this_is_told(run: Run):
    lines = [json.dumps(record(step)) for step in range(2 * MAX_POINTS)]
    html = render_report(run(lines=lines))
    assert embedded(html)["steps"] == list(range(0, 2 * MAX_POINTS, 2))
    assert "One step in 2 is drawn" in html and len(html.encode()) < 400_000


def test_questions_beyond_the_limit_are_counted(run: Run):
    many = [question(f"q{index}") for index in range(MAX_QUESTIONS + 7)]
    html = render_report(run(base=many, final=many))
    assert len(cards(html)) == MAX_QUESTIONS
    assert f"{MAX_QUESTIONS} questions, those gained or lost first; 7 more are left out" in html


def test_a_run_by_true_labels_says_so(run: Run):
    banner = "This run was rewarded by true labels: an upper bound, not TTRL"
    assert banner not in render_report(run())
    assert banner in render_report(run(result={"reward": "answer-key"}))


def test_without_labels_the_page_says_what_needs_them(run: Run):
    bare = {k: v for k, v in metrics(0.5).items() if "@" not in k} | {"labeled": 0}
    plain = [question("a", answer=None, correct=None, right_class=None)]
    html = render_report(
        run(
            result={"sets": {"unlabeled": {"base": bare, "final": bare}}},
            lines=[json.dumps({"step": 1, "consensus/majority_ratio": 0.4})],
            base=plain,
            final=plain,
        )
    )
    assert "accuracy needs labels" in html
    assert "Label and reward accuracy: needs labels." in html
    assert "Entropy: not recorded." in html
    assert "Whether a gain is memorised needs labels" in html and "Needs labels." in html
    assert "pass@k and maj@k over the number of completions: needs labels" in html
    assert 'class="right' not in html and 'value="gained"' not in html
    assert [chart["unit"] for chart in embedded(html)["charts"]] == ["% of votes"]


def test_only_a_result_is_needed(tmp_path: Path):
    (tmp_path / "result.json").write_text("{}")
    html = render_report(tmp_path)
    assert "there is no verdict" in html
    assert "No steps were recorded." in html and "No evaluation was recorded." in html


def test_no_result_is_an_error_that_mends(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"result\.json: not found.*resume the run"):
        render_report(tmp_path)


def test_broken_lines_are_skipped_and_counted(run: Run):
    broken = ['{"step": 3, "tr', "[1]", "", '{"no": 1}']
    lines = [json.dumps(record(2)), *broken, json.dumps(record(1))]
    html = render_report(run(lines=lines))
    assert embedded(html)["steps"] == [1, 2]
    assert "3 lines of metrics.jsonl could not be read and were skipped." in html
    assert "These are lines 2, 3, 5." in html


def test_a_step_without_gradient_is_a_gap_and_the_last_record_of_a_step_counts(run: Run):
    silent = {k: v for k, v in record(2).items() if not k.startswith("train/")}
    lines = [json.dumps(r) for r in (record(1), record(2), silent, record(3))]
    html = render_report(run(lines=lines))
    assert embedded(html)["charts"][-1]["lines"][0]["values"] == [0.5, None, 0.5]
    assert "1 step had nothing to learn from" in html


def test_numbers_that_are_not_finite_are_gaps(run: Run):
    lines = [json.dumps(record(1) | {"sample/entropy": v}) for v in (float("nan"),)]
    lines += [json.dumps(record(2)), '{"step": 3, "sample/entropy": 1e999}']
    entropy = next(
        c for c in embedded(render_report(run(lines=lines)))["charts"] if "nats" in c["unit"]
    )
    assert entropy["lines"][0]["values"] == [None, 0.9, None]


def test_a_broken_evaluation_is_named(run: Run):
    directory = run()
    (directory / "evaluations" / "final-unlabeled.json").write_text("{")
    html = render_report(directory)
    assert "evaluations/final-unlabeled.json could not be read" in html
    assert [(row[6] is None, row[7] is None) for row in cards(html)] == [(False, True)] * 2


def votes(**changes: Any) -> tuple[list[Any], list[tuple[str, int, int]]]:
    """What a card shows of a question: the head of its row, and (label, votes, code) of each class."""
    texts = Texts()
    row = vote_row(QuestionRecord.from_json(question("a", **changes)), texts)
    names = texts.numbered()
    return row[:4], [(names[row[i]], row[i + 1], row[i + 2]) for i in range(4, len(row), 3)]


def test_a_histogram_accounts_for_every_vote():
    head, shown = votes(counts=[9, 8, 7, 6, 5, 4], labels=list("abcdef"), right_class=5)
    # the code is 1 for the right answer, plus 2 for the elected; "7" is elected and not listed
    assert shown == [("a", 9, 0), ("b", 8, 0), ("c", 7, 0), ("d", 6, 0), ("f", 4, 1)]
    right, tied, others, abstained = head
    assert (others, abstained, tied) == (5 + 4, 5, 0)
    assert sum(amount for _, amount, _ in shown) + others + abstained == 48
    assert right == round(100 * 20 / 48)


def test_the_elected_class_of_a_tie_need_not_be_the_first():
    head, shown = votes(counts=[3, 3], labels=["1", "2"], pseudo_label="2", tied=True)
    assert [code & 2 for _, _, code in shown] == [0, 2] and head[1] == 1


def test_tags_tell_gains_from_losses_from_other_changes():
    wrong, right, other, spelled = (
        QuestionRecord.from_json(question("a", **changes))
        for changes in (
            {},
            {"pseudo_label": "8"},
            {"pseudo_label": "9"},
            {"pseudo_label": "8.0", "labels": ["7", "8.0", "9"]},
        )
    )
    pairs = [(wrong, wrong), (wrong, other), (wrong, right), (right, wrong), (right, spelled)]
    assert [is_changed(*pair) for pair in pairs] == [False, True, True, True, False]
    assert [fate_of(*pair) for pair in pairs] == ["never", "never", "gained", "lost", "kept"]


def test_the_report_is_a_function_of_the_files(run: Run):
    directory = run()
    assert render_report(directory) == render_report(directory)


@pytest.mark.parametrize(
    "text",
    [
        "</script>",
        "<!-- <script>",
        "]]>",
        "'\"`${1}",
        "\u2028\u2029",
        "&lt;b&gt;",
        "\x00\x1f",
        "\\u003c",
    ],
)
def test_a_completion_reaches_the_page_as_it_is_and_breaks_nothing(run: Run, text: str):
    html = render_report(run(final=[question("a", example=text, prompt=text, answer="8")]))
    assert cards(html)[0][11] == text
    raw = html.partition('id="questions">')[2].partition("</script>")[0]
    assert not re.search("[<>&']", raw)


def test_a_card_holds_the_votes_before_during_and_after(run: Run):
    directory = run(
        base=[question("a", vote_right=False, level="2")],
        final=[question("a", pseudo_label="8", vote_right=True, level="2")],
    )
    lines = [
        visit(1, "a"), visit(9, "a", labels=["8"], counts=[60], abstained=4), visit(5, "a"),
        visit(2, "other"),
    ]  # fmt: skip
    (directory / "votes.jsonl").write_text("\n".join([*map(json.dumps, lines), "{broken"]))
    html = render_report(directory)
    strings = embedded(html, "questions")["strings"]
    row = cards(html)[0]
    assert row[:6] == ["a", "What is a?", "8", "gained", 1, "2"]
    # correct in percent, tied, others, no answer; then label, votes, 1 if right + 2 if elected
    assert row[6][:4] == [31, 0, 4, 5]
    assert [strings[label] for label in row[6][4::3]] == ["7", "8", "9"]
    assert row[6][5::3] == [30, 20, 5] and row[6][6::3] == [2, 1, 0]
    assert row[7][6::3] == [0, 3, 0]
    # step, others, no answer; then label, votes: the four largest
    assert [v[:3] for v in row[8]] == [[1, 4, 0], [5, 4, 0], [9, 0, 4]] and row[9] == 3
    assert [strings[label] for label in row[8][0][3::2]] == ["42", "50", "22", "32"]
    assert row[8][2][4::2] == [60]
    assert "1 line of votes.jsonl could not be read and was skipped. This is line 5." in html


def test_gained_and_lost_questions_are_never_the_ones_left_out(run: Run):
    many = [question(f"q{at}", vote_right=False) for at in range(MAX_QUESTIONS + 7)]
    late = [*many[:-2], *(q | {"vote_right": True, "pseudo_label": "8"} for q in many[-2:])]
    rows = cards(render_report(run(base=many, final=late)))
    assert [row[0] for row in rows[:3]] == [many[-2]["id"], many[-1]["id"], "q0"]


def test_the_table_of_fates_counts_and_tests(run: Run, parsed):
    kinds = [(False, True)] * 9 + [(True, False)] * 1 + [(True, True)] * 5 + [(False, False)] * 3
    base, final = (
        [question(f"q{at}", vote_right=kind[side]) for at, kind in enumerate(kinds)]
        for side in (0, 1)
    )
    text = " ".join(parsed(render_report(run(base=base, final=final))).text)
    assert "gained 9, kept 5, lost 1 and never had 3: more gained than chance" in text
    assert "p = 0.021" in text  # 22 / 1024


def test_labels_for_a_part_of_the_questions_are_told_with_counts(run: Run):
    bare = question("b", answer=None, correct=None, right_class=None)
    html = render_report(run(base=[question("a"), bare], final=[question("a"), bare]))
    assert "1 of 2 with a label" in html
    assert [row[3] for row in cards(html)] == ["never", None]


def test_what_rewards_come_from_is_decomposed(run: Run):
    lines = [json.dumps(record(1) | {"labels/reward_accuracy": 0.8, "labels/lucky_rate": 0.3})]
    charts = {
        c["lines"][0]["label"]: c for c in embedded(render_report(run(lines=lines)))["charts"]
    }
    parts = charts["right label"]
    assert parts["stacked"]
    assert [(e["label"], e["values"]) for e in parts["lines"]] == [
        ("right label", [50.0]), ("lucky hit", [30.0]), ("wrong reward", [20.0]),
    ]  # fmt: skip


def test_a_run_of_an_older_version_gives_a_full_report(run: Run):
    html = render_report(run())
    assert "Where rewards come from: not recorded." in html
    for heading in ("Verdict", "Before and after", "Question by question", "With more completions"):
        assert f">{heading}</h2>" in html
    # of 64 completions 20 are right: pass@2 = 1 - (44 * 43) / (64 * 63)
    chart = embedded(html)["attempts"][0]
    assert chart["ks"] == [1, 2, 4, 8, 16, 32, 64]
    assert chart["lines"][0]["values"][:2] == [31.25, 53.08]


def test_curves_over_k_and_levels_are_shown(run: Run):
    directory = run()
    path = directory / "evaluations" / "final-unlabeled.json"
    content = json.loads(path.read_text())
    content["curves"] = {"k": [1, 2], "pass": [0.5, 0.75], "maj": [0.5, 0.5]}
    content["by_level"] = [{"level": "<b>3", "questions": 4, "labeled": 2, "avg@k": 0.25}]
    path.write_text(json.dumps(content))
    html = render_report(directory)
    lines = {e["label"]: e["values"] for e in embedded(html)["attempts"][0]["lines"]}
    assert lines["pass@k after"][:2] == [50.0, 75.0] and lines["maj@k after"][:2] == [50.0, 50.0]
    assert "&lt;b&gt;3" in html and "4, 2 with a label" in html and "25.0" in html


def test_energy_is_shown_if_it_is_known(run: Run):
    assert "energy" not in render_report(run()).partition('id="curves"')[0]
    assert "7,200\N{NO-BREAK SPACE}J (2.0\N{NO-BREAK SPACE}Wh)" in render_report(
        run(result={"energy_joules": 7200})
    )


def test_the_figure_stands_beside_and_is_xml_whatever_the_name(run: Run):
    directory = run(result={"name": HOSTILE + "\x00\ud800"})
    write_report(directory)
    root = ElementTree.fromstring((directory / "figure.svg").read_bytes())
    assert root.tag.endswith("svg")
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        "svg", "rect", "g", "path", "text",
    }  # fmt: skip
