"""The result in a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"unlabeled": "unlabeled", "heldout": "held-out", "out_of_prior": "out-of-prior"}


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


def summary_lines(result: Mapping[str, Any]) -> list[str]:
    """What a run came to."""
    lines = [f"\n{result['stopped']} ({result['steps']})."]
    if result["reward"] == "answer-key":
        lines.append("This run was rewarded by TRUE LABELS: an upper bound, not TTRL.")
    for name, pair in result["sets"].items():
        lines += [set_line(when, name, pair[when]) for when in ("base", "final")]
    lines.append(
        f"cost        {result['wall_seconds']:.0f} s, {result['sampled_tokens']:,} tokens sampled, "
        f"peak memory {result['peak_rss_bytes'] / 2**30:.2f} GiB"
    )
    lines.append(f"weights     {result['weights']}")
    return lines
