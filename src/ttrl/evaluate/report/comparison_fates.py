"""Which questions the vote has gained and lost, in each of several runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from ttrl.evaluate.contingency import Fate, fate
from ttrl.evaluate.report.comparison import Arm, FateRun, Fates, QuestionFate, inks
from ttrl.evaluate.report.estimates import set_title
from ttrl.evaluate.report.quantities import mapping
from ttrl.evaluate.report.records import is_graded, share_right, vote_right
from ttrl.evaluate.report.run_files import RunFiles
from ttrl.evaluate.statistics import mean

MAX_QUESTIONS = 1000
PROMPT_LENGTH = 240
"""Characters of a question that are embedded."""

QuestionKey = tuple[str, str, str]
"""(id, prompt, true answer): what has to agree in two files for a question to be the same one."""

FATES: tuple[Fate, ...] = get_args(Fate)


def question_fates(arms: Sequence[Arm], name: str) -> Fates | None:
    """The labeled questions of the set `name`, in the order of the first run; None without any."""
    runs = [(arm, index) for arm in arms for index in range(len(arm.runs))]
    before = [questions_of(arm.runs[index], name, "base") for arm, index in runs]
    after = [questions_of(arm.runs[index], name, "final") for arm, index in runs]
    keys = [
        key
        for key in dict.fromkeys(key for found in (*before, *after) for key in found)
        if any(vote_right(found[key]) is not None for found in (*before, *after) if key in found)
    ]
    if not keys:
        return None
    questions = []
    for key in keys[:MAX_QUESTIONS]:
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
                fates=tuple(fate_of(b, a) for b, a in pairs),
            )
        )
    return Fates(
        title=set_title(name),
        runs=tuple(
            FateRun(name=arm.run_names[index], arm=arm.name, link=arm.addresses[index])
            for arm, index in runs
        ),
        questions=tuple(questions),
        left_out=max(0, len(keys) - MAX_QUESTIONS),
    )


def fate_of(base: Mapping[str, Any] | None, final: Mapping[str, Any] | None) -> Fate | None:
    """None where the vote was not marked both before and after."""
    if base is None or final is None:
        return None
    before, after = vote_right(base), vote_right(final)
    return None if before is None or after is None else fate(before, after)


def questions_of(run: RunFiles, name: str, when: str) -> dict[QuestionKey, Mapping[str, Any]]:
    """The records of an evaluation by what makes a question the same one."""
    questions = run.evaluations.get((name, when), {}).get("questions")
    records = [mapping(entry) for entry in (questions if isinstance(questions, list) else ())]
    return {
        tuple(str(record.get(part, "")) for part in ("id", "prompt", "answer")): record  # type: ignore[misc]
        for record in records
        if record
    }


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


def fate_counts(found: Fates) -> tuple[tuple[FateRun, Mapping[Fate, int]], ...]:
    """How many questions each run gained, kept, lost and never got."""
    counted = []
    for index, run in enumerate(found.runs):
        counts = Counter(question.fates[index] for question in found.questions)
        counted.append((run, {each: counts[each] for each in FATES}))
    return tuple(counted)


def _mean_share(records: Sequence[Mapping[str, Any] | None]) -> float | None:
    shares = [share_right(r) for r in records if r is not None and is_graded(r)]
    return mean(shares) if shares else None


def _percent(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
