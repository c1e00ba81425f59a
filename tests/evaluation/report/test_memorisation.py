"""The verdict on memorisation, each case by numbers written by hand."""

from __future__ import annotations

import pytest

from ttrl.evaluation.report.memorisation import Kind, Memorisation, memorisation
from ttrl.interval import Interval

CLEAR = Interval(value=0.20, low=0.15, high=0.25)
SMALL = Interval(value=0.10, low=0.05, high=0.15)
NONE = Interval(value=0.01, low=-0.04, high=0.06)
LOSS = Interval(value=-0.2, low=-0.25, high=-0.15)


def told(trained: Interval, other: Interval, difference: Interval) -> Memorisation:
    return memorisation(trained, other, difference, metric="avg@16", others="held-out questions")


@pytest.mark.parametrize(
    ("trained", "other", "difference", "kind", "words"),
    [
        (CLEAR, NONE, CLEAR, "memorised", "is specific to the trained questions: it looks memorised"),
        (CLEAR, LOSS, CLEAR, "memorised", "it looks memorised"),
        (CLEAR, SMALL, SMALL, "partly", "specific to the trained questions (10.0 of 20.0 points)"),
        (CLEAR, CLEAR, NONE, "shared", "no sign of memorisation"),
        (SMALL, CLEAR, LOSS, "shared", "no sign of memorisation"),
        (CLEAR, NONE, NONE, "unclear", "cannot be told against the held-out questions with this "
         "many questions: the two gains may be equal, and that of the others may be 0"),
        (NONE, NONE, NONE, "unclear", "with this many questions: no gain is clear"),
        (NONE, LOSS, CLEAR, "unclear", "they fell behind, but no gain on the trained questions"),
    ],
)  # fmt: skip
def test_each_case_has_its_words(
    trained: Interval, other: Interval, difference: Interval, kind: Kind, words: str
):
    verdict = told(trained, other, difference)
    assert verdict.kind == kind
    assert words in verdict.sentence and words in verdict.short_sentence


def test_a_lower_bound_of_exactly_0_is_not_clear():
    edge = Interval(value=0.1, low=0.0, high=0.2)
    assert told(edge, NONE, edge).kind == "unclear"


def test_the_sentence_holds_every_number_with_its_interval_and_what_it_is_over():
    over_seeds = Interval(value=0.01, low=-0.04, high=0.06, seeds=3)
    assert told(CLEAR, SMALL, over_seeds).sentence.endswith(
        "Gains in avg@16: trained +20.0 points [+15.0, +25.0], held-out questions +10.0 points "
        "[+5.0, +15.0], difference +1.0 points [\N{MINUS SIGN}4.0, +6.0]; intervals over questions and "
        "seeds."
    )


def test_what_rounds_to_0_has_no_sign():
    nothing = Interval(value=-0.0001, low=-0.0002, high=0.0001)
    assert "trained 0.0 points [0.0, 0.0]," in told(nothing, NONE, NONE).sentence
