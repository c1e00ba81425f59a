"""What most tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ttrl.types import AnswerKey, KeyedAnswers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class KeyedTask(ABC):
    """A task that keys each answer by itself, and whose answers are equal or different."""

    __slots__ = ()

    @abstractmethod
    def key(self, answer: str) -> AnswerKey | None:
        """The canonical key of a single answer, or None if it says nothing."""

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """The keys of one group's answers; None abstains.   [G]"""
        return KeyedAnswers(keys=tuple(None if a is None else self.key(a) for a in answers))

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64] | None:
        """None: there is nothing between equal and different."""
        return None
