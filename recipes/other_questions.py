r"""Writes embedded questions other than the reported ones, to choose settings on.

    python recipes/other_questions.py --seed 100 --out runs/other
    ttrl train --model runs/bases/seed-3 --questions runs/other/unlabeled.jsonl --answers answer \
      --holdout runs/other/heldout.jsonl --eval-sets unlabeled heldout --seed 200

The same generator and splits as those of `word-problems`, so the embedded models have not been pretrained on
them, and none has the numbers of a reported question.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ttrl.data.word_problems import Split, WordProblem, word_problems

SIZES: dict[Split, int] = {"unlabeled": 512, "heldout": 256}
DAYS = 4
REPORTED_SEED = 0
SPARE = 20
"""More questions than are needed, since a few have the numbers of reported ones."""


def numbers_of(problem: WordProblem) -> tuple[int, ...]:
    """Returns what two questions share if only their words differ."""
    return (problem.start, *problem.changes)


def other_questions(split: Split, *, seed: int) -> list[WordProblem]:
    """Returns as many questions as the embedded set has, none with the numbers of one of its questions.

    Raises:
        ValueError: the seed of the embedded questions, or one that repeats too many of them.
    """
    if seed == REPORTED_SEED:
        raise ValueError(f"seed {seed} is that of the reported questions: take another one")
    count = SIZES[split]
    known = {
        numbers_of(problem)
        for each, size in SIZES.items()
        for problem in _drawn(each, size, REPORTED_SEED)
    }
    found = [p for p in _drawn(split, count + SPARE, seed) if numbers_of(p) not in known][:count]
    if len(found) < count:
        raise ValueError(f"seed {seed} repeats too many of the reported questions: take another")
    return found


def _drawn(split: Split, count: int, seed: int) -> list[WordProblem]:
    return word_problems(kind="chain", split=split, count=count, seed=seed, difficulty=DAYS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for split in SIZES:
        rows = [
            {"id": p.question.id, "question": p.question.prompt, "answer": str(p.answer)}
            for p in other_questions(split, seed=args.seed)
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (args.out / f"{split}.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
