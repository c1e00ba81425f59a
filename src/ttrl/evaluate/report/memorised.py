"""Whether the gain of one run is memorised: trained questions against those it never saw."""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.evaluate.memorisation import Kind, Memorisation
from ttrl.evaluate.report.estimates import FRESH, Direction, Sentence, in_order, set_title
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS, Evaluations, Pairs, difference, pairs
from ttrl.evaluate.report.quantities import plural
from ttrl.evaluate.report.records import share_right

TONES: dict[Kind, Direction] = {
    "memorised": "fell",
    "partly": "unclear",
    "shared": "rose",
    "unclear": "unclear",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorisationFinding:
    """Of one set: in short, and with all its numbers."""

    short: Sentence
    full: Sentence | None
    """None where the short one says it all."""


def memorisation_findings(evaluations: Evaluations) -> tuple[MemorisationFinding, ...]:
    """One per set of the same kind of questions: the held-out ones and the fresh ones.

    Other sets, of other kinds of questions, may stay behind without anything being memorised.
    """
    trained = pairs(evaluations, "unlabeled")
    names = in_order({name for name, _ in evaluations})
    others = [name for name in names if name == "heldout" or name.startswith(FRESH)]
    if not len(trained) and not any(len(pairs(evaluations, name)) for name in others):
        needs = "Whether a gain is memorised needs labels with exact answers."
        return (_unknown(needs),) if evaluations else ()
    if not others:
        return (
            _unknown(
                "Whether the gain is memorised cannot be told: no other questions of the same kind were "
                "evaluated (see the option --holdout)."
            ),
        )
    return tuple(_finding(trained, pairs(evaluations, name), set_title(name)) for name in others)


def _finding(trained: Pairs, other: Pairs, title: str) -> MemorisationFinding:
    compared = difference(trained, other)
    gain, gain_of_others = trained.change(share_right), other.change(share_right)
    if compared is None or gain is None or gain_of_others is None:
        amounts = f"{len(trained)} trained and {len(other)} of the {title}"
        return _unknown(
            f"Whether the gain is memorised cannot be told against the {title}: it needs labels for at "
            f"least {plural(FEWEST_QUESTIONS, 'question')} before and after, and {amounts} have them."
        )
    samples = trained.samples
    verdict = Memorisation(
        trained=gain,
        other=gain_of_others,
        difference=compared,
        metric=f"avg@{samples}" if samples else "the share of right completions",
        other_questions=title,
        over="questions",
    )
    tone = TONES[verdict.kind]
    return MemorisationFinding(
        short=Sentence(text=verdict.short_sentence, tone=tone),
        full=Sentence(text=verdict.sentence, tone=tone),
    )


def _unknown(text: str) -> MemorisationFinding:
    return MemorisationFinding(short=Sentence(text=text, tone="unknown"), full=None)
