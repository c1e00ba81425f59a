"""Seconds that hostile completions take, by task: the tests bound the work, this shows the time.

    python -m benchmarks.hostile [--rows 10] [--json]

Each hostile string of the labelled suite (brackets, boxes, towers, a megabyte of anything) is one of 64
votes. The first column is the processor time of that vote on this machine, with the slow reader's workers
left out; the second counts the functions that it calls, which is the same on every machine.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import time
from pathlib import Path

from ttrl import vote

FILE = Path(__file__).parents[1] / "tests" / "answers" / "labelled" / "hostile.jsonl"
GOOD = {
    "math": r"\boxed{42}",
    "number": r"\boxed{42}",
    "choice": r"\boxed{B}",
    "label": r"\boxed{ham}",
    "text": "Light is scattered by small particles in the air, blue more than red.",
    "code": "```python\ndef f(x):\n    return x + 1\n```",
}


def main() -> None:
    """Runs all; a minute."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10, help="slowest ones to show of each task")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    rows = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    slowest: dict[str, list[tuple[float, int, str]]] = {}
    for task, good in GOOD.items():
        _ask(task, [good])  # imports what it needs
        found = []
        for row in rows:
            text = row["prefix"] + row["repeat"] * row["times"] + row["suffix"]
            found.append((*_ask(task, [good] * 63 + [text]), row["name"]))
        slowest[task] = sorted(found, reverse=True)
        total = sum(seconds for seconds, _, _ in found)
        print(f"{task}: {len(found)} votes, {total:.2f} s")
        for seconds, calls, name in slowest[task][: options.rows]:
            print(f"  {seconds:6.3f} s {calls:>9} calls  {name}")
    if options.json:
        print(json.dumps(slowest))


def _ask(task: str, texts: list[str]) -> tuple[float, int]:
    begin = time.process_time()
    vote(texts, task=task, options=("spam", "ham"))
    seconds = time.process_time() - begin
    profile = cProfile.Profile()
    profile.runcall(vote, texts, task=task, options=("spam", "ham"))
    return seconds, sum(entry.callcount for entry in profile.getstats())


if __name__ == "__main__":
    main()
