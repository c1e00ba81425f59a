"""What engines of others are given: the consensus, the rewards and the trained completions of whole groups.

Nothing foreign is imported here. An adapter brings texts, and takes back one reward per completion and which
of them are trained on: the same numbers, bit for bit, that the native engine trains on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttrl.config import RunConfig
from ttrl.consensus.voting import voting_tools
from ttrl.rl.subset import trained_subset
from ttrl.types import Completion, FinishReason, Group, Question, RewardRule, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class VotedGroup:
    """A group after its vote."""

    scored: ScoredGroup
    """All votes, with their rewards.   [M]"""
    kept: tuple[int, ...]
    """Which of them are trained on, ascending.   [K]"""

    @property
    def rewards(self) -> list[float]:
        """Of the trained completions.   [K]"""
        return self.rewards_of(self.kept)

    def rewards_of(self, chosen: Sequence[int]) -> list[float]:
        """Of some of the votes; all 0 where the rule leaves the group out, so that nothing is learned."""
        if self.scored.skipped is not None:
            return [0.0] * len(chosen)
        return [self.scored.rewards[index] for index in chosen]


class GroupVoter:
    """Votes on whole groups by a run's task and rule, and keeps K of M.

    Args:
        config: reads the keys of the groups Consensus and Learning that the vote and the choice of
            completions depend on, and `seed`.
        rule: instead of the one that `config.reward` names.

    Raises:
        ConfigError: an unknown reward, or the one that needs true answers and no rule for it.
    """

    def __init__(self, config: RunConfig, *, rule: RewardRule | None = None) -> None:
        from ttrl.answers.tasks import make_task

        self.config = config
        self.task: Task
        self.rule: RewardRule
        if rule is None:
            self.task, self.rule = voting_tools(config)
        else:
            self.task, self.rule = make_task(config), rule

    def vote(
        self, question: Question, completions: Sequence[Completion], *, step: int
    ) -> VotedGroup:
        """The consensus of all completions of one question.   [M]

        Args:
            step: decides, with the seed and the question, which completions `trained_choice: random` keeps.
        """
        scored = self.rule(self.task, Group(question=question, completions=tuple(completions)))
        kept = trained_subset(scored.rewards, self.config, step=step, question_id=question.id)
        return VotedGroup(scored=scored, kept=tuple(kept))


def completion(
    question: Question,
    text: str,
    *,
    token_ids: Sequence[int] = (),
    finish_reason: FinishReason = "stop",
    logprobs: Sequence[float] = (),
    entropy: Sequence[float] = (),
) -> Completion:
    """A completion of another engine.

    Args:
        text: decoded, without special tokens.
        token_ids: with the stop token.   [T]
        finish_reason: "length" if it was cut: it abstains unless it holds a complete marked answer.
        logprobs: of its tokens under the sampler, nats; only the reward `confidence` needs them.   [T]
        entropy: of the distribution of each token, nats; only `selective` reads it.   [T]
    """
    return Completion(
        question_id=question.id,
        prompt_ids=(),
        token_ids=tuple(token_ids),
        logprobs=tuple(logprobs),
        entropy=tuple(entropy),
        finish_reason=finish_reason,
        policy_version=0,
        text=text,
    )
