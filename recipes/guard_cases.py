"""Planted collapses and healthy runs: what the guard is measured on, and rewards that make models worse.

`cases` lists them, each with the settings of `ttrl train` that it needs. The runs are small (96 questions, 8
a step, 16 votes, 8 of them trained on, 40 steps), so that hundreds fit into an hour of one core.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttrl.data.word_problems import word_problems
from ttrl.types import Consensus, Group, Task

SMALL: dict[str, Any] = {
    "questions_per_step": 8, "votes_per_question": 16, "trained_per_question": 8, "steps": 40,
    "task": "number",
}  # fmt: skip
QUESTIONS = 96
HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run to make."""

    name: str
    kind: str
    """What is planted, or "healthy"."""
    base: int
    """Pretraining seed of the base; 0 is the embedded model."""
    seed: int
    settings: dict[str, Any]
    """Those that differ from `SMALL`."""
    problems: str = "chain"
    difficulty: int = 4


PLANTED: dict[str, Sequence[dict[str, Any]]] = {
    "rate": (
        {"learning_rate": 2e-3},
        {"learning_rate": 1e-3},
        {"learning_rate": 4e-3},
    ),
    "lock-in": (
        {"learning_rate": 6e-4, "updates_per_step": 4, "passes_per_step": 2},
        {"learning_rate": 4e-4, "updates_per_step": 4, "passes_per_step": 4},
        {"learning_rate": 1e-3, "votes_per_question": 8, "passes_per_step": 4},
    ),
    "false-majority": (
        {"reward": "guard_cases:runner_up"},
        {"reward": "guard_cases:last_number_read"},
        {"reward": "guard_cases:one_too_many"},
    ),
    "no-prior": (
        {"problems": "boxes"},
        {"difficulty": 7},
        {"problems": "boxes", "learning_rate": 1e-4},
    ),
    "length": (
        {"reward": "guard_cases:long"},
        {"reward": "guard_cases:short"},
    ),
    "repetition": ({"reward": "guard_cases:repeated"},),
    "ignored-numbers": (
        {"reward": "guard_cases:near_twenty"},
        {"reward": "guard_cases:same_for_all"},
    ),
    "temperature": (
        {"temperature": 2.0},
        {"temperature": 1.7, "learning_rate": 4e-4},
        {"temperature": 2.5},
    ),
    "format": (
        {"prompt_template": "Question: {question}\nAnswer:", "last_number": True},
        {"prompt_template": "{question}", "last_number": True},
        {"prompt_template": "Q: {question}\n", "learning_rate": 4e-4},
    ),
}
"""By kind, the variants that its seeds take in turn."""

WELL: Sequence[dict[str, Any]] = (
    {"learning_rate": 5e-5},
    {"learning_rate": 1e-4},
    {"learning_rate": 2e-4},
    {"learning_rate": 1e-4, "algorithm": "dr-grpo"},
    {"learning_rate": 1e-4, "algorithm": "rloo"},
    {"learning_rate": 1e-4, "algorithm": "dapo"},
    {"learning_rate": 1e-3, "lora": 8},
    {"learning_rate": 1e-4, "difficulty": 3},
    {"learning_rate": 1e-4, "difficulty": 5},
    {"learning_rate": 1.5e-4, "votes_per_question": 32},
)


def cases(seeds: Sequence[int], *, healthy: Sequence[int], bases: Sequence[int]) -> list[Case]:
    """Returns one planted case per kind and seed, then one healthy case per seed of `healthy`.

    Bases and variants go round with the seeds, healthy and planted ones mixed, so that what is made first
    is a sample of everything.
    """
    planted = [
        _case(kind, variants[i % len(variants)], seed, bases[(i + n) % len(bases)])
        for i, seed in enumerate(seeds)
        for n, (kind, variants) in enumerate(PLANTED.items())
    ]
    well = [
        _case(HEALTHY, WELL[i % len(WELL)], seed, bases[(i + i // len(WELL)) % len(bases)])
        for i, seed in enumerate(healthy)
    ]
    ranked = [
        (i / max(1, len(each)), case) for each in (planted, well) for i, case in enumerate(each)
    ]
    return [case for _, case in sorted(ranked, key=lambda pair: pair[0])]


def _case(kind: str, variant: dict[str, Any], seed: int, base: int) -> Case:
    settings = {k: v for k, v in variant.items() if k not in {"problems", "difficulty"}}
    return Case(
        name=f"{kind}-{seed}",
        kind=kind,
        base=base,
        seed=seed,
        settings=settings,
        problems=variant.get("problems", "chain"),
        difficulty=variant.get("difficulty", 4),
    )


def settings_of(case: Case, *, bases: Path, out: Path) -> dict[str, Any]:
    """Returns the settings of the case's run, and writes its questions if they are not there."""
    file = out / "questions" / f"{case.problems}-{case.difficulty}-{case.seed}.jsonl"
    if not file.exists():
        problems = word_problems(
            kind=case.problems,  # type: ignore[arg-type]
            split="unlabeled",
            count=QUESTIONS,
            seed=1000 + case.seed,
            difficulty=case.difficulty,
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {"id": p.question.id, "question": p.question.prompt, "answer": str(p.answer)}
            for p in problems
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    model = "ttrl-tiny" if case.base == 0 else str(bases / f"seed-{case.base}")
    return {
        **SMALL, "model": model, "seed": case.seed, "questions": str(file), "answers": "answer",
        "out": str(out / "none"), "guard": "warn", **case.settings,
    }  # fmt: skip


def runner_up(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays the second most frequent answer."""
    return [float(c == 1) for c in consensus.class_of]


def last_number_read(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays the last number of the question, an answer that is easy to find and wrong."""
    numbers = re.findall(r"\d+", group.question.prompt)
    return [float(answer == numbers[-1]) for answer in consensus.answers]


def one_too_many(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays answers above the elected one, as a vote would whose errors all go one way."""
    label = _number(consensus.pseudo_label)
    values = [_number(answer) for answer in consensus.answers]
    return [float(v is not None and label is not None and v > label) for v in values]


def long(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays length."""
    return [len(c.token_ids) / 96 for c in group.completions]


def short(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays brevity."""
    return [-len(c.token_ids) / 96 for c in group.completions]


def repeated(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays tokens that are the most frequent of their completion."""
    return [Counter(c.token_ids).most_common(1)[0][1] / 24 for c in group.completions]


def near_twenty(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays answers near 20, whatever was asked."""
    values = [_number(answer) for answer in consensus.answers]
    return [0.0 if v is None else max(0.0, 1 - abs(v - 20) / 10) for v in values]


def same_for_all(task: Task, group: Group, consensus: Consensus) -> list[float]:
    """Pays answers that end with 7, whatever was asked."""
    return [float(answer is not None and answer.endswith("7")) for answer in consensus.answers]


def _number(answer: str | None) -> float | None:
    try:
        return None if answer is None else float(answer)
    except ValueError:
        return None
