"""Defines the values that flow through one step, in the order in which they arise.

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
"""Tasks with more or less similar answers: their consensus is the most central one, not the most frequent."""
NUMERIC_TASKS: frozenset[str] = frozenset({"math", "number"})
"""Tasks whose answers follow from the numbers of the question: other numbers make another question."""
LISTED_TASKS: frozenset[str] = frozenset({"choice"})
"""Tasks whose options a model must see: they are appended to a question that does not list them."""
ViewName = Literal["facts", "names", "options", "identifiers"]
"""The means by which a question is put in other words."""
SourceName = Literal["base", "visits", "teacher", "peer"]
"""The sources of further votes beside views."""
TASKS_OF_VIEWS: Mapping[ViewName, frozenset[str]] = {
    "facts": NUMERIC_TASKS,
    "names": frozenset({"math", "number", "choice", "label", "text"}),
    "options": LISTED_TASKS,
    "identifiers": frozenset({"code", "math", "number"}),
}
"""The tasks that each of them can apply to."""
TextMeasure = Literal["rouge-l", "rouge-1", "rouge-2"]
Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One unlabeled question. It has no answer field, on purpose: see the label wall in docs/algorithm.md."""

    id: str
    prompt: str
    task: str | None = None
    """Name of the question's task, if a file mixes several; None means the run's."""
    options: tuple[str, ...] = ()
    """Texts of the options A, B, ... of a multiple-choice question, or the labels of a classification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """Settings for drawing tokens.

    Log-probabilities are those of softmax(logits / temperature) before top-k and top-p cut it, in
    sampling as in training. temperature 0 is greedy decoding (log-probabilities at temperature 1).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """Number of most probable tokens to draw from; 0 keeps the whole vocabulary."""
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """Strings that end a completion once they appear in its text. They stay in the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled text with its tokens."""

    question_id: str
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    """Sampled tokens, including the stop token, so that stopping is trained.   [T]"""
    logprobs: tuple[float, ...]
    """Log-probabilities of the sampled tokens under the sampler, at its temperature, nats.   [T]"""
    entropy: tuple[float, ...]
    """Entropy of the distribution each token was drawn from, at its temperature, nats.   [T]"""
    finish_reason: FinishReason
    policy_version: int
    text: str
    """Decoded text, without the stop token and other special tokens."""
    order: tuple[int, ...] = ()
    """The own place, from 0, of the option shown at each place, if options were shown in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The completions of one question in one step: the unit of voting and of reward."""

    question: Question
    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherVotes:
    """Votes on a question that elect its label beside those of its group, and are not trained on."""

    source: str
    """Where they come from: views, base, visits, teacher or peer."""
    answers: tuple[str | None, ...]
    """As spelled for the question itself; None abstains.   [F]"""
    weights: tuple[float, ...]
    """What each vote weighs; one of the group weighs 1.   [F]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A question put in other words, whose answer gives that of the question."""

    question: Question
    """With an id of its own."""
    restore: Callable[[str], str | None]
    """The answer to the question, as spelled, from an answer to the view; None for what is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedAnswers:
    """The canonical keys of a group's answers."""

    keys: tuple[AnswerKey | None, ...]
    """Key of each answer; None abstains.   [G]"""
    unread: int = 0
    """Number of answers that no reader understood; each equals only its own spelling."""
    killed: int = 0
    """Number of distinct answers whose reading hit a time or memory limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """The outcome of a vote: what a group agrees on, and how much."""

    pseudo_label: str | None
    """The spelling of the winning class (its smallest one), or None if every completion abstains."""
    winner: int | None
    """Index of the winning class in `counts`: 0, or None if there is no winner."""
    answers: tuple[str | None, ...]
    """The answer of each completion as spelled; None abstains.   [G]"""
    class_of: tuple[int | None, ...]
    """Class of each completion; None abstains.   [G]"""
    counts: tuple[int, ...]
    """Votes per class, further ones (`FurtherVotes`) included: the elected class, then the others from the
    largest."""
    support: tuple[float, ...]
    """Sum of the weights of these votes, by class; equal to `counts` where all weigh 1."""
    voters: float
    """Sum of the weights of all votes, abstentions included."""
    labels: tuple[str, ...]
    """One spelling per class, in the order of `counts`."""
    keys: tuple[AnswerKey, ...]
    """The canonical key of each class, in the order of `counts`."""
    majority_ratio: float
    """The winner's votes / all votes, abstentions included; 0 without a winner."""
    tied: bool
    """Whether another class would have won under another tie seed."""
    abstained: int
    """Number of votes without an answer."""
    unread: int = 0
    killed: int = 0
    """See `KeyedAnswers.killed`."""
    centrality: tuple[float, ...] | None = None
    """Mean similarity to the other votes, an abstention counting as 0; None where equality is all there
    is.   [G]"""
    to_label: tuple[float, ...] | None = None
    """Similarity to the pseudo-label, in [0, 1]; None if `centrality` is.   [G]"""

    @property
    def votes(self) -> int:
        """Returns the number of all votes, abstentions and further votes included."""
        return sum(self.counts) + self.abstained

    @property
    def shares(self) -> tuple[float, ...]:
        """Returns the share of each class of the weight of all votes, in [0, 1]."""
        return tuple(weight / self.voters if weight else 0.0 for weight in self.support)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group with its consensus and its rewards: all M completions vote, and K of them are trained on."""

    group: Group
    consensus: Consensus
    rewards: tuple[float, ...]
    """Rewards in [0, 1], except for rules that punish (`selective`).   [M]"""
    kept: tuple[int, ...]
    """Indices of the completions that are trained on, ascending.   [K]"""
    skipped: str | None = None
    """Why the rule leaves this group out of training, or None."""
    further: tuple[FurtherVotes, ...] = ()
    """The votes that elected beside those of the group."""

    @property
    def trained(self) -> tuple[tuple[Completion, float], ...]:
        """Returns the kept completions, each with its reward.   [K]"""
        return tuple((self.group.completions[i], self.rewards[i]) for i in self.kept)

    @property
    def differs(self) -> bool:
        """Returns whether two kept completions have different rewards and the rule keeps the group."""
        return not self.skipped and len({self.rewards[i] for i in self.kept}) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSample:
    """One distinct completion to train on, with what the algorithm has computed for it.

    Everything per token is [T], or empty where the algorithm has no use for it.
    """

    completion: Completion
    reward: float
    weight: float
    """Number of identical completions of its group that it represents."""
    penalties: tuple[float, ...] = ()
    """KL to the base times its coefficient, if it is subtracted from the reward."""
    advantages: tuple[float, ...] = ()
    old_logprobs: tuple[float, ...] = ()
    """Of the policy that the probability ratio is taken to, if it is not the sampler; of the reference
    for algorithms that compare with it."""
    importance: tuple[float, ...] = ()
    """Weight of each token's loss; 1 if empty."""
    values: tuple[float, ...] = ()
    """The critic's values before the update."""
    returns: tuple[float, ...] = ()
    """The returns that the critic learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The outcome of one step. `skipped` is the reason if there was nothing to learn from."""

    step: int
    scored: tuple[ScoredGroup, ...]
    metrics: Metrics
    skipped: str | None = None


class Task(Protocol):
    """Defines how a kind of question is asked, how its answers are read, and which are equal or similar."""

    @property
    def name(self) -> str: ...

    @property
    def instruction(self) -> str:
        """Returns the text appended to the question in prompts without their own format."""
        ...

    def for_question(self, question: Question) -> Task:
        """Returns the task for one question, with its options, say; often the task itself."""
        ...

    def extract(self, completion: Completion) -> str | None:
        """Returns the answer as spelled, or None if the completion abstains."""
        ...

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        """Returns the canonical keys of one group's answers, None for those that say nothing."""
        ...

    def key(self, answer: str) -> AnswerKey | None:
        """Returns the canonical key of a single answer, or None if it says nothing."""
        ...

    def similarities(self, answers: Sequence[str]) -> NDArray[np.float64] | None:
        """Returns similarities in [0, 1], or None if answers are only equal or different.   [N, N]"""
        ...


Recorded = Literal["logprobs", "entropy"]
"""Per-token values that a completion may have in addition to its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRule:
    """A function that rewards the completions of a group given its consensus, and what the function needs.

    The vote comes before the rule and is none of its business, unless votes do not count alike.
    """

    rewards: Callable[[Group, Consensus], tuple[float, ...]]
    """One finite number for each completion.   [M]"""
    weigh: Callable[[Group, Sequence[str | None]], Sequence[float]] | None = None
    """Weights of the votes, from the group and its extracted answers; None if all count alike.   [M]"""
    weigh_answers: Callable[[Question, Sequence[str | None]], Sequence[float]] | None = None
    """Weights of votes of which only the answers are known; None if all count alike.   [F]"""
    measure: Callable[[], Metrics] | None = None
    """What it measured since it was last asked, for the metrics of a step; None for nothing."""
    leave_out: Callable[[Consensus, Sequence[float]], str | None] | None = None
    """The reason why nothing should be learned from a group with these rewards, or None."""
    reads: frozenset[Recorded] = frozenset()
    """Recorded values that the rule uses if the engine has them."""
    needs: frozenset[Recorded] = frozenset()
    """Recorded values that the rule requires."""


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
        """Uses these weights from now on, under a new policy version."""
        ...


class Observer(Protocol):
    """Looks at a finished step and returns metrics. It cannot change the run."""

    def on_step(self, result: StepResult) -> Metrics: ...
