"""Copies a question with other numbers and recomputes its answer by its program."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ttrl.data.number_changes import Pool, dealt, keeps_order, rewritten
from ttrl.data.text_numbers import TextNumber
from ttrl.evaluation.fresh.program import NotAProgram, Program
from ttrl.evaluation.fresh.ties import NO_NUMBERS, OTHER_ANSWER, Doubt, tie

TRIES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of a question with other numbers, and its recomputed answer."""

    prompt: str
    answer: Fraction
    values: tuple[Fraction, ...]
    """The changed numbers, in the order of the text."""


def perturb(
    text: str,
    numbers: Sequence[TextNumber],
    program: Program,
    answer: Fraction,
    *,
    pool: Pool,
    rng: random.Random,
    accept: Callable[[Copy], bool],
    in_text_order: bool = False,
) -> Copy:
    """Makes a copy in which every number that the program uses is replaced by one of the same shape.

    The story stays plausible as far as numbers go: numbers of one shape keep their order of size, those
    that stay included, and every intermediate result stays of its kind (`_kind`).

    Raises:
        Doubt: the program does not give the answer, its numbers cannot be tied to the text without doubt
            (`ties.tie`), or `TRIES` draws bring no copy whose answer differs and that is accepted.
    """
    tied = tie(program, text, numbers, in_text_order=in_text_order)
    old = {number.start: number.value for number in tied.places}
    was, steps = tied.run(old)
    if was != answer:
        raise Doubt(OTHER_ANSWER)
    kinds = [_kind(value) for value in steps]
    staying = [n for n in numbers if n.start not in old and n.free]
    if any(len(pool[place.shape]) < 2 for place in tied.places):
        raise Doubt(NO_NUMBERS)
    for _ in range(TRIES):
        drawn = dealt(tied.places, pool, rng)
        new = {place.start: Fraction(drawn[place.start]) for place in tied.places}
        if any(new[start] == old[start] for start in old) or not keeps_order(
            old, new, tied.places, staying
        ):
            continue
        try:
            now, steps = tied.run(new)
        except NotAProgram:
            continue
        if now == was or not all(map(_is_of_kind, steps, kinds)):
            continue
        copy = Copy(
            prompt=rewritten(text, tied.places, drawn),
            answer=now,
            values=tuple(new[place.start] for place in tied.places),
        )
        if accept(copy):
            return copy
    raise Doubt(NO_NUMBERS)


def spelled(value: Fraction) -> str:
    """Returns a value as a whole number, a finite decimal if there is one, else a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    places = _places(value)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _kind(value: Fraction) -> tuple[int, bool, int | None]:
    """The sign, whether the size is below 1, and how many decimals are allowed (None: any).

    A result that was negative may get any sign, since it is not an amount.
    """
    places = _places(value)
    return _sign(value), abs(value) < 1, max(places, 2) if places else places


def _is_of_kind(value: Fraction, kind: tuple[int, bool, int | None]) -> bool:
    sign, small, most = kind
    places = _places(value)
    if most is not None and (places is None or places > most):
        return False
    return sign < 0 or (_sign(value) == sign and (abs(value) < 1) == small)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _places(value: Fraction) -> int | None:
    """The number of decimals of a finite decimal, or None if there is none."""
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return places + max(twos, fives) if rest == 1 else None
