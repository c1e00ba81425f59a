"""Which questions the vote has gained and lost, in each of several runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ttrl.evaluate.report.comparison import Arm, FateRun, Fates, QuestionFate, inks
from ttrl.evaluate.report.estimates import set_title
from ttrl.evaluate.report.records import (
    QuestionKey,
    Record,
    by_key,
    fate_of,
    is_graded,
    share_right,
    vote_right,
)
from ttrl.evaluate.statistics import Fate, mean

MAX_QUESTIONS = 1000
PROMPT_LENGTH = 240
"""Characters of a question that are embedded."""

FATES: tuple[Fate, ...] = get_args(Fate)


def question_fates(arms: Sequence[Arm], name: str) -> Fates | None:
    """The labeled questions of the set `name`, in the order of the first run; None without any.

    Of very many, those that some run gained or lost are kept first.
    """
    runs = [(arm, index) for arm in arms for index in range(len(arm.runs))]
    before, after = (
        [by_key(arm.runs[index].evaluations.get((name, when), {})) for arm, index in runs]
        for when in ("base", "final")
    )
    keys = [
        key
        for key in dict.fromkeys(key for found in (*before, *after) for key in found)
        if any(vote_right(found[key]) is not None for found in (*before, *after) if key in found)
    ]
    if not keys:
        return None
    fates = {
        key: tuple(fate_of(b.get(key), a.get(key)) for b, a in zip(before, after, strict=True))
        for key in keys
    }
    questions = []
    for key in _shown(keys, fates):
        pairs = [(b.get(key), a.get(key)) for b, a in zip(before, after, strict=True)]
        any_record = next(record for pair in pairs for record in pair if record is not None)
        id, prompt, answer = key
        questions.append(
            QuestionFate(
                id=_short(id, 80),
                prompt=_short(prompt, PROMPT_LENGTH),
                answer=_short(answer, 80),
                level=_short(str(any_record.get("level") or ""), 40),
                before=_mean_share([b for b, _ in pairs]),
                after=_mean_share([a for _, a in pairs]),
                fates=fates[key],
            )
        )
    return Fates(
        title=set_title(name),
        runs=tuple(
            FateRun(name=arm.run_names[index], arm=arm.name, link=arm.addresses[index])
            for arm, index in runs
        ),
        questions=tuple(questions),
        counts=tuple(
            {each: counted[each] for each in FATES}
            for counted in map(Counter, zip(*fates.values(), strict=True))
        ),
        left_out=len(keys) - len(questions),
    )


def _shown(
    keys: Sequence[QuestionKey], fates: Mapping[QuestionKey, tuple[Fate | None, ...]]
) -> list[QuestionKey]:
    """As many as a page holds, in their order."""
    if len(keys) <= MAX_QUESTIONS:
        return list(keys)
    by_interest = sorted(keys, key=lambda key: {"gained", "lost"}.isdisjoint(fates[key]))
    kept = set(by_interest[:MAX_QUESTIONS])
    return [key for key in keys if key in kept]


def as_json(arms: Sequence[Arm], found: Fates) -> dict[str, Any]:
    """What comparison_fates.js reads: texts that nobody vouches for, to be written as text."""
    colours = {arm.name: ink.colour for arm, ink in zip(arms, inks(arms), strict=True)}
    return {
        "runs": [
            {"name": run.name, "colour": colours.get(run.arm, "--muted")} for run in found.runs
        ],
        "questions": [
            [
                question.id,
                question.prompt,
                question.answer,
                question.level,
                _percent(question.before),
                _percent(question.after),
                "".join(each[0] if each else "-" for each in question.fates),
            ]
            for question in found.questions
        ],
    }


def _mean_share(records: Sequence[Record | None]) -> float | None:
    shares = [share_right(r) for r in records if r is not None and is_graded(r)]
    return mean(shares) if shares else None


def _percent(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
