"""Random completions through the public call: no crash, no hang, no growth, no dependence on order.

    python -m benchmarks.fuzz [--completions 1000000] [--seed 0] [--json]

Completions are put together from scraps of LaTeX, numbers, code, marks, options and control
characters, and from mutated answers of the labelled suite. Groups of 64 go through `ttrl.vote` as
every task in turn. The command fails on an exception, on a vote of over 6 s, on a winner that
changes with the order of the votes (one group in 20 is voted on twice), and on memory that grows by
more than 10 % over the second half, once caches are full (from 1,000,000 completions on). The first
vote, which starts a worker, is told apart.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path

from benchmarks.machine import Watch
from ttrl import vote

LABELLED = Path(__file__).parents[1] / "tests" / "answers" / "labelled"
TASKS = ("math", "math", "math", "number", "choice", "label", "text", "code")
GROUP = 64
LONGEST_SECONDS = 6.0
GROWTH = 1.10
FULL_CACHES = 1_000_000

SCRAPS = [
    *"0123456789", *"+-*/^_=<>|!%$&#@~'\"`.,:;?()[]{}\\ \n\t",
    *("x", "y", "z", "a", "C", "e", "i", "n", "pi", "no", "yes", "12", "1,234", "0.5", "1e9", "1e999999"),
    *(r"\boxed{", r"\fbox{", r"\frac{", r"\frac12", r"\sqrt{", r"\sqrt[3]{", r"\left(", r"\right)"),
    *(r"\text{", r"\pm", r"\cup", r"\infty", r"\in", r"\le", r"\cdot", r"\times", r"\pi", r"\sin "),
    *(r"\log_2 ", r"\circ", r"\begin{pmatrix}", r"\end{pmatrix}", r"\\", r"\overline{", r"\binom{"),
    *(r"\sum_{k=1}^{", r"\%", r"\$", "}", "}}", "{{", "^{", "^{9^{9", "_{16}", "!!", "**"),
    *("answer is ", "Answer: ", "#### ", "答案是", "(A) ", "B. ", "option C", "<think>", "</think>"),
    *("```python\n", "```\n", "def f(x):\n    return x\n", "import os\n", "lambda: ", "cm", " m/s", "°"),
    *("½", "²", "π", "√", "∞", "≤", "−", "\u00a0", "\u200b", "\u202e", "\x00", "\ud800", "\U0001f600"),
    *("e\u0301", "٣", "５", "word ", "the cat sat ", "spam", "ham"),
]  # fmt: skip


def main() -> None:
    """Runs until the count is reached; exits with 1 at the first failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--completions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    args = parser.parse_args()
    chooser, watch = random.Random(args.seed), Watch()
    known = [
        json.loads(line)["a"] for line in (LABELLED / "pairs.jsonl").read_text("utf-8").splitlines()
    ]
    groups = -(-args.completions // GROUP)
    begin = time.perf_counter()
    vote([r"\boxed{\sin 1}"])
    first = time.perf_counter() - begin
    half, longest, abstained, begin = 0, 0.0, 0, time.perf_counter()
    for index in range(groups):
        texts, task = [completion(chooser, known) for _ in range(GROUP)], TASKS[index % len(TASKS)]
        start = time.perf_counter()
        found = vote(texts, task=task, options=("spam", "ham"))
        longest = max(longest, time.perf_counter() - start)
        abstained += found.classes.count(None)
        if longest > LONGEST_SECONDS:
            fail(f"group {index} as {task} took {longest:.2f} s", texts)
        if index % 20 == 0:
            again = vote(chooser.sample(texts, GROUP), task=task, options=("spam", "ham"))
            if (found.pseudo_label, found.counts) != (again.pseudo_label, again.counts):
                fail(f"group {index} as {task} depends on the order", texts)
        if index == groups // 2:
            half = resident()
        if index % 1000 == 0:
            print(f"{index * GROUP:>9,} completions, {resident() / 2**20:.0f} MiB", flush=True)
    growth = resident() / half
    told = {
        "completions": groups * GROUP,
        "seconds": time.perf_counter() - begin,
        "first_vote_seconds": first,
        "longest_vote_seconds": longest,
        "abstained": abstained / (groups * GROUP),
        "resident_mib": resident() / 2**20,
        "growth_of_second_half": growth,
        "children_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10,
        "machine": watch.told(),
    }
    print("\n".join(f"{key:<24}{value}" for key, value in told.items()))
    if growth > GROWTH and args.completions >= FULL_CACHES:
        fail(f"memory grew by a factor of {growth:.2f} over the second half", [])
    if args.json:
        print(json.dumps(told))


def completion(chooser: random.Random, known: list[str]) -> str:
    """Scraps, or a known answer with one of its characters replaced by a scrap, mostly in a box."""
    if chooser.random() < 0.5:
        answer = "".join(chooser.choices(SCRAPS, k=chooser.randrange(1, 24)))
    else:
        answer = chooser.choice(known)
        place = chooser.randrange(len(answer) + 1)
        if chooser.random() < 0.7:
            answer = (
                answer[:place] + chooser.choice(SCRAPS) + answer[place + chooser.randrange(2) :]
            )
    form = chooser.randrange(4)
    if form == 0:
        return answer
    if form == 1:
        return f"So the answer is {answer}."
    return rf"Let me think. \boxed{{{answer}}}"


def resident() -> int:
    """Bytes of this process now; its peak where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fail(message: str, texts: list[str]) -> None:
    """Says what went wrong, with the group as JSON, so that it becomes a test."""
    print(message, json.dumps(texts), sep="\n", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
