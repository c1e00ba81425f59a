"""Gives other engines the consensus, the rewards and the kept completions of whole groups.

Nothing foreign is imported here. An adapter brings texts, and takes back one reward per completion and which
of them are trained on: the same numbers, bit for bit, that the native engine trains on.
"""

from __future__ import annotations

from collections.abc import Sequence

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import score
from ttrl.consensus.vote import vote_on_group
from ttrl.consensus.voting import voting_tools
from ttrl.types import Completion, FinishReason, Group, Metrics, Question, RewardRule, ScoredGroup


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
        self.config = config
        self.task, self.rule = (make_task(config), rule) if rule else voting_tools(config)

    def vote(
        self, question: Question, completions: Sequence[Completion], *, step: int
    ) -> ScoredGroup:
        """Votes on all completions of one question, rewards them, and chooses the K that are kept.

        Args:
            completions: all of the question's, in the order of sampling.   [M]
            step: decides, with the seed and the question, which completions `trained_choice: random` keeps.
        """
        group = Group(question=question, completions=tuple(completions))
        consensus = vote_on_group(
            self.task, group, tie_seed=self.config.seed, weigh=self.rule.weigh
        )
        return score(group, consensus, rule=self.rule, config=self.config, step=step)

    def measure(self) -> Metrics:
        """Returns what the rule measured since it was last asked, for the metrics of a step."""
        return self.rule.measure() if self.rule.measure else {}


def rewards_of(scored: ScoredGroup, chosen: Sequence[int]) -> list[float]:
    """Picks the rewards of some of the votes: all 0 where the rule leaves the group out, so none is learned.

    Args:
        chosen: places of the votes; `scored.kept` are those that are trained on.
    """
    if scored.skipped is not None:
        return [0.0] * len(chosen)
    return [scored.rewards[index] for index in chosen]


def completion(
    question: Question,
    text: str,
    *,
    token_ids: Sequence[int] = (),
    finish_reason: FinishReason = "stop",
    logprobs: Sequence[float] = (),
    entropy: Sequence[float] = (),
) -> Completion:
    """Makes a completion of what another engine has drawn.

    Args:
        text: decoded, without special tokens.
        token_ids: with the stop token.   [T]
        finish_reason: "length" if it was cut: it abstains unless it holds a complete marked answer.
        logprobs: of its tokens under the sampler, nats, for rules that read them.   [T]
        entropy: of the distribution of each token, nats, for rules that read it.   [T]
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
