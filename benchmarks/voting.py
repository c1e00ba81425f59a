r"""Answers and votes against math-verify and a vote on strings: mistakes, and time on one core.

    python -m benchmarks.voting [--json] [--rounds N] [--questions N]

Times are milliseconds for one question of 64 votes unless a row says otherwise. Peers:
    string        extraction, then a vote on the strings as they are
    math-verify   parse and verify (its own time limits on), greedy: each answer against one of each class
    deduplicated  the same after equal strings are joined
Every measurement of ours starts without remembered keys, and math-verify's small caches are cleared too.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import json
import random
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.machine import Watch
from benchmarks.pairing import Row, milliseconds, race, tell
from ttrl import vote
from ttrl.answers import tasks
from ttrl.answers.extract import extract_answer
from ttrl.answers.tasks import MathTask

LABELLED = Path(__file__).parents[1] / "tests" / "answers" / "labelled"
VOTES = 64
POOL = (
    (r"\frac{1}{2}", r"\dfrac12", "0.5", "1/2"),
    (r"\frac{\sqrt{3}}{2}", r"\dfrac{\sqrt3}{2}", r"\frac12\sqrt{3}", r"\frac{3}{2\sqrt3}"),
    (r"2\pi", r"2 \pi", r"\pi \cdot 2", "2π"),
    (r"x^2+2x+1", r"(x+1)^2", r"1 + 2x + x^2", r"x^{2}+2x+1"),
    (r"(1,2)", r"\left(1, 2\right)", r"(1, 2)", r"\left( 1,2 \right)"),
    (r"\{1,2,3\}", r"\{3,2,1\}", r"\left\{1, 2, 3\right\}", "1, 2, 3"),
    (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty)\cup(-\infty,2)",
     r"\left(-\infty, 2\right) \cup \left(3, \infty\right)", r"(-\infty, 2) \cup (3, \infty)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}",
     r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}", r"\left(\begin{array}{c}1\\2\end{array}\right)"),
    (r"3+4i", r"4i + 3", r"3 + 4 i", r"3+4\cdot i"),
    (r"\frac{x}{x+1}", r"\dfrac{x}{1+x}", r"1-\frac{1}{x+1}", r"x/(x+1)"),
    (r"11\sqrt{2}", r"11 \sqrt2", r"\sqrt{242}", r"\sqrt{2}\cdot 11"),
    (r"-\frac{35}{9}", r"-35/9", r"\frac{-35}{9}", r"-3\frac{8}{9}"),
)  # fmt: skip
HARD = r"(\sin^2 x+\cos^2 x)^{%d}"
"""Among the hardest that pass the gate; each exponent is another answer, so none is remembered."""


def main() -> None:
    """Runs everything; about three minutes, most of it math-verify's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=1000)
    args = parser.parse_args()
    watch = Watch()
    mistakes = count_mistakes()
    print(
        f"{'labelled pairs':<24}{'pairs':>7}{'false joins':>13}{'missed joins':>14}{'seconds':>9}"
    )
    for grader, found in mistakes.items():
        print(
            f"{grader:<24}{found['pairs']:>7.0f}{found['false_joins']:>13.0f}"
            f"{found['missed_joins']:>14.0f}{found['seconds']:>9.2f}"
        )
    rows = timings(rounds=args.rounds, questions=args.questions)
    worst_name, worst = worst_hostile()
    rows.append(Row(name=f"worst single hostile string: {worst_name}", ours=worst, limit=2000))
    print()
    tell(rows, as_json=args.json, watch=watch, mistakes=mistakes)


def count_mistakes() -> dict[str, dict[str, float]]:
    """False and missed joins of each grader on the labelled pairs of the test suite."""
    lines = (LABELLED / "pairs.jsonl").read_text("utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    task = MathTask()
    graders: dict[str, Callable[[str, str], bool]] = {
        "ours": lambda a, b: task.key(a) == task.key(b),
        "math-verify": verify_equal,
        "string": lambda a, b: a.strip() == b.strip(),
    }
    found = {}
    for name, grader in graders.items():
        verdicts: list[bool] = []
        seconds = milliseconds(lambda: verdicts.extend(grader(p["a"], p["b"]) for p in pairs)) / 1e3  # noqa: B023
        found[name] = {
            "pairs": float(len(pairs)),
            "false_joins": float(
                sum(v and not p["equal"] for v, p in zip(verdicts, pairs, strict=True))
            ),
            "missed_joins": float(
                sum(p["equal"] and not v for v, p in zip(verdicts, pairs, strict=True))
            ),
            "seconds": seconds,
        }
    return found


def timings(*, rounds: int, questions: int) -> list[Row]:
    """One row per comparison and per target."""
    integers, mathlike = integer_votes(0), math_votes(0)
    exponents = itertools.count(900)
    many = [math_votes(seed) if seed % 2 else integer_votes(seed) for seed in range(questions)]
    texts, programs = text_votes(), program_votes()
    vote([r"\boxed{\sin 1}"])  # the start of a worker is paid once per process
    return [
        race("integers, against strings", fresh(integers), lambda: string_vote(integers), rounds=rounds),
        race("integers, against math-verify", fresh(integers), lambda: greedy(integers),
             rounds=rounds, limit=3),
        race("integers, deduplicated", fresh(integers), lambda: greedy(sorted(set(integers))),
             rounds=rounds, limit=3),
        race("MATH-like, against strings", fresh(mathlike), lambda: string_vote(mathlike), rounds=rounds),
        race("MATH-like, against math-verify", fresh(mathlike), lambda: greedy(mathlike),
             rounds=rounds, limit=10),
        race("MATH-like, deduplicated", fresh(mathlike), lambda: greedy(sorted(set(mathlike))),
             rounds=rounds, limit=10),
        race("MATH-like, one hard for algebra",
             lambda: fresh([*mathlike[:-1], rf"\boxed{{{HARD % next(exponents)}}}"])(),
             rounds=rounds, limit=1200),
        race(f"{questions} questions, both kinds", lambda: [fresh(each)() for each in many],
             rounds=1, limit=10 * questions),
        race("ROUGE-L of 64 texts of 300 words", fresh(texts, task="text"), rounds=rounds, limit=60),
        race("AST of 64 functions", fresh(programs, task="code"), rounds=rounds, limit=200),
    ]  # fmt: skip


def fresh(texts: Sequence[str], task: str = "math") -> Callable[[], object]:
    """A vote that remembers nothing of an earlier one."""

    def call() -> object:
        tasks._remembered_key.cache_clear()
        return vote(texts, task=task)

    return call


def worst_hostile() -> tuple[str, float]:
    """The slowest of the hostile strings, alone through the public call, milliseconds."""
    worst = ("", 0.0)
    for line in (LABELLED / "hostile.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        text = row["prefix"] + row["repeat"] * row["times"] + row["suffix"]
        for task in ("math", "number", "choice", "label", "text", "code"):
            took = milliseconds(lambda: vote([text], task=task))  # noqa: B023
            worst = max(worst, (f"{row['name']} as {task}", took), key=lambda each: each[1])
    return worst


def integer_votes(seed: int) -> list[str]:
    """Half of the votes agree; the others are spread over eleven integers."""
    chooser = random.Random(seed)
    pool = chooser.sample(range(1, 10_000), 12)
    chosen = [pool[0] if chooser.random() < 0.5 else chooser.choice(pool[1:]) for _ in range(VOTES)]
    forms = (r"\boxed{{{}}}", r"\boxed{{{}.0}}", r"\boxed{{ {} }}", "The answer is {}.")
    return [f"Let me think. So {chooser.choice(forms).format(n)}" for n in chosen]


def math_votes(seed: int) -> list[str]:
    """Half of the votes agree; the others are spread over eleven answers in four spellings each."""
    chooser = random.Random(seed)
    pool = chooser.sample(POOL, len(POOL))
    chosen = [pool[0] if chooser.random() < 0.5 else chooser.choice(pool[1:]) for _ in range(VOTES)]
    return [rf"Let me think. So \boxed{{{chooser.choice(answer)}}}." for answer in chosen]


def text_votes() -> list[str]:
    """64 texts of 300 words over a small vocabulary that share most of an order."""
    chooser = random.Random(0)
    base = [f"word{chooser.randrange(400)}" for _ in range(300)]
    return [
        " ".join(w if chooser.random() < 0.7 else f"word{chooser.randrange(400)}" for w in base)
        for _ in range(VOTES)
    ]


def program_votes() -> list[str]:
    """64 functions of the standard library, the ones nearest to 124 syntax nodes."""
    found = []
    for module in (argparse, inspect, json.decoder, json.encoder, random, textwrap, ast):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.FunctionDef):
                size = sum(1 for _ in ast.walk(node))
                found.append((abs(size - 124), f"```python\n{ast.unparse(node)}\n```"))
    return [source for _, source in sorted(found)[:VOTES]]


def string_vote(texts: Sequence[str]) -> str | None:
    """What the public code counts: spellings."""
    counts: dict[str, int] = {}
    for text in texts:
        answer = extract_answer(text, truncated=False)
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    return max(counts, key=lambda answer: counts[answer], default=None)


def greedy(texts: Sequence[str]) -> int:
    """Classes by math-verify: each answer joins the first class whose first member equals it."""
    from math_verify import parse, verify

    _forget_math_verify()
    heads: list[object] = []
    for text in texts:
        parsed = parse(text)
        if not any(verify(head, parsed) for head in heads):
            heads.append(parsed)
    return len(heads)


def verify_equal(one: str, other: str) -> bool:
    """math-verify on two boxed answers, in both directions."""
    from math_verify import parse, verify

    left, right = parse(rf"\boxed{{{one}}}"), parse(rf"\boxed{{{other}}}")
    return bool(verify(left, right) or verify(right, left))


def _forget_math_verify() -> None:
    from math_verify import grader, parser

    for module in (grader, parser):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


if __name__ == "__main__":
    main()
