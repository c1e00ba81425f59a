"""What the guard looks at beside the votes: KL to the base, repetition, and answers that ignore numbers."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ttrl.config import RunConfig
from ttrl.consensus.summary import mean
from ttrl.consensus.vote import vote_on_group
from ttrl.data.changed import changed_questions
from ttrl.errors import DataError
from ttrl.seeding import derive_seed
from ttrl.training.votes import vote_params
from ttrl.types import Completion, Metrics, Sampler, ScoredGroup, Task

BaseLogprobs = Callable[[Sequence[Completion]], Sequence[Sequence[float]]]
"""The log-probability of each token of some completions under the base model."""

MOST_COMPLETIONS, FEWEST_COMPLETIONS = 32, 16
SHARE = 16
"""KL and repetition are read from one trained completion in so many, but from 16 at least and 32 at most."""
EVERY_STEP = 12
"""Steps at the start in each of which KL is measured; later it is in every second one."""
CHANGED_EVERY = 5
"""Steps between two looks at changed questions."""
CHANGED_QUESTIONS, CHANGED_VOTES = 8, 4
FEWEST_CHANGED = 3
"""Of fewer changed questions nothing is reported."""
CONFIDENT = 0.5
"""An elected answer with more than this share of the votes is asked about again, with another number."""
PAID_WITHOUT_VOTES = frozenset({"random", "format", "answer-key"})
"""Rewards that do not claim to follow a vote."""
LARGEST_LOG_RATIO = 1.0
"""Of base / pi, in nats."""
GRAM = 4
"""Tokens in a row that may be repeated."""


def guard_signals(
    scored: Sequence[ScoredGroup],
    *,
    base: BaseLogprobs | None,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
) -> Metrics:
    """Measures a step for the guard, without true labels. It draws nothing that the run draws itself.

    guard/kl: nats per token, KL(pi || pi_base) estimated on some trained completions, with pi as it was when
        it sampled them; only with `base`, and after 12 steps in every second one.
    guard/repetition: share of the tokens' 4-grams that their completion has had before.
    guard/across: chance that votes on two different questions agree.
    guard/pay_for_label: how much more the elected answer is paid than the others, in [-1, 1]; see
        `pay_for_label`.
    guard/ignored_numbers: share of the votes on changed copies of confidently answered questions that give
        the answer of the original; every 5 steps, if 3 questions or more can be asked.
    guard/tokens and guard/seconds: what all of this took.

    Args:
        base: log-probabilities under the base model; None where there is none at hand.
        step: counted from 0.
    """
    begin = time.perf_counter()
    chosen = some_of([c for group in scored for c, _ in group.trained])
    found = {
        **vote_signals(scored, config),
        "guard/repetition": mean([repetition(c.token_ids) for c in chosen]),
    }
    if base is not None and chosen and is_kl_step(step):
        found["guard/kl"] = kl_estimate(chosen, base(chosen))
    if step % CHANGED_EVERY == 0:
        found |= _ignored_numbers(scored, sampler=sampler, task=task, config=config, step=step)
    return found | {"guard/seconds": time.perf_counter() - begin}


def is_kl_step(step: int) -> bool:
    """Returns whether KL is measured in a step, counted from 0."""
    return step < EVERY_STEP or step % 2 == 0


def vote_signals(scored: Sequence[ScoredGroup], config: RunConfig) -> dict[str, float]:
    """Returns those signals that need neither texts nor tokens."""
    found = {}
    if (across := agreement_across(scored)) is not None:
        found["guard/across"] = across
    if config.reward not in PAID_WITHOUT_VOTES and (paid := pay_for_label(scored)) is not None:
        found["guard/pay_for_label"] = paid
    return found


def some_of(completions: Sequence[Completion]) -> list[Completion]:
    """Returns one completion in 16, at least 16 and at most 32, evenly spread; all if there are fewer."""
    wanted = min(MOST_COMPLETIONS, max(FEWEST_COMPLETIONS, len(completions) // SHARE))
    if len(completions) <= wanted:
        return list(completions)
    return [completions[i * len(completions) // wanted] for i in range(wanted)]


def kl_estimate(completions: Sequence[Completion], base: Sequence[Sequence[float]]) -> float:
    """Estimates KL(pi || base) by k3, the mean over all tokens of r - 1 - log r with r = base / pi, nats.

    Near 0 it has far less noise than the mean of -log r (k1). log r is cut at 1, so that one token that the
    base prefers does not outweigh all others; with that it is a little low, never by more than 1 nat.
    Source: Schulman, "Approximating KL divergence" (2020).

    Args:
        completions: sampled from pi, with its log-probabilities.
        base: the base's log-probabilities of the same tokens.
    """
    ratios = [
        min(LARGEST_LOG_RATIO, other - own)
        for completion, row in zip(completions, base, strict=True)
        for own, other in zip(completion.logprobs, row, strict=True)
    ]
    return math.fsum(math.expm1(d) - d for d in ratios) / max(1, len(ratios))


def repetition(tokens: Sequence[int]) -> float:
    """Returns the share of 4-grams that came before in the same completion; 0 of fewer than 4 tokens."""
    grams = [tuple(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def agreement_across(scored: Sequence[ScoredGroup]) -> float | None:
    """Returns the chance that votes on two different questions agree, which is high if answers ignore them.

    None for a single question and for answers that are similar and not equal.
    """
    pooled: Counter[object] = Counter()
    same = inside = total = 0
    for group in scored:
        vote = group.consensus
        if vote.centrality is not None:
            return None
        size = sum(vote.counts) + vote.abstained
        pooled.update(dict(zip(vote.keys, vote.counts, strict=True)))
        same += sum(count * count for count in vote.counts)
        inside += size**2
        total += size
    pairs = total**2 - inside
    return (sum(n * n for n in pooled.values()) - same) / pairs if pairs else None


def pay_for_label(scored: Sequence[ScoredGroup]) -> float | None:
    """Returns how much more the completions with the elected answer are paid than the others.

    The difference of the mean rewards over the spread of all, in [-1, 1]: 1 where agreement with the vote is
    paid, 0 where something else is. Mean over questions whose rewards differ; None without any, and for
    answers that are similar and not equal.
    """
    found = []
    for group in scored:
        vote = group.consensus
        spread = max(group.rewards) - min(group.rewards)
        inside = [r for r, c in zip(group.rewards, vote.class_of, strict=True) if c == vote.winner]
        outside = [r for r, c in zip(group.rewards, vote.class_of, strict=True) if c != vote.winner]
        if vote.centrality is None and spread and inside and outside:
            found.append((mean(inside) - mean(outside)) / spread)
    return mean(found) if found else None


def _ignored_numbers(
    scored: Sequence[ScoredGroup],
    *,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    step: int,
) -> dict[str, float]:
    """Asks a few confidently answered questions again with another number; empty if too few can be."""
    asked = []
    for group in scored:
        vote = group.consensus
        if vote.centrality is None and vote.winner is not None and vote.majority_ratio > CONFIDENT:
            question = group.group.question
            copies = changed_questions(question, task=task, count=1, seed=config.seed)
            asked += [(copy, vote.keys[0]) for copy in copies]
    asked = asked[:CHANGED_QUESTIONS]
    if len(asked) < FEWEST_CHANGED:
        return {}
    params = replace(vote_params(config), temperature=min(1.0, config.temperature))
    try:
        groups = sampler.sample(
            [copy for copy, _ in asked],
            n=CHANGED_VOTES,
            params=params,
            seed=derive_seed(config.seed, "guard", step),
        )
    except DataError:  # another number has more tokens than the context has left
        return {}
    same = []
    for group_of_copy, (_, key) in zip(groups, asked, strict=True):
        vote = vote_on_group(task, group_of_copy, tie_seed=config.seed)
        votes = dict(zip(vote.keys, vote.counts, strict=True))
        same.append(votes.get(key, 0) / len(group_of_copy.completions))
    tokens = sum(len(c.token_ids) for group in groups for c in group.completions)
    return {"guard/ignored_numbers": mean(same), "guard/tokens": float(tokens)}
