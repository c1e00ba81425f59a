"""Small files of questions, the same everywhere: word problems in the form that the embedded model knows."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_NAMES = ("Ida", "Max", "Eva", "Tom", "Lea", "Ben")
_THINGS = ("plums", "books", "shells", "cards", "pens")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_GAINS, _LOSSES = ("buys", "finds", "wins", "gets"), ("sells", "loses", "drops", "gives away")
TEXTS = (
    "Why is the sky blue?", "What does a vote decide?", "How do cats see at night?",
    "Why do rivers bend?", "What is a question?", "How does bread rise?",
)  # fmt: skip


def problems(count: int, *, seed: int, prefix: str = "q") -> list[dict[str, Any]]:
    """Rows with id, question, answer, level (how many days) and equation."""
    chooser = random.Random(seed)
    rows = []
    for index in range(count):
        days = 2 + index % 3
        total = first = chooser.randint(11, 29)
        equation, parts = str(first), []
        for day in sorted(chooser.sample(range(5), days)):
            amount = chooser.randint(2, 12)
            gains = total <= amount or chooser.random() < 0.6
            verb = chooser.choice(_GAINS if gains else _LOSSES)
            total += amount if gains else -amount
            equation += f" {'+' if gains else '-'} {amount}"
            parts.append(f"{verb} {amount} on {_DAYS[day]}")
        name, thing = chooser.choice(_NAMES), chooser.choice(_THINGS)
        told = f"{', '.join(parts[:-1])} and {parts[-1]}"
        rows.append(
            {
                "id": f"{prefix}{index}",
                "question": f"{name} has {first} {thing}. She {told}. How many {thing} does she have now?",
                "answer": str(total),
                "level": f"{days} days",
                "equation": equation,
            }
        )
    return rows


def without(rows: Sequence[Mapping[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """The rows without some of their columns."""
    return [{key: value for key, value in row.items() if key not in keys} for row in rows]


def write_files(folder: Path) -> None:
    """labeled.jsonl, bare.jsonl (no answers), other.jsonl (a transfer set), texts.jsonl, programs.jsonl."""
    rows = problems(24, seed=11)
    for row in rows[::8]:
        row.pop("answer")  # some have no label
    files = {
        "labeled": rows,
        "bare": without(problems(16, seed=12), "answer", "level", "equation"),
        "other": without(problems(8, seed=13, prefix="t"), "level", "equation"),
        "texts": [{"question": text, "answer": f"Because of {text.split()[-1]}"} for text in TEXTS],
        "programs": [
            {
                "question": f"Write a function that adds {n}.",
                "answer": f"def f(x):\n    return x + {n}\n",
            }
            for n in range(1, 7)
        ],
    }
    for name, content in files.items():
        text = "".join(json.dumps(row) + "\n" for row in content)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
