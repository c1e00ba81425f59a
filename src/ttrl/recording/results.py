"""A run as a value: what making a run returns, and what every page reads.

`RunResult.write` and `read_result` are the only writer and the only reader of `result.json`; evaluations
are written and read by `ttrl.recording.evaluations`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.errors import CheckpointError
from ttrl.recording.evaluations import WHENS, Evaluation, SetMetrics, When
from ttrl.recording.forgiving import finite, mapping, parsed_json, read_text, text, whole

if TYPE_CHECKING:
    from ttrl.recording.run_directory import RunDirectory

VERSION = 2
"""Of the layout of result.json. 1 is that of ttrl 0.6.0 and before, which does not write it."""

GUARD_PREFIX = "guard: "
"""Begins what `stopped` says of a run that the guard ended."""

COSTS = (
    "wall_seconds",
    "sampled_tokens",
    "sampling_seconds",
    "training_seconds",
    "evaluation_seconds",
    "peak_rss_bytes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run that has ended. None: the file does not say it.

    `metrics` is what result.json says of each set; `evaluations` has the questions as well, of the sets
    whose files can be read.
    """

    name: str | None = None
    ttrl_version: str | None = None
    model: str | None = None
    algorithm: str | None = None
    engine: str | None = None
    reward: str | None = None
    seed: int | None = None
    steps: int | None = None
    """Steps done."""
    stopped: str | None = None
    """Why the run ended."""
    metrics: Mapping[str, Mapping[When, SetMetrics]] = field(default_factory=dict)
    """By question set, then before and after training, in the order in which sets were evaluated."""
    evaluations: Mapping[tuple[str, When], Evaluation] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    """Seconds, tokens and bytes by their names in result.json (see COSTS), over all sittings."""
    weights: str | None = None
    """Folder of the last checkpoint, or of that chosen by `keep: best`."""
    kept_step: int | None = None
    """The last step whose update is in the weights chosen by `keep: best`; None where the last are kept."""
    path: Path | None = None
    """The run directory, where there is one."""
    version: int = VERSION
    """Of the file it was read from; a larger one was written by a later ttrl."""
    unreadable: tuple[str, ...] = ()
    """Names of evaluation files that hold no JSON object."""

    @property
    def is_true_labels(self) -> bool:
        """Returns whether the run was rewarded by true labels: an upper bound, not TTRL."""
        return self.reward == "answer-key"

    @property
    def stopped_by_guard(self) -> bool:
        """Returns whether the guard ended the run: docs/guard.md."""
        return self.stopped is not None and self.stopped.startswith(GUARD_PREFIX)

    def of(self, name: str, when: When) -> SetMetrics:
        """Returns the measures of a set before ("base") or after ("final"); empty if it was not evaluated."""
        return self.metrics.get(name, {}).get(when, SetMetrics())

    def to_json(self) -> dict[str, Any]:
        """Returns the form in result.json."""
        return {
            "version": self.version,
            "name": self.name,
            "ttrl_version": self.ttrl_version,
            "model": self.model,
            "algorithm": self.algorithm,
            "engine": self.engine,
            "reward": self.reward,
            "seed": self.seed,
            "steps": self.steps,
            "stopped": self.stopped,
            "sets": {
                name: {when: measured.to_json() for when, measured in pair.items()}
                for name, pair in self.metrics.items()
            },
            **self.costs,
            "weights": self.weights,
            **({} if self.kept_step is None else {"kept_step": self.kept_step}),
        }

    def write(self, directory: RunDirectory) -> None:
        """Writes result.json, whole or not at all.

        Raises:
            CheckpointError: it cannot be written.
        """
        directory.write_json("result.json", self.to_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """The result of `ttrl eval`."""

    model: str
    seed: int
    evaluations: Mapping[str, Evaluation]
    """By question set, in the order in which sets were evaluated."""
    sampled_tokens: int
    sampling_seconds: float
    path: Path | None = None
    """The folder it was written to, where there is one."""

    def to_json(self) -> dict[str, Any]:
        """Returns the form in result.json of such a folder."""
        sets: dict[str, Any] = {}
        for name, each in self.evaluations.items():
            sets[name] = {"base": each.metrics.to_json()}
            if each.by_level:
                sets[name]["by_level"] = [row.to_json() for row in each.by_level]
        return {
            "model": self.model,
            "seed": self.seed,
            "sets": sets,
            "sampled_tokens": self.sampled_tokens,
            "sampling_seconds": self.sampling_seconds,
        }

    def write(self, directory: RunDirectory) -> None:
        """Writes the evaluations and result.json, which comes last: with it the folder is whole.

        Raises:
            CheckpointError: a file cannot be written.
        """
        for name, each in self.evaluations.items():
            directory.write_json(f"evaluations/base-{name}.json", each.to_json())
        directory.write_json("result.json", self.to_json())


def read_result(path: str | os.PathLike[str]) -> RunResult:
    """Returns the run in a folder, with every evaluation that can be read.

    Args:
        path: the run's folder.

    Raises:
        CheckpointError: there is no result.json, or it is no JSON object.
    """
    path = Path(path)
    file = path / "result.json"
    if not file.is_file():
        raise CheckpointError(
            f"{file}: not found. A report needs a run that has ended; resume the run to end it."
        )
    value = parsed_json(read_text(file))
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{file}: got no JSON object, wanted the result of a run. Resume the run to write it."
        )
    evaluations, unreadable = _evaluations(path / "evaluations")
    return RunResult(
        **{
            key: text(value.get(key))
            for key in (
                "name", "ttrl_version", "model", "algorithm", "engine", "reward", "stopped", "weights",
            )
        },
        seed=whole(value.get("seed")),
        steps=whole(value.get("steps")),
        kept_step=whole(value.get("kept_step")),
        metrics=_metrics(mapping(value.get("sets"))),
        evaluations=evaluations,
        costs={
            key: value[key]
            for key in (*COSTS, "energy_joules")
            if finite(value.get(key)) is not None
        },
        path=path,
        version=whole(value.get("version")) or 1,
        unreadable=unreadable,
    )  # fmt: skip


def _metrics(sets: Mapping[str, Any]) -> dict[str, dict[When, SetMetrics]]:
    return {
        name: {
            when: SetMetrics.from_json(mapping(mapping(pair).get(when)))
            for when in WHENS
            if when in mapping(pair)
        }
        for name, pair in sets.items()
    }


def _evaluations(
    folder: Path,
) -> tuple[dict[tuple[str, When], Evaluation], tuple[str, ...]]:
    found: dict[tuple[str, When], Evaluation] = {}
    unreadable = []
    for path in sorted(folder.glob("*.json")):
        for when in WHENS:
            name = path.stem.removeprefix(f"{when}-")
            if name == path.stem or not name:
                continue
            content = parsed_json(read_text(path))
            if isinstance(content, dict):
                found[name, when] = Evaluation.from_json(content)
            else:
                unreadable.append(path.name)
    return found, tuple(unreadable)
