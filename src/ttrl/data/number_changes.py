"""Changes the numbers of a text so that it stays plausible: none needs an answer.

New numbers are those of other questions of the file. They have as many digits as the old ones and keep their
order of size.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ttrl.data.text_numbers import TextNumber

Pool = Mapping[tuple[int, int], Sequence[str]]
"""Maps the shape of a number to spellings without separators, each once, sorted."""


def pool_of(texts: Sequence[Sequence[TextNumber]]) -> Pool:
    """Collects the free numbers of all questions by shape."""
    pool: dict[tuple[int, int], set[str]] = {}
    for numbers in texts:
        for number in numbers:
            if number.free:
                pool.setdefault(number.shape, set()).add(number.spelling.replace(",", ""))
    return {shape: sorted(spellings) for shape, spellings in pool.items()}


def dealt(places: Sequence[TextNumber], pool: Pool, rng: random.Random) -> dict[int, str]:
    """Draws a spelling for each place, by its start; the numbers of a shape keep their order of size."""
    found: dict[int, str] = {}
    for shape in sorted({place.shape for place in places}):
        group = sorted((p for p in places if p.shape == shape), key=lambda p: (p.value, p.start))
        values = [rng.choice(pool[shape]) for _ in group]
        for place, spelling in zip(group, sorted(values, key=Fraction), strict=True):
            found[place.start] = spelling
    return found


def keeps_order(
    old: Mapping[int, Fraction],
    new: Mapping[int, Fraction],
    places: Sequence[TextNumber],
    staying: Sequence[TextNumber],
) -> bool:
    """Returns whether each changed number is still above or below each other number of its shape.

    Args:
        old, new: values by the start of the place, before and after.
        staying: numbers that do not change.
    """
    now = dict(new) | {other.start: other.value for other in staying}
    return all(
        new[place.start] < now[other.start]
        if old[place.start] < other.value
        else new[place.start] > now[other.start]
        for place in places
        for other in (*places, *staying)
        if other.shape == place.shape and other.value != place.value
    )


def rewritten(text: str, places: Sequence[TextNumber], drawn: Mapping[int, str]) -> str:
    """Returns the text with other spellings at these places, which are in its order."""
    parts, position = [], 0
    for place in places:
        parts += [text[position : place.start], place.spelled(drawn[place.start])]
        position = place.end
    return "".join(parts) + text[position:]
