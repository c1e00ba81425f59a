"""Reward rules by name, their use on a group that has voted, and which votes are trained on."""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from ttrl.answers.tasks import make_task
from ttrl.consensus.confidence import weights_of_group
from ttrl.consensus.custom import custom_rewards, load_function
from ttrl.consensus.novelty import novel_rewards
from ttrl.consensus.rewards import (
    agreement,
    agreement_rewards,
    answered,
    fair_coins,
    mean_similarity,
    nearly_flat,
    nearly_flat_texts,
    similar_enough,
    similarity_to_label,
    vote_shares,
)
from ttrl.consensus.selective import selective_rewards
from ttrl.consensus.verifier import Verifier
from ttrl.errors import ConfigError
from ttrl.seeding import derive_seed
from ttrl.types import Consensus, Group, Recorded, RewardRule, ScoredGroup, TextMeasure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttrl.config import RunConfig


Choice = Literal["first", "random", "spread"]


def trained_subset(
    rewards: Sequence[float],
    consensus: Consensus,
    config: RunConfig,
    *,
    step: int,
    question_id: str,
) -> list[int]:
    """Returns the indices of the completions of a group that are trained on: K of the M votes, ascending."""
    if config.trained_choice == "extremes":
        return extremes(consensus, config.trained_per_question)
    return subset(
        rewards,
        config.trained_per_question,
        config.trained_choice,
        seed=derive_seed(config.seed, "keep", step, question_id),
    )


def subset(rewards: Sequence[float], count: int, choice: Choice, *, seed: int) -> list[int]:
    """Returns the indices of `count` completions, or of all if there are no more, ascending.

    first: of independent draws, as good as any. random: a function of the seed, for completions whose
    order means something. spread: the subset with the largest variance of rewards; of equal rewards
    the first come first.
    Source of `spread`: PODS (arXiv:2504.13818), section 3: it consists of the highest and lowest rewards.
    """
    everyone = range(len(rewards))
    if count >= len(rewards) or choice == "first":
        return list(everyone[:count])
    if choice == "random":
        return sorted(random.Random(seed).sample(everyone, count))
    low = sorted(everyone, key=lambda i: (rewards[i], i))
    high = sorted(everyone, key=lambda i: (-rewards[i], i))
    splits = []
    for top in range(count + 1):
        taken = set(high[:top])
        splits.append(high[:top] + [i for i in low if i not in taken][: count - top])
    return sorted(max(splits, key=lambda chosen: _variance([rewards[i] for i in chosen])))


def extremes(consensus: Consensus, count: int) -> list[int]:
    """Returns the indices of completions with the most and with the least frequent answers, ascending.

    Sorted by the votes of their answers, with 0 for an abstention, they are min(w, K // 2) of the most
    frequent and the rest of the least frequent, where K = `count` and w completions give the elected
    answer. Of equally frequent ones the first come first at either end. All are kept if there are no more.
    Source: DDRL (arXiv:2604.21327), its selection; the fixed advantage of the same paper is a setting of its
    own. Deviation: of equally frequent answers the elected one counts as more frequent, whereas the published
    code can take the loser of a tie for the winner.
    """
    everyone = range(len(consensus.class_of))
    if count >= len(everyone):
        return list(everyone)
    votes = [0 if index is None else consensus.counts[index] for index in consensus.class_of]
    elected = [index is not None and index == consensus.winner for index in consensus.class_of]
    ranked = sorted(everyone, key=lambda i: (-votes[i], not elected[i], i))
    top = ranked[: min(sum(elected), count // 2)]
    rare = sorted(ranked[len(top) :], key=lambda i: (votes[i], elected[i], i))
    return sorted(top + rare[: count - len(top)])


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


ANSWER_KEY = "answer-key"
"""The upper bound from true labels. It lives with them, in `ttrl.evaluation.answer_key`."""
LOGPROBS: frozenset[Recorded] = frozenset({"logprobs"})
ENTROPY: frozenset[Recorded] = frozenset({"entropy"})


def _of_votes(
    rewards: Callable[[Consensus], tuple[float, ...]],
    leave_out: Callable[[Consensus, Sequence[float]], str | None] | None = None,
) -> RewardRule:
    return RewardRule(rewards=lambda _, consensus: rewards(consensus), leave_out=leave_out)


def _text_similarities(texts: Sequence[str], *, measure: TextMeasure) -> NDArray[np.float64]:
    from ttrl.answers.similar.text import text_similarity  # exact votes need no numpy

    return text_similarity(texts, measure=measure)


RULES: dict[str, Callable[[RunConfig], RewardRule]] = {
    "agreement": lambda c: _of_votes(agreement, nearly_flat_texts),
    "majority": lambda c: _of_votes(agreement_rewards),
    "soft": lambda c: _of_votes(vote_shares),
    "selective": lambda c: RewardRule(
        rewards=partial(
            selective_rewards,
            share=c.selective_share,
            margin=c.selective_margin,
            negative=c.selective_negative,
            entropy_weight=c.selective_entropy,
        ),
        reads=ENTROPY,
    ),
    "confidence": lambda c: RewardRule(
        rewards=lambda _, consensus: agreement_rewards(consensus),
        weigh=partial(weights_of_group, temperature=c.confidence_temperature),
        needs=LOGPROBS,
    ),
    "similarity": lambda c: _of_votes(mean_similarity, nearly_flat),
    "medoid": lambda c: _of_votes(similarity_to_label, nearly_flat),
    "threshold": lambda c: _of_votes(partial(similar_enough, threshold=c.similarity_threshold)),
    "novel": lambda c: RewardRule(
        rewards=partial(
            novel_rewards, similarities=partial(_text_similarities, measure=c.text_measure)
        )
    ),
    "random": lambda c: RewardRule(rewards=partial(fair_coins, seed=c.seed)),
    "format": lambda c: _of_votes(answered),
}
"""One row per rule: its function of the group and its consensus, its settings, and what it reads."""


def check_rule(config: RunConfig) -> None:
    """Checks `config.reward` before anything is loaded.

    Raises:
        ConfigError: it names no rule, or one that cannot go with adaptive votes.
    """
    if config.reward != ANSWER_KEY:
        make_rule(config)


def make_rule(config: RunConfig) -> RewardRule:
    """Makes the rule that `config.reward` names.

    Raises:
        ConfigError: an unknown name, a function of the user's that cannot be loaded, a verifier that is no
            program, or adaptive votes with a rule that weighs them.
    """
    name = config.reward
    if name in RULES:
        rule = RULES[name](config)
    elif ":" in name:
        rule = RewardRule(
            rewards=partial(
                custom_rewards, task=make_task(config), name=name, function=load_function(name)
            ),
            reads=LOGPROBS | ENTROPY,  # it may
        )
    else:
        known = [*RULES, ANSWER_KEY]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"reward={name!r} is not known.{hint} Choose one of {', '.join(known)}, or name a function of "
            "your own as package.module:function."
        )
    if config.verifier is not None:
        rule = _verified(rule, config.verifier, config)
    if config.votes == "adaptive" and rule.weigh is not None:
        raise ConfigError(
            f"votes=adaptive with reward={name}: it elects by weights, so no lead can be counted. Use "
            "votes: fixed, or the reward majority."
        )
    return rule


def _verified(rule: RewardRule, command: str, config: RunConfig) -> RewardRule:
    """The same rule with votes that weigh what the verifier says, times what they weigh by the rule."""
    verifier = Verifier(
        command, verified_weight=config.verifier_weight, seconds=config.verifier_seconds
    )
    own = rule.weigh

    def weigh(group: Group, answers: Sequence[str | None]) -> Sequence[float]:
        weights = verifier.weigh(group, answers)
        if own is None:
            return weights
        return [a * b for a, b in zip(own(group, answers), weights, strict=True)]

    return replace(
        rule, weigh=weigh, weigh_answers=verifier.weigh_answers, measure=verifier.measure
    )


def score(
    group: Group, consensus: Consensus, *, rule: RewardRule, config: RunConfig, step: int
) -> ScoredGroup:
    """Rewards all M completions of a group and chooses the K that are trained on.

    Args:
        consensus: what the group agrees on.
        config: gives K and `trained_choice`.
        step: decides, with the seed and the question, which completions `trained_choice: random` keeps.
    """
    rewards = rule.rewards(group, consensus)
    kept = trained_subset(rewards, consensus, config, step=step, question_id=group.question.id)
    return ScoredGroup(
        group=group,
        consensus=consensus,
        rewards=rewards,
        kept=tuple(kept),
        skipped=rule.leave_out(consensus, rewards) if rule.leave_out else None,
    )
