"""The values that flow through one step, in the order in which they come to be.

Frozen, slotted, keyword-only. Shapes: G = completions of one question, T = tokens of one completion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AnswerKey = tuple[object, ...]
"""Canonical form of an answer. Two answers are equal exactly when their keys are equal."""

FinishReason = Literal["stop", "length"]
TaskName = Literal["math", "number", "choice", "label", "text", "code"]
SIMILAR_TASKS: frozenset[str] = frozenset({"text", "code"})
"""Whose answers are more or less similar: their consensus is the most central one, not the most frequent."""
NUMERIC_TASKS: frozenset[str] = frozenset({"math", "number"})
"""Tasks whose answers follow from the numbers of the question: other numbers make another question."""
LISTED_TASKS: frozenset[str] = frozenset({"choice"})
"""Tasks whose options a model has to read: a question that does not list them gets them listed."""
TextMeasure = Literal["rouge-l", "rouge-1", "rouge-2"]
Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One unlabeled question. It has no answer field, on purpose: see the label wall in docs/algorithm.md."""

    id: str
    prompt: str
    task: str | None = None
    """Name of its task where a file mixes several; None takes the run's."""
    options: tuple[str, ...] = ()
    """Texts of the options A, B, ... of a multiple-choice question, or the labels of a classification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How tokens are drawn.

    Log-probabilities are those of softmax(logits / temperature) before top-k and top-p cut it, in
    sampling as in training. temperature 0 is greedy decoding (log-probabilities at temperature 1).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """Strings that end a completion once they appear in its text. They stay in the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled text with its tokens."""

    question_id: str
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    """With the stop token, so that stopping is trained.   [T]"""
    logprobs: tuple[float, ...]
    """Log-probabilities of the sampled tokens under the sampler, at its temperature, nats.   [T]"""
    entropy: tuple[float, ...]
    """Entropy of the distribution each token was drawn from, at its temperature, nats.   [T]"""
    finish_reason: FinishReason
    policy_version: int
    text: str
    """Decoded, without the stop token and other special tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The completions of one question in one step: the unit of voting and of reward."""

    question: Question
    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedAnswers:
    """The canonical keys of a group's answers."""

    keys: tuple[AnswerKey | None, ...]
    """None abstains.   [G]"""
    unread: int = 0
    """Answers that no reader understood: each is equal to its own spelling only."""
    killed: int = 0
    """Distinct answers whose reading was ended by a time or memory limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What a group agrees on."""

    pseudo_label: str | None
    """The spelling of the winning class (its smallest one), or None if every completion abstains."""
    winner: int | None
    """Index of the winning class in `counts`: 0, or None without one."""
    answers: tuple[str | None, ...]
    """As they are spelled; None abstains.   [G]"""
    class_of: tuple[int | None, ...]
    """Class of each completion; None abstains.   [G]"""
    counts: tuple[int, ...]
    """Votes per class: the elected class, then the others from the largest."""
    labels: tuple[str, ...]
    """One spelling per class, in the order of `counts`."""
    keys: tuple[AnswerKey, ...]
    """The canonical key of each class, in the order of `counts`."""
    majority_ratio: float
    """Votes of the winner / all votes, abstentions included; 0 without a winner."""
    tied: bool
    """Another class would have won under another tie seed."""
    abstained: int
    unread: int = 0
    killed: int = 0
    """As in `KeyedAnswers`."""
    centrality: tuple[float, ...] | None = None
    """Mean similarity to the other votes, an abstention counting as 0; None where equality is all there
    is.   [G]"""
    to_label: tuple[float, ...] | None = None
    """Similarity to the pseudo-label; None as above.   [G]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group with its consensus and its rewards: all M completions vote, and K of them are trained on."""

    group: Group
    consensus: Consensus
    rewards: tuple[float, ...]
    """In [0, 1], but for rules that punish (`selective`).   [M]"""
    kept: tuple[int, ...]
    """Places of the completions that are trained on, ascending.   [K]"""
    skipped: str | None = None
    """Why nothing is learned from this group, where the rule leaves it out."""

    @property
    def trained(self) -> tuple[tuple[Completion, float], ...]:
        """The kept completions, each with its reward.   [K]"""
        return tuple((self.group.completions[i], self.rewards[i]) for i in self.kept)

    @property
    def differs(self) -> bool:
        """Whether two kept completions have different rewards, and the rule has not left the group out."""
        return not self.skipped and len({self.rewards[i] for i in self.kept}) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSample:
    """One distinct completion that is trained on, and what its algorithm has found out about it.

    Everything per token is [T], or empty where the algorithm has no use for it.
    """

    completion: Completion
    reward: float
    weight: float
    """How many identical completions of its group it stands for."""
    penalties: tuple[float, ...] = ()
    """KL to the base, times its coefficient, where it is taken off the reward."""
    advantages: tuple[float, ...] = ()
    old_logprobs: tuple[float, ...] = ()
    """Of the policy that the probability ratio is taken to, if it is not the sampler; of the reference
    for algorithms that compare with it."""
    importance: tuple[float, ...] = ()
    """Weight of each token's loss; 1 if empty."""
    values: tuple[float, ...] = ()
    """The critic's, before the update."""
    returns: tuple[float, ...] = ()
    """What the critic learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step did. `skipped` holds the reason when there was nothing to learn from."""

    step: int
    scored: tuple[ScoredGroup, ...]
    metrics: Metrics
    skipped: str | None = None


class Task(Protocol):
    """How a kind of question is asked, how its answers are read, and what equal or similar means."""

    @property
    def name(self) -> str: ...

    @property
    def instruction(self) -> str:
        """What is appended to the question in prompts that have no format of their own."""
        ...

    def for_question(self, question: Question) -> Task:
        """The task as it stands for one question: with its options, say. Often itself."""
        ...

    def extract(self, completion: Completion) -> str | None:
        """The answer as it is spelled, or None if the completion abstains."""
        ...

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """The canonical keys of one group's answers, None for those that say nothing."""
        ...

    def key(self, answer: str) -> AnswerKey | None:
        """The canonical key of a single answer."""
        ...

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64] | None:
        """Similarities in [0, 1], or None where answers are equal or different and nothing else.   [N, N]"""
        ...


Recorded = Literal["logprobs", "entropy"]
"""What a completion may hold beside its text, per token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRule:
    """What the completions of a group earn, given what the group agrees on: one function, and what it needs.

    The vote comes before the rule and is none of its business, unless votes do not count alike.
    """

    rewards: Callable[[Group, Consensus], tuple[float, ...]]
    """One finite number for each completion.   [M]"""
    weigh: Callable[[Group, Sequence[str | None]], Sequence[float]] | None = None
    """Weights of the votes, from the group and its extracted answers; None if all count alike.   [M]"""
    leave_out: Callable[[Consensus, Sequence[float]], str | None] | None = None
    """The reason why nothing should be learned from a group with these rewards, or None."""
    reads: frozenset[Recorded] = frozenset()
    """What it uses where an engine has recorded it."""
    needs: frozenset[Recorded] = frozenset()
    """What it cannot do without."""


class Sampler(Protocol):
    """Draws completions."""

    def sample(
        self,
        questions: Sequence[Question],
        *,
        n: int,
        params: SamplingParams,
        seed: int,
        first: int = 0,
    ) -> list[Group]:
        """Draws completions first .. first + n - 1 of each question; groups keep the questions' order."""
        ...

    def load_weights(self, model: object) -> None:
        """Samples from these weights from now on, under a new policy version."""
        ...


class Observer(Protocol):
    """Looks at a finished step and returns metrics. It cannot change the run."""

    def on_step(self, result: StepResult) -> Metrics: ...
