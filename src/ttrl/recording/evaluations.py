"""Defines the result of one evaluation as a value, and is the only place that writes and reads it.

`to_json` gives what `evaluations/<when>-<set>.json` holds. `from_json` is forgiving: files of older
versions, and damaged ones, lack fields; a field that is missing or broken is None or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ttrl.interval import Interval
from ttrl.recording.forgiving import count, entries, finite, mapping, number, text, whole
from ttrl.recording.question_record import QuestionKey, QuestionRecord

When = Literal["base", "final"]
WHENS: tuple[When, ...] = ("base", "final")

_AT_K = re.compile(r"(avg|maj|pass|view_maj)@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetrics:
    """The numbers of one question set under one set of weights. None: not measured.

    Shares are fractions in [0, 1]. docs/metrics.md has the estimators.
    """

    avg: Mapping[int, Interval] = field(default_factory=dict)
    """avg@k by k, with intervals over questions."""
    maj: Mapping[int, Interval] = field(default_factory=dict)
    """maj@k by k, with intervals over questions."""
    view_maj: Mapping[int, Interval] = field(default_factory=dict)
    """view_maj@k by k, with intervals over questions: the vote on a question and its views."""
    passes: Mapping[int, Interval] = field(default_factory=dict)
    """pass@k by k, without intervals."""
    similarity: Interval | None = None
    """Of free text and code to the true answer, mean over completions."""
    consensus_similarity: float | None = None
    self_similarity: float | None = None
    entropy: float | None = None
    """Nats per token."""
    no_answer_rate: float | None = None
    truncated_rate: float | None = None
    mean_tokens: float | None = None
    majority_ratio: float | None = None
    questions: int | None = None
    labeled: int | None = None
    """Questions with a true answer that says something."""
    temperature: float | None = None
    top_p: float | None = None

    def of(self, name: str) -> Interval | None:
        """Returns a metric by its written name, such as 'avg@16' or 'similarity'; None if not measured."""
        if found := _AT_K.fullmatch(name):
            return self._at_k()[found[1]].get(int(found[2]))
        value = getattr(self, name, None) if name in {"similarity", *_PLAIN} else None
        return value if isinstance(value, Interval) or value is None else Interval(value=value)

    def to_json(self) -> dict[str, Any]:
        """Returns the form in result.json and the evaluation files, without what was not measured."""
        found: dict[str, Any] = {}
        if self.similarity is not None:
            found |= _written("similarity", self.similarity)
            found["consensus_similarity"] = self.consensus_similarity
        for prefix, values in self._at_k().items():
            for k, value in values.items():
                found |= _written(f"{prefix}@{k}", value)
        plain = {key: getattr(self, key) for key in _PLAIN if key != "consensus_similarity"}
        return found | {key: value for key, value in plain.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SetMetrics:
        """Returns the metrics that an object holds; numbers that are none count as not measured."""
        at_k: dict[str, dict[int, Interval]] = {
            prefix: {} for prefix in ("avg", "maj", "view_maj", "pass")
        }
        for key in value:
            if (found := _AT_K.fullmatch(key)) and (measured := _read(value, key)) is not None:
                at_k[found[1]][int(found[2])] = measured
        by_k = {prefix: dict(sorted(values.items())) for prefix, values in at_k.items()}
        questions, labeled = whole(value.get("questions")), whole(value.get("labeled"))
        return cls(
            avg=by_k["avg"],
            maj=by_k["maj"],
            view_maj=by_k["view_maj"],
            passes=by_k["pass"],
            similarity=_read(value, "similarity"),
            questions=questions,
            labeled=labeled,
            **{key: number(value, key) for key in _PLAIN if key not in {"questions", "labeled"}},
        )

    def _at_k(self) -> dict[str, Mapping[int, Interval]]:
        return {
            "avg": self.avg,
            "maj": self.maj,
            "view_maj": self.view_maj,
            "pass": self.passes,
        }

    def __bool__(self) -> bool:
        """Returns whether anything was measured."""
        return bool(self.to_json())


_PLAIN = (
    "consensus_similarity",
    "self_similarity",
    "entropy",
    "no_answer_rate",
    "truncated_rate",
    "mean_tokens",
    "majority_ratio",
    "questions",
    "labeled",
    "temperature",
    "top_p",
)
"""Numbers without an interval, in the order in which they are written."""


def _written(name: str, measured: Interval) -> dict[str, Any]:
    bounds = measured.bounds
    return {name: measured.value} | ({} if bounds is None else {f"{name}_ci": list(bounds)})


def _read(values: Mapping[str, Any], name: str) -> Interval | None:
    """A metric with its bounds `<name>_ci`; None if it was not measured."""
    value = number(values, name)
    if value is None:
        return None
    low, high = _bounds(values.get(f"{name}_ci"))
    return Interval(value=value, low=low, high=high)


def _bounds(written: object) -> tuple[float, float] | tuple[None, None]:
    if not isinstance(written, list) or len(written) != 2:
        return None, None
    low, high = finite(written[0]), finite(written[1])
    return (None, None) if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelMetrics:
    """The measures of one level of difficulty; accuracies are None without labels."""

    level: str
    questions: int = 0
    labeled: int = 0
    avg: Interval | None = None
    """avg@k, with k = min(16, completions per question)."""
    maj: Interval | None = None
    """maj@n, over all completions."""
    majority_ratio: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the form in an evaluation file."""
        return {
            "level": self.level,
            "questions": self.questions,
            "labeled": self.labeled,
            **({} if self.avg is None else _written("avg@k", self.avg)),
            **({} if self.maj is None else _written("maj@n", self.maj)),
            "majority_ratio": self.majority_ratio,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LevelMetrics:
        """Returns the row that an object holds."""
        return cls(
            level=str(value.get("level")),
            questions=count(value.get("questions")),
            labeled=count(value.get("labeled")),
            avg=_read(value, "avg@k"),
            maj=_read(value, "maj@n"),
            majority_ratio=number(value, "majority_ratio"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """pass@k and maj@k against the number of completions, without bias, with intervals over questions."""

    ks: tuple[int, ...]
    passes: tuple[Interval, ...]
    """One per k."""
    maj: tuple[Interval, ...]
    """One per k."""

    def to_json(self) -> dict[str, Any]:
        """Returns the form in an evaluation file."""
        found: dict[str, Any] = {"k": list(self.ks)}
        for name, series in (("pass", self.passes), ("maj", self.maj)):
            found[name] = [point.value for point in series]
            found[f"{name}_ci"] = [[point.low, point.high] for point in series]
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Curves | None:
        """Returns the curves that an object holds, or None where a point is missing or broken."""
        ks = [whole(k) for k in entries(value.get("k"))]
        series = []
        for name in ("pass", "maj"):
            values = [finite(each) for each in entries(value.get(name))]
            bounds = [_bounds(each) for each in entries(value.get(f"{name}_ci"))]
            bounds += [(None, None)] * (len(values) - len(bounds))
            series.append(
                tuple(
                    Interval(value=each, low=low, high=high)
                    for each, (low, high) in zip(values, bounds, strict=False)
                    if each is not None
                )
            )
        known = tuple(k for k in ks if k is not None)
        if not known or any(len(each) != len(ks) for each in (known, *series)):
            return None
        return cls(ks=known, passes=series[0], maj=series[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCost:
    """The cost of an evaluation; 0 if it was borrowed from another run."""

    sampled_tokens: int = 0
    sampling_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    """Wall clock, sampling included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One question set, evaluated once with one set of weights."""

    set: str
    when: str
    """'base' before training, 'final' after it."""
    metrics: SetMetrics
    questions: tuple[QuestionRecord, ...] = ()
    labeled: bool = False
    """Whether a question has a true answer."""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    samples: int = 0
    """Completions per question; 0 where the file does not say it."""
    curves: Curves | None = None
    by_level: tuple[LevelMetrics, ...] = ()
    note: str | None = None
    """What a reader of the figures should know."""
    cost: EvaluationCost | None = None

    @property
    def by_id(self) -> dict[str, QuestionRecord]:
        """Returns the records by question id; of a repeated id the last one counts."""
        return {record.id: record for record in self.questions}

    @property
    def by_key(self) -> dict[QuestionKey, QuestionRecord]:
        """Returns records by their keys, for evaluations that may have different questions."""
        return {record.key: record for record in self.questions}

    def to_json(self) -> dict[str, Any]:
        """Returns the form in `evaluations/<when>-<set>.json`."""
        found: dict[str, Any] = {
            "set": self.set,
            "when": self.when,
            "labeled": self.labeled,
            "sampling": {
                "temperature": self.temperature,
                "top_p": self.top_p,
                "max_tokens": self.max_tokens,
                "samples": self.samples,
            },
            "metrics": self.metrics.to_json(),
        }
        if self.curves is not None:
            found["curves"] = self.curves.to_json()
        if self.by_level:
            found["by_level"] = [row.to_json() for row in self.by_level]
        found["questions"] = [record.to_json() for record in self.questions]
        if self.note is not None:
            found["note"] = self.note
        if self.cost is not None:
            found["cost"] = {
                "sampled_tokens": self.cost.sampled_tokens,
                "sampling_seconds": self.cost.sampling_seconds,
                "evaluation_seconds": self.cost.evaluation_seconds,
            }
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """Returns the evaluation that an object holds, however little of it is left."""
        sampling = mapping(value.get("sampling"))
        cost = value.get("cost")
        return cls(
            set=str(value.get("set")),
            when=str(value.get("when")),
            metrics=SetMetrics.from_json(mapping(value.get("metrics"))),
            questions=tuple(
                QuestionRecord.from_json(each) for each in _objects(value.get("questions"))
            ),
            labeled=value.get("labeled") is True,
            temperature=number(sampling, "temperature"),
            top_p=number(sampling, "top_p"),
            max_tokens=whole(sampling.get("max_tokens")),
            samples=count(sampling.get("samples")),
            curves=Curves.from_json(mapping(value.get("curves"))),
            by_level=tuple(
                LevelMetrics.from_json(each) for each in _objects(value.get("by_level"))
            ),
            note=text(value.get("note")),
            cost=None if not isinstance(cost, Mapping) else _cost(cost),
        )


def _cost(value: Mapping[str, Any]) -> EvaluationCost:
    return EvaluationCost(
        sampled_tokens=count(value.get("sampled_tokens")),
        sampling_seconds=number(value, "sampling_seconds") or 0.0,
        evaluation_seconds=number(value, "evaluation_seconds") or 0.0,
    )


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The objects of a list that are not empty; what is none is left out."""
    return [found for each in entries(value) if (found := mapping(each))]
