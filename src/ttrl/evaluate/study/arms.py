"""What several runs have come to: arms, their seeds, and how each question fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttrl.errors import CheckpointError
from ttrl.evaluate.estimators import pass_at_k
from ttrl.evaluate.pooling import Pooled, pooled_mean
from ttrl.evaluate.report.quantities import mapping, number
from ttrl.evaluate.report.records import by_id, is_graded, share_right, vote_right
from ttrl.evaluate.report.run_files import RunFiles, read_object, read_run

QuestionKey = tuple[str, str]
"""(id, prompt): what has to agree for a question of two runs to be the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Runs that differ by their seed alone, in the order of the seeds."""

    name: str
    seeds: tuple[int, ...]
    paths: tuple[Path, ...]
    runs: tuple[RunFiles, ...]

    def sets(self) -> list[str]:
        """Sets that every run was evaluated on, in the order of the first one."""
        names = [list(run.result["sets"]) for run in self.runs]
        return [name for name in names[0] if all(name in others for others in names)]

    def samples(self, name: str) -> int:
        """Completions per question behind the figures of a set."""
        return _samples(self.runs[0].evaluations[name, "base"])

    def metrics(self, name: str, when: str) -> list[Mapping[str, Any]]:
        """What each run's result says about a set."""
        return [run.result["sets"][name][when] for run in self.runs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An arm on one question set: labeled questions with exact answers, the same for every seed."""

    seeds: tuple[int, ...]
    questions: tuple[QuestionKey, ...]
    before: NDArray[np.float64]
    """Share of correct completions of the base.   [S, Q]"""
    after: NDArray[np.float64]
    """The same after training.   [S, Q]"""
    vote_before: NDArray[np.bool_]
    """Whether the vote elects the right answer.   [S, Q]"""
    vote_after: NDArray[np.bool_]
    """[S, Q]"""
    levels: tuple[str | None, ...]
    """How hard each question is said to be.   [Q]"""
    samples: int
    """Completions per question behind each share and vote."""

    @property
    def gain(self) -> NDArray[np.float64]:
        """[S, Q]"""
        return self.after - self.before


def read_arm(name: str, paths: Mapping[int, Path]) -> Arm | None:
    """The runs that have ended and can be read, by seed; None without any."""
    found = {seed: (path, run) for seed, path in paths.items() if (run := _whole_run(path))}
    if not found:
        return None
    return Arm(
        name=name,
        seeds=tuple(found),
        paths=tuple(path for path, _ in found.values()),
        runs=tuple(run for _, run in found.values()),
    )


def outcome(arm: Arm, name: str) -> Outcome | None:
    """How the arm fared on a set; None if nothing in it can be marked right or wrong."""
    tables = [
        [_marks(run.evaluations[name, when]) for when in ("base", "final")] for run in arm.runs
    ]
    first, *others = [table for pair in tables for table in pair]
    keys = [key for key in first if all(key in other for other in others)]
    if not keys:
        return None
    before, after = ([[pair[at][key] for key in keys] for pair in tables] for at in (0, 1))
    final = arm.runs[0].evaluations[name, "final"]
    levels = {_key(record): record.get("level") for record in by_id(final).values()}
    return Outcome(
        seeds=arm.seeds,
        questions=tuple(keys),
        before=np.array([[share for share, _ in row] for row in before]),
        after=np.array([[share for share, _ in row] for row in after]),
        vote_before=np.array([[right for _, right in row] for row in before]),
        vote_after=np.array([[right for _, right in row] for row in after]),
        levels=tuple(None if levels[key] is None else str(levels[key]) for key in keys),
        samples=_samples(final),
    )


def ahead(first: Outcome, second: Outcome) -> Pooled | None:
    """Mean of first minus second after training, paired by question and by seed.

    None without a question or a seed that both have.
    """
    pair = common(first, second)
    return None if pair is None else pooled_mean(pair[0].after - pair[1].after)


def common(first: Outcome, second: Outcome) -> tuple[Outcome, Outcome] | None:
    """Both, cut to the seeds and questions that both have; None without any."""
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    questions = [key for key in first.questions if key in set(second.questions)]
    if not seeds or not questions:
        return None
    return _cut(first, seeds, questions), _cut(second, seeds, questions)


def pass_rates(shares: NDArray[np.float64], samples: int, k: int) -> NDArray[np.float64]:
    """pass@k of each question, from its share of correct completions.   [S, Q]"""
    table = np.array([pass_at_k(samples, correct, k) for correct in range(samples + 1)])
    found: NDArray[np.float64] = table[np.rint(shares * samples).astype(int)]
    return found


def votes_of_base(folder: Path) -> tuple[dict[QuestionKey, bool], int] | None:
    """Whether the base's vote is right, by question, and of how many completions; None if not made."""
    evaluation = read_object(folder / "evaluations" / "base-unlabeled.json")
    marks, samples = _marks(evaluation), _samples(evaluation)
    if not marks or not samples or not (folder / "result.json").exists():
        return None
    return {key: right for key, (_, right) in marks.items()}, samples


def _cut(whole: Outcome, seeds: Sequence[int], questions: Sequence[QuestionKey]) -> Outcome:
    rows = [whole.seeds.index(seed) for seed in seeds]
    places = {key: place for place, key in enumerate(whole.questions)}
    columns = [places[key] for key in questions]
    at = np.ix_(rows, columns)
    return Outcome(
        seeds=tuple(seeds),
        questions=tuple(questions),
        before=whole.before[at],
        after=whole.after[at],
        vote_before=whole.vote_before[at],
        vote_after=whole.vote_after[at],
        levels=tuple(whole.levels[column] for column in columns),
        samples=whole.samples,
    )


def _whole_run(path: Path) -> RunFiles | None:
    """The run, if it has ended and holds what a comparison reads."""
    if not (path / "result.json").exists():
        return None
    try:
        run = read_run(path)
    except CheckpointError:
        return None
    sets = mapping(run.result.get("sets"))
    for name, pair in sets.items():
        for when in ("base", "final"):
            metrics = mapping(mapping(pair).get(when))
            evaluation = run.evaluations.get((name, when), {})
            if number(metrics, "majority_ratio") is None or not _samples(evaluation):
                return None
    return run if sets else None


def _marks(evaluation: Mapping[str, Any]) -> dict[QuestionKey, tuple[float, bool]]:
    """Share of correct completions and whether the vote is right, by question with a label."""
    return {
        _key(record): (share_right(record), vote_right(record) is True)
        for record in by_id(evaluation).values()
        if is_graded(record)
    }


def _key(record: Mapping[str, Any]) -> QuestionKey:
    return str(record.get("id")), str(record.get("prompt"))


def _samples(evaluation: Mapping[str, Any]) -> int:
    return int(number(mapping(evaluation.get("sampling")), "samples") or 0)
