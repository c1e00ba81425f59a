"""What a study rests on: the outcomes of its arms on its sets, and what they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.evaluate.pooling import Pooled, pooled_mean
from ttrl.evaluate.report.estimates import Direction, direction_of
from ttrl.evaluate.report.paired import FEWEST_QUESTIONS
from ttrl.evaluate.report.quantities import plural, signed
from ttrl.evaluate.study.arms import Arm, Outcome, QuestionKey, outcome
from ttrl.evaluate.study.layout import ArmName

TRAINED = "unlabeled"
NO_PRIOR = "out_of_prior"


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualTokens:
    """The base's vote with the tokens that training sampled."""

    samples: int
    """Completions a question that those tokens pay for."""
    votes: dict[QuestionKey, bool] | None
    """Whether that vote is right; None if it was not taken, since the base has had as many votes anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the sentences of a study are computed from."""

    arms: dict[ArmName, Arm]
    outcomes: dict[tuple[ArmName, str], Outcome]
    """By arm and set; only where answers can be marked right or wrong."""
    sets: tuple[str, ...]
    """Those that all runs of TTRL were evaluated on."""
    equal_tokens: EqualTokens | None
    left_out: tuple[str, ...]
    """Runs that did not end, or cannot be read."""

    @property
    def main(self) -> Outcome | None:
        """TTRL on the questions it was trained on."""
        return self.outcomes.get(("ttrl", TRAINED))

    def others(self) -> list[str]:
        """Sets that TTRL was not trained on and that it could help on."""
        return [
            name
            for name in self.sets
            if name not in {TRAINED, NO_PRIOR} and ("ttrl", name) in self.outcomes
        ]


def gather(
    arms: dict[ArmName, Arm],
    *,
    equal_tokens: EqualTokens | None = None,
    left_out: Sequence[str] = (),
) -> Evidence:
    """Reads the outcomes of all arms on the sets of TTRL."""
    sets = arms["ttrl"].sets()
    found = {
        (name, each): outcome(arm, each)
        for name, arm in arms.items()
        for each in sets
        if each in arm.sets()
    }
    return Evidence(
        arms=arms,
        outcomes={key: value for key, value in found.items() if value is not None},
        sets=tuple(sets),
        equal_tokens=equal_tokens,
        left_out=tuple(left_out),
    )


def tone_of(pooled: Pooled) -> Direction:
    """By the interval: clearly above 0, clearly below, or neither, as with very few questions."""
    few = pooled.questions < FEWEST_QUESTIONS
    return "unclear" if few else direction_of((pooled.low, pooled.high))


def points(pooled: Pooled) -> str:
    """'+12.3 points [+10.1, +14.5]'."""
    return f"{signed(100 * pooled.value)} points [{signed(100 * pooled.low)}, {signed(100 * pooled.high)}]"


def over(main: Outcome) -> str:
    """'3 seeds, 512 questions'."""
    seeds, questions = main.after.shape
    return f"{plural(seeds, 'seed')}, {plural(questions, 'question')}"


def gain_of(main: Outcome) -> Pooled:
    """Pooled over seeds and questions."""
    return pooled_mean(main.gain)
