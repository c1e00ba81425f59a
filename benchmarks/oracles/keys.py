"""Canonical keys of about 20,000 spellings, and votes on groups of completions.

What is asked stands in the reference beside its answer. Readings by computer algebra that come near
their limits depend on the machine; they are left out when the reference is made.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import ttrl
from benchmarks.oracles import stored

NAME = "keys"
LONGEST = 100
"""Characters of a key that are kept; a longer one is kept as its hash."""
SLOWEST_SECONDS = 0.2
"""Of a reading or a vote that goes into the reference, far below the limits of computer algebra."""
READERS: dict[str, Callable[[str], object]] = {
    "answer_key": ttrl.answer_key,
    **{name: ttrl.get_task(name).key for name in ("math", "number", "label", "text", "code")},
}


def asked() -> dict[str, Any]:
    """The spellings of the reference by reader, and its groups."""
    reference = stored.read(NAME)
    keys = {reader: list(found) for reader, found in reference["keys"].items()}
    return {"keys": keys, "votes": [vote[:3] for vote in reference["votes"]]}


def made_anew() -> dict[str, Any]:
    """As `asked`, for a new reference."""
    from benchmarks.oracles import spellings

    every = spellings.spellings()
    keys = {
        "answer_key": every,
        "math": spellings.slow_spellings(),
        "number": every[::6],
        **spellings.free_answers(),
    }
    return {"keys": keys, "votes": [list(group) for group in spellings.groups()]}


def record(
    asking: dict[str, Any] | None = None, *, share: int = 1, quick_only: bool = False
) -> dict[str, Any]:
    """The keys by reader and spelling, and [task, reward, completions, outcome] of each vote.

    Args:
        asking: what is asked; the spellings of the reference if left out.
        share: one in so many is asked.
        quick_only: leave out what took longer than SLOWEST_SECONDS.

    Raises:
        RuntimeWarning: no process for computer algebra comes up.
    """
    asking = asked() if asking is None else asking
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error", RuntimeWarning
        )  # no worker starts: every slow key would differ
        return _recorded(asking, share, quick_only=quick_only)


def _recorded(asking: dict[str, Any], share: int, *, quick_only: bool) -> dict[str, Any]:
    keys: dict[str, dict[str, str]] = {}
    for reader, texts in asking["keys"].items():
        keys[reader] = {}
        for text in texts[::share]:
            begin = time.perf_counter()
            key = _shortened(READERS[reader](text))
            if not quick_only or time.perf_counter() - begin < SLOWEST_SECONDS:
                keys[reader][text] = key
    votes = []
    for task, reward, completions in asking["votes"][::share]:
        begin = time.perf_counter()
        outcome = _vote(task, reward, completions)
        if not quick_only or time.perf_counter() - begin < SLOWEST_SECONDS:
            votes.append([task, reward, completions, outcome])
    return {"keys": keys, "votes": votes}


def reference(*, share: int = 1) -> dict[str, Any]:
    """What the reference says of the same share."""
    whole = stored.read(NAME)
    keys = {reader: dict(list(found.items())[::share]) for reader, found in whole["keys"].items()}
    return {"keys": keys, "votes": whole["votes"][::share]}


def update() -> str:
    """Makes the reference anew; answers that differ between three readings are left out."""
    ttrl.vote([r"\boxed{\sin 1}"])  # starts a worker
    first = record(made_anew(), quick_only=True)
    for _ in range(2):
        again = record(_reversed(first))
        first["keys"] = {
            reader: {text: key for text, key in found.items() if again["keys"][reader][text] == key}
            for reader, found in first["keys"].items()
        }
        first["votes"] = [vote for vote in first["votes"] if vote in again["votes"]]
    path = stored.write(NAME, first)
    return f"{path.name}: {_counted(first)}, {path.stat().st_size / 2**10:.0f} KiB"


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each spelling and each vote that differs."""
    lines = []
    for reader, found in before["keys"].items():
        now = after["keys"].get(reader, {})
        changed = [
            f"{text!r}: {key} -> {now.get(text, stored.MISSING)}"
            for text, key in found.items()
            if now.get(text) != key
        ]
        lines += stored.listed(f"keys of {reader}", changed)
    changed = []
    for then, now in zip(before["votes"], after["votes"], strict=True):
        task, reward, completions, _ = then
        for line in stored.differences(then[3], now[3])[:1]:
            texts = [text for text, _ in completions]
            changed.append(f"task {task}, reward {reward}, {line}; of {_cut(texts)}")
    return lines + stored.listed("votes", changed)


def told(content: dict[str, Any]) -> str:
    """How much was compared."""
    return _counted(content)


def _vote(task: str, reward: str, completions: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    """The outcome by the public fields of a vote, or the error."""
    options: tuple[str, ...] = ()
    if task in ("choice", "label"):
        from benchmarks.oracles.spellings import LABELS, OPTIONS

        options = OPTIONS if task == "choice" else LABELS
    given = [_sampled(text, is_cut=is_cut) for text, is_cut in completions]
    try:
        found = asdict(ttrl.vote(given, task=task, reward=reward, options=options))
    except ttrl.TtrlError as error:
        return {"error": str(error)}
    found["answers"] = [None if a is None else _shortened(a) for a in found["answers"]]
    found["pseudo_label"] = _shortened(found["pseudo_label"])
    found["rewards"] = [round(reward, 12) for reward in found["rewards"]]
    return dict(stored.as_json(found))


def _sampled(text: str, *, is_cut: bool) -> dict[str, Any]:
    """A completion with what rules of confidence and entropy read, made up from its text."""
    digest = hashlib.sha256(text.encode()).digest()
    tokens = digest[: 1 + len(text) % 6]
    return {
        "completion": text,
        "finish_reason": "length" if is_cut else "stop",
        "logprobs": [-byte / 100 for byte in tokens],
        "entropy": [(byte % 100) / 50 for byte in tokens],
    }


def _shortened(value: object) -> str:
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    return f"sha256 {hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"


def _reversed(content: dict[str, Any]) -> dict[str, Any]:
    """The same questions in the opposite order, so that nothing hangs on what was read before."""
    keys = {reader: list(found)[::-1] for reader, found in content["keys"].items()}
    return {"keys": keys, "votes": [vote[:3] for vote in content["votes"]][::-1]}


def _counted(content: dict[str, Any]) -> str:
    keys = sum(map(len, content["keys"].values()))
    return f"{keys:,} keys, {len(content['votes']):,} votes"


def _cut(texts: Sequence[str]) -> str:
    text = repr(texts)
    return text if len(text) <= 200 else f"{text[:200]}..."
