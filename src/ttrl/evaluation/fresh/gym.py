"""Questions of reasoning-gym, made now: an allow-list of its tasks, scored by our own equality.

Its own scorers pay for parts of an answer, some for any text, and are not used. A task is on the list if
it asks for one short answer, has no second right one, says the same under every hash seed, and no constant
is right on a third of its items. docs/fresh.md names those left out, and why.

Run as a script, this file prints the items of one task as JSON: reasoning_gym is slow to import, changes
with PYTHONHASHSEED in some tasks and never ends in others, so only such a process imports it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from ttrl.data.questions import same_text
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.fresh import FreshQuestions
from ttrl.seeding import derive_seed
from ttrl.types import Question, TaskName

VERSION = "0.1.25"
"""The only accepted version: another may make other items, or items with other errors."""
SECONDS = 60.0
LONGEST_PROMPT = 10_000
LONGEST_ANSWER = 100

GYM_TASKS: dict[str, TaskName] = {
    "aiw": "number",
    "base_conversion": "label",
    "basic_arithmetic": "number",
    "binary_alternation": "number",
    "bitwise_arithmetic": "label",
    "calendar_arithmetic": "label",
    "chain_sum": "number",
    "count_bits": "number",
    "count_primes": "number",
    "decimal_chain_sum": "number",
    "dice": "number",
    "largest_island": "number",
    "lcm": "number",
    "leg_counting": "number",
    "needle_haystack": "label",
    "products": "number",
    "spell_backward": "label",
    "string_insertion": "label",
}

OPTIONS: dict[str, dict[str, list[Any]]] = {
    "aiw": {"task_type_weights": [1, 1, 0]},
    "basic_arithmetic": {"operators": ["+", "-", "*"]},
    "calendar_arithmetic": {
        "tasks": [
            "weekday_offset", "weekday_of_date", "recurring_event_day", "count_days",
            "count_business_days", "is_leap_year",
        ]
    },
}  # fmt: skip
"""Options that leave out parts of a task with wrong or ambiguous answers: colleagues, divisions, and weekdays
in years that may be leap years."""


def gym_questions(
    name: str, *, count: int, seed: int, known: Collection[str] = ()
) -> FreshQuestions:
    """Makes at most `count` items with distinct texts.

    Args:
        name: one of `GYM_TASKS`.
        known: texts (`data.questions.same_text`) that must not be asked.

    Raises:
        ConfigError: the package is missing or of another version, or it makes no items in time.
    """
    _check_installed(name)
    taken = set(known)
    questions: list[Question] = []
    answers: dict[str, str] = {}
    # twice as many, for small tasks repeat themselves
    for prompt, answer in _items(
        name, size=2 * count, seed=derive_seed("fresh", seed, "gym", name)
    ):
        if len(questions) == count:
            break
        if same_text(prompt) in taken:
            continue
        taken.add(same_text(prompt))
        question = Question(id=f"{name}-{len(questions):04d}", prompt=prompt, task=GYM_TASKS[name])
        questions.append(question)
        answers[question.id] = answer
    if not questions:
        raise ConfigError(f"fresh=gym:{name}: it made no usable question. Leave it out.")
    return FreshQuestions(
        questions=tuple(questions),
        answers=AnswerSheet(answers=answers),
        note=None if len(questions) == count else f"{len(questions)} of {count}: others repeat",
    )


def _check_installed(name: str) -> None:
    try:
        found = importlib.metadata.version("reasoning-gym")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f"fresh=gym:{name} needs the package reasoning-gym, which is not installed. "
            "Run: pip install 'ttrl[fresh]'"
        ) from None
    if found != VERSION:
        raise ConfigError(
            f"fresh=gym:{name}: reasoning-gym {found} is installed, wanted {VERSION}: another version may "
            f"ask other questions, so results could not be compared. Run: "
            f"pip install reasoning-gym=={VERSION}"
        )


def _items(name: str, *, size: int, seed: int) -> list[tuple[str, str]]:
    """Makes items in a process of its own, under one hash seed, that is killed when its time is up."""
    order = [name, {"size": size, "seed": seed % 2**31, **OPTIONS.get(name, {})}]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [sys.executable, "-P", __file__, json.dumps(order)],
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"fresh=gym:{name}: {size} items were not made in {SECONDS:.0f} s. Lower fresh_count, or leave "
            "it out."
        ) from None
    except OSError as error:
        raise ConfigError(f"fresh=gym:{name}: no process could be started ({error}).") from None
    try:
        made = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        made = None
    if made is None:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise ConfigError(
            f"fresh=gym:{name}: reasoning-gym failed ({last[-1][:200]}). Leave it out."
        )
    return [
        (prompt, answer)
        for prompt, answer in made
        if isinstance(prompt, str)
        and isinstance(answer, str)
        and len(prompt) <= LONGEST_PROMPT
        and 0 < len(answer.strip()) <= LONGEST_ANSWER
    ]


def print_items(name: str, options: dict[str, Any]) -> None:
    """Prints [[question, answer], ...] as JSON."""
    import reasoning_gym

    items = reasoning_gym.create_dataset(name, **options)
    made = [[items[index]["question"], items[index]["answer"]] for index in range(options["size"])]
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    print_items(*json.loads(sys.argv[1]))
