"""The result in a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {"unlabeled": "unlabeled", "heldout": "held-out", "out_of_prior": "out-of-prior"}

_LEVEL_HEAD = ["level", "questions", "avg@k", "maj@n", "agree"]


def set_line(when: str, name: str, metrics: Mapping[str, Any]) -> str:
    """One set, once."""
    return f"{when:<5} {NAMES.get(name, name):<15} {describe(metrics)}"


def describe(metrics: Mapping[str, Any]) -> str:
    """Accuracies with intervals and their temperature; without labels, what can be said."""
    parts = []
    for key, value in metrics.items():
        if key.startswith(("avg@", "maj@", "pass@")) and not key.endswith("_ci"):
            interval = metrics.get(key + "_ci")
            shown = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
            parts.append(f"{key} {value:.3f}{shown}")
    for key in ("similarity", "consensus_similarity", "self_similarity"):
        if key in metrics:
            parts.append(f"{key.replace('_', '-')} {metrics[key]:.3f}")
    parts.append(f"agree {metrics['majority_ratio']:.2f}")
    parts.append(f"entropy {metrics['entropy']:.3f}")
    parts.append(f"no-answer {metrics['no_answer_rate']:.3f}")
    return "  ".join(parts) + f"  (temperature {metrics['temperature']})"


def level_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of one evaluation by level; intervals are 95 % over questions. Nothing without levels."""
    if not rows:
        return []
    return _aligned([_LEVEL_HEAD, *map(_level_cells, rows)])


def level_change_lines(
    base: Sequence[Mapping[str, Any]], final: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A table by level of what was before and what is after. Nothing without levels."""
    if not base:
        return []
    after = {row["level"]: row for row in final}
    rows = [_LEVEL_HEAD]
    for row in base:
        if row["level"] not in after:  # the column was changed before the run was resumed
            continue
        cells = zip(_level_cells(row), _level_cells(after[row["level"]]), strict=True)
        level, questions, *pairs = cells
        rows.append([level[0], questions[0], *(f"{early} -> {late}" for early, late in pairs)])
    return _aligned(rows)


def _level_cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["level"],
        str(row["questions"]),
        _with_interval(row, "avg@k"),
        _with_interval(row, "maj@n"),
        f"{row['majority_ratio']:.2f}",
    ]


def _with_interval(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        return "-"  # nobody is labeled
    low, high = row[f"{key}_ci"]
    return f"{row[key]:.3f} [{low:.3f}, {high:.3f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "      " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def summary_lines(
    result: Mapping[str, Any],
    base: Mapping[str, Mapping[str, Any]],
    final: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """What a run came to.

    Args:
        base: the evaluations before, by set.
        final: the evaluations after.
    """
    lines = [f"\n{result['stopped']} ({result['steps']})."]
    if result["reward"] == "answer-key":
        lines.append("This run was rewarded by TRUE LABELS: an upper bound, not TTRL.")
    for name, pair in result["sets"].items():
        lines += [set_line(when, name, pair[when]) for when in ("base", "final")]
        lines += level_change_lines(
            *(evaluations[name].get("by_level", []) for evaluations in (base, final))
        )
    lines.append(
        f"cost        {result['wall_seconds']:.0f} s, {result['sampled_tokens']:,} tokens sampled, "
        f"peak memory {result['peak_rss_bytes'] / 2**30:.2f} GiB"
    )
    lines.append(f"weights     {result['weights']}")
    return lines
