"""Lists the metrics of a step that are shown, for the console, the curves and the figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ttrl.algorithm_settings import ALGORITHM_ROWS
from ttrl.recording.forgiving import number

Record = Mapping[str, Any]
"""A line of metrics.jsonl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One quantity, drawn alone."""

    title: str
    unit: str
    key: str
    """In metrics.jsonl."""
    share: bool = False
    """Recorded in [0, 1], drawn in percent from 0 to 100."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A quantity of a chart."""

    label: str
    """What its line is called where the chart has several."""
    key: str = ""
    """In metrics.jsonl; empty for what is computed."""
    computed: Callable[[Record], float | None] | None = None
    alone: tuple[str, str] | None = None
    """Title and unit of the panel that it has where several runs are drawn; None if it has none there."""
    console: tuple[int, str, str] | None = None
    """Its place in the line of the console, its name there, and how it is written."""

    def value(self, record: Record) -> float | None:
        """Returns the value in a record; None if it was not recorded."""
        return number(record, self.key) if self.computed is None else self.computed(record)


@dataclass(frozen=True, slots=True)
class ChartKind:
    """A chart before it has data."""

    title: str
    unit: str
    lines: tuple[Shown, ...]
    """The most important first."""
    share: bool = False
    """Recorded in [0, 1], drawn in percent from 0 to 100."""
    stacked: bool = False
    """The lines are parts of a whole, drawn as areas one on the other."""
    needs_labels: bool = False
    optional: bool = False
    """Of some tasks, settings or algorithms; not mentioned where it was not recorded."""
    drawn: bool = True
    """False for what the console alone shows."""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Its quantities that are drawn alone where there are several runs."""
        return tuple(
            Panel(title=each.alone[0], unit=each.alone[1], key=each.key, share=self.share)
            for each in self.lines
            if each.alone is not None
        )


def _right_under_right(record: Record) -> float | None:
    """Share of completions that are rewarded as the true answer would, under a right label."""
    right, lucky = number(record, "labels/reward_accuracy"), number(record, "labels/lucky_rate")
    return None if right is None or lucky is None else max(0.0, right - lucky)


def _wrong(record: Record) -> float | None:
    """Share of completions that are rewarded as the true answer would not."""
    right, lucky = number(record, "labels/reward_accuracy"), number(record, "labels/lucky_rate")
    return None if right is None or lucky is None else 1 - right


CHARTS = (
    ChartKind(
        "Share of right votes",
        "% of votes",
        (
            Shown(
                "right votes",
                "labels/ground_truth_ratio",
                alone=("Share of right votes", "% of votes"),
                console=(10, "correct", "{:.2f}"),
            ),
        ),
        share=True,
        needs_labels=True,
    ),
    ChartKind(
        "Label and reward accuracy",
        "%",
        (
            Shown(
                "labels",
                "labels/label_accuracy",
                alone=("Label accuracy", "% of labels"),
                console=(8, "label-acc", "{:.2f}"),
            ),
            Shown(
                "rewards",
                "labels/reward_accuracy",
                alone=("Reward accuracy", "% of rewards"),
                console=(9, "reward-acc", "{:.2f}"),
            ),
        ),
        share=True,
        needs_labels=True,
    ),
    ChartKind(
        "Where rewards come from",
        "% of completions",
        (
            Shown("right label", computed=_right_under_right),
            Shown("lucky hit", "labels/lucky_rate"),
            Shown("wrong reward", computed=_wrong),
        ),
        share=True,
        stacked=True,
        needs_labels=True,
    ),
    ChartKind(
        "Mean reward",
        "per completion",
        (Shown("reward", "reward/mean", console=(2, "reward", "{:.2f}")),),
        drawn=False,
    ),
    ChartKind(
        "Majority ratio",
        "% of votes",
        (
            Shown(
                "majority",
                "consensus/majority_ratio",
                alone=("Majority ratio", "% of votes"),
                console=(1, "agree", "{:.2f}"),
            ),
            Shown("no answer", "consensus/no_answer_rate", console=(5, "none", "{:.2f}")),
        ),
        share=True,
    ),
    ChartKind(
        "Labels that changed since the last visit",
        "% of questions",
        (
            Shown(
                "changed",
                "consensus/flip_rate",
                alone=("Labels that changed since the last visit", "% of questions"),
            ),
        ),
        share=True,
        optional=True,
    ),
    ChartKind(
        "Unreliability of the votes",
        "U, from 0 to 1",
        (Shown("unreliability", "consensus/unreliability"),),
        optional=True,
    ),
    ChartKind(
        "Similarity of the answers to each other",
        "%",
        (Shown("similarity", "consensus/similarity"),),
        share=True,
        optional=True,
    ),
    ChartKind(
        "Votes drawn",
        "per question",
        (Shown("votes", "sample/votes_per_question", console=(6, "votes", "{:.0f}")),),
        optional=True,
    ),
    ChartKind(
        "Entropy",
        "nats per token",
        (
            Shown(
                "entropy",
                "sample/entropy",
                alone=("Entropy", "nats per token"),
                console=(3, "entropy", "{:.3f}"),
            ),
        ),
    ),
    ChartKind(
        "Mean length",
        "tokens per completion",
        (
            Shown(
                "length",
                "sample/mean_tokens",
                alone=("Mean length", "tokens per completion"),
                console=(4, "length", "{:.0f}"),
            ),
        ),
    ),
    ChartKind(
        "Gradient norm",
        "L2, before clipping",
        (Shown("norm", "train/grad_norm", console=(7, "grad", "{:.2f}")),),
    ),
    ChartKind("KL to the base model", "nats per token", (Shown("KL", "train/kl"),), optional=True),
    ChartKind(
        "KL to the base model, as the guard sees it",
        "nats per token",
        (Shown("KL", "guard/kl", console=(11, "kl", "{:.3f}")),),
        optional=True,
    ),
    ChartKind(
        "Answers that ignore a changed number",
        "% of votes",
        (Shown("ignored", "guard/ignored_numbers"),),
        share=True,
        optional=True,
    ),
    ChartKind(
        "Agreement across questions, and repetition",
        "%",
        (Shown("across", "guard/across"), Shown("repeated 4-grams", "guard/repetition")),
        share=True,
        optional=True,
    ),
    *(
        ChartKind(
            chart.title,
            chart.unit,
            (Shown(chart.line, chart.metric),),
            share=chart.share,
            optional=True,
        )
        for row in ALGORITHM_ROWS.values()
        if (chart := row.chart)
    ),
)

PANELS = tuple(panel for kind in CHARTS for panel in kind.panels)
"""Where several runs are compared."""
FIGURE = tuple(panel for kind in CHARTS if not kind.optional for panel in kind.panels)
"""In the figure for papers."""
CONSOLE = tuple(
    (name, key, form)
    for _, name, form, key in sorted(
        (*shown.console, shown.key) for kind in CHARTS for shown in kind.lines if shown.console
    )
)
"""(name, key, format) of what the console prints of a step, in its order."""
