"""Matches the numbers of a program to those of its question's text, and gives up at the first doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ttrl.data.text_numbers import TextNumber, values_of_limbs, values_of_words
from ttrl.evaluation.fresh.program import NotAProgram, Program, compute

SMALL = 10
"""Numbers up to this may count things that the text lists without a number, as the three people it names."""

Source = TextNumber | int | Fraction
"""Where a number of a program comes from: the text, the step with that index, or nowhere (a constant)."""


class Doubt(ValueError):
    """The reason why a question is left out, one of `REASONS`."""


NO_PROGRAM = "have no program"
NOT_UNDERSTOOD = "have one that is not understood"
OTHER_ANSWER = "have one that does not give their answer"
AMBIGUOUS = "have a number that could be one of two"
UNEXPLAINED = "have a number that their text does not explain"
UNUSED = "have a worked solution without a number of their text"
NOTHING_TIED = "have no number in their text that can be changed"
NO_NUMBERS = "fit no other numbers"
NO_ANSWER = "have no number as their answer"
OTHER_TASK = "are of another task than math and number"
REASONS = (
    OTHER_TASK, NO_PROGRAM, NO_ANSWER, NOT_UNDERSTOOD, OTHER_ANSWER, AMBIGUOUS, UNEXPLAINED,
    UNUSED, NOTHING_TIED, NO_NUMBERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TiedProgram:
    """A program whose numbers are tied to a text."""

    program: Program
    sources: tuple[Source, ...]
    """The source of each leaf, in the order of the leaves."""

    @property
    def places(self) -> tuple[TextNumber, ...]:
        """Returns the numbers of the text that the program uses, each once, in the order of the text."""
        used = {source.start: source for source in self.sources if isinstance(source, TextNumber)}
        return tuple(used[start] for start in sorted(used))

    def run(self, numbers: dict[int, Fraction]) -> tuple[Fraction, list[Fraction]]:
        """Returns the answer and the values of all intermediate operations.

        Args:
            numbers: maps the start of a number in the text to its value.

        Raises:
            NotAProgram: a division by zero, or a value that is too large.
        """
        results: list[Fraction] = []
        seen: list[Fraction] = []
        values: list[Fraction] = []
        for step in self.program.steps:
            for leaf in step.leaves:
                source = self.sources[leaf.place]
                if isinstance(source, TextNumber):
                    values.append(numbers[source.start])
                else:
                    values.append(results[source] if isinstance(source, int) else source)
            results.append(compute(step.expression, values, seen))
        return results[-1], seen


def tie(
    program: Program, text: str, numbers: Sequence[TextNumber], *, in_text_order: bool = False
) -> TiedProgram:
    """Ties the leaves of a program to the numbers of the text.

    Each leaf is the result of an earlier step, or the one number of the text that has its value, or a
    constant that a word of the text explains (twice: 2), or 1. More than one of these is a doubt. So is a
    small number of the text that is used twice (Kay's 3 nuts, shared by 3 people), and so is one that
    could be the number of legs of an animal if the text mentions legs.

    A worked solution must use every free number of the text, since its annotations may leave out what the
    writer did in the head. An equation need not: its text often holds numbers that play no part.

    Args:
        in_text_order: the program is known to use its numbers in the order of the text, equal ones
            included. Where they are all the numbers of the text, they are tied whatever the words say.

    Raises:
        Doubt: one number could be two things, or nothing, or none can be changed.
    """
    results = step_results(program)
    leaves = program.leaves
    values = [leaf.value for leaf in leaves]
    sources: tuple[Source, ...]
    are_all = values == [number.value for number in numbers]
    if in_text_order and are_all and len(program.steps) == 1:
        sources = tuple(number if number.free else number.value for number in numbers)
    else:
        sources = _one_by_one(program, text, numbers, results)
    if not any(isinstance(source, TextNumber) for source in sources):
        raise Doubt(NOTHING_TIED)
    return TiedProgram(program=program, sources=sources)


def step_results(program: Program) -> list[Fraction]:
    """Returns the result of each step, computed with the numbers as written.

    Raises:
        Doubt: a step cannot be computed or does not come to what it states.
    """
    values = [leaf.value for leaf in program.leaves]
    results = []
    for step in program.steps:
        try:
            results.append(compute(step.expression, values, []))
        except NotAProgram:
            raise Doubt(NOT_UNDERSTOOD) from None
        if step.stated is not None and step.stated != results[-1]:
            raise Doubt(OTHER_ANSWER)
    return results


def _one_by_one(
    program: Program, text: str, numbers: Sequence[TextNumber], results: Sequence[Fraction]
) -> tuple[Source, ...]:
    in_text = Counter(number.value for number in numbers)
    by_value = {number.value: number for number in numbers}
    explained = values_of_words(text)
    in_doubt = explained | values_of_limbs(text)
    sources: list[Source] = []
    for index, step in enumerate(program.steps):
        earlier = Counter(results[:index])
        for leaf in step.leaves:
            value = leaf.value
            if in_text[value] + earlier[value] > 1:
                raise Doubt(AMBIGUOUS)
            if earlier[value]:
                if value in in_doubt:  # 2 * 2 = 4, then 4 weeks: the result, or the word?
                    raise Doubt(AMBIGUOUS)
                sources.append(results.index(value))
            elif in_text[value] and by_value[value].free:
                if value in in_doubt:
                    raise Doubt(AMBIGUOUS)
                sources.append(by_value[value])
            elif in_text[value] or value in explained or value == 1:
                sources.append(value)
            else:
                raise Doubt(UNEXPLAINED)
    unused = set(range(len(program.steps) - 1)) - {s for s in sources if isinstance(s, int)}
    if unused:  # a step that leads nowhere: the tie of another one must be wrong
        raise Doubt(AMBIGUOUS)
    uses = Counter(source.start for source in sources if isinstance(source, TextNumber))
    if any(uses[number.start] > 1 and number.value <= SMALL for number in numbers):
        raise Doubt(AMBIGUOUS)
    _refuse_hidden_percent(text, sources)
    is_worked = any(step.stated is not None for step in program.steps)
    if is_worked and any(number.free and not uses[number.start] for number in numbers):
        raise Doubt(UNUSED)
    return tuple(sources)


def _refuse_hidden_percent(text: str, sources: Sequence[Source]) -> None:
    """Refuses to change a percentage that also stands in the program as a constant.

    If 0.6, 0.4 or 40 is a constant, the 60 of "60 %" must not change elsewhere.
    """
    changed = {
        s.value for s in sources if isinstance(s, TextNumber) and text[s.end : s.end + 1] == "%"
    }
    constants = {s for s in sources if isinstance(s, Fraction)}
    hidden = (
        {v / 100 for v in changed} | {1 - v / 100 for v in changed} | {100 - v for v in changed}
    )
    if hidden & constants:
        raise Doubt(AMBIGUOUS)
