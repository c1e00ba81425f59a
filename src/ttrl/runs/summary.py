"""Describes results in a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ttrl.interval import Interval
from ttrl.recording.evaluations import Evaluation, LevelMetrics, SetMetrics
from ttrl.recording.results import RunResult

NAMES = {"unlabeled": "unlabeled", "heldout": "held-out", "out_of_prior": "out-of-prior"}

_LEVEL_HEAD = ["level", "questions", "avg@k", "maj@n", "agree"]
_SIMILARITIES = ("similarity", "consensus_similarity", "self_similarity")
_ALWAYS = (
    ("agree", "majority_ratio", ".2f"),
    ("entropy", "entropy", ".3f"),
    ("no-answer", "no_answer_rate", ".3f"),
)


def set_line(when: str, name: str, metrics: SetMetrics) -> str:
    """Describes one evaluation of one set in a line."""
    return f"{when:<5} {NAMES.get(name, name):<15} {describe(metrics)}"


def describe(metrics: SetMetrics) -> str:
    """Lists accuracies with their intervals and temperature, or what is known without labels."""
    parts = [
        f"{prefix}@{k} {_with_interval(value)}"
        for prefix, values in (
            ("avg", metrics.avg),
            ("maj", metrics.maj),
            ("view-maj", metrics.view_maj),
            ("pass", metrics.passes),
        )
        for k, value in values.items()
    ]
    for name in _SIMILARITIES:
        if (value := metrics.of(name)) is not None:
            parts.append(f"{name.replace('_', '-')} {value.value:.3f}")
    for shown, name, form in _ALWAYS:
        if (value := metrics.of(name)) is not None:
            parts.append(f"{shown} {value.value:{form}}")
    return "  ".join(parts) + f"  (temperature {metrics.temperature})"


def level_lines(rows: Sequence[LevelMetrics]) -> list[str]:
    """Returns a table by level, with 95 % intervals over questions; empty without levels."""
    if not rows:
        return []
    return _aligned([_LEVEL_HEAD, *map(_level_cells, rows)])


def level_change_lines(base: Sequence[LevelMetrics], final: Sequence[LevelMetrics]) -> list[str]:
    """Returns a table of the change at each level; empty without levels."""
    if not base:
        return []
    after = {row.level: row for row in final}
    rows = [_LEVEL_HEAD]
    for row in base:
        if row.level not in after:  # the column was changed before the run was resumed
            continue
        cells = zip(_level_cells(row), _level_cells(after[row.level]), strict=True)
        level, questions, *pairs = cells
        rows.append([level[0], questions[0], *(f"{early} -> {late}" for early, late in pairs)])
    return _aligned(rows)


def _level_cells(row: LevelMetrics) -> list[str]:
    return [
        row.level,
        str(row.questions),
        _with_interval(row.avg),
        _with_interval(row.maj),
        "-" if row.majority_ratio is None else f"{row.majority_ratio:.2f}",
    ]


def _with_interval(value: Interval | None) -> str:
    if value is None:
        return "-"  # nobody is labeled
    bounds = value.bounds
    return f"{value.value:.3f}" + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "      " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def summary_lines(result: RunResult) -> list[str]:
    """Describes what a run achieved and what it cost."""
    steps = f"{result.steps} step{'' if result.steps == 1 else 's'}"
    lines = [f"\n{result.stopped} (after {steps})."]
    if result.is_true_labels:
        lines.append("This run was rewarded by TRUE LABELS: an upper bound, not TTRL.")
    for name, pair in result.metrics.items():
        lines += [set_line(when, name, metrics) for when, metrics in pair.items()]
        lines += level_change_lines(
            _levels(result.evaluations.get((name, "base"))),
            _levels(result.evaluations.get((name, "final"))),
        )
    costs: Mapping[str, float] = result.costs
    lines.append(
        f"cost        {costs['wall_seconds']:.0f} s, {costs['sampled_tokens']:,} tokens sampled, "
        f"peak memory {costs['peak_rss_bytes'] / 2**30:.2f} GiB"
    )
    kept = "" if result.kept_step is None else f" (step {result.kept_step}, chosen without labels)"
    lines.append(f"weights     {result.weights}{kept}")
    if result.path is not None:
        lines.append(f"report      {result.path / 'report.html'}")
    return lines


def _levels(evaluation: Evaluation | None) -> Sequence[LevelMetrics]:
    return () if evaluation is None else evaluation.by_level
