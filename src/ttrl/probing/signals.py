"""Measures the votes of a probe without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

from ttrl.consensus.marginal import unreliability
from ttrl.consensus.summary import mean
from ttrl.consensus.vote import vote_on_group
from ttrl.probing.draw import Draws, Voted
from ttrl.types import Consensus, Task

FEWEST_CHANGES = 6
"""Fewest changed questions with a confident original for which `ignored_numbers` is reported."""
CONFIDENT = 0.5
"""An elected answer is confident if it has more than this share of the sharp votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Measures of a probe's votes. Shares are in [0, 1] and count abstentions in their denominators."""

    questions: int
    votes_per_question: int
    majority_ratio: float
    """The winner's votes / all votes, mean over questions."""
    majority_ratio_quartiles: tuple[float, float, float]
    margin: float
    """The winner's lead over the second / all votes, mean over questions."""
    unanimous: float
    """Share of questions with one answer and no abstention."""
    within: float
    """Probability that two different votes on a question agree, mean over questions. Mean similarity for
    texts and programs."""
    across: float | None
    """Probability that votes on two different questions agree: the agreement to expect if the question
    does not matter. None for texts and programs, and for a single question."""
    halves: float | None
    """Share of questions on which both halves of the votes elect the same answer; None for texts and
    programs."""
    unreliability: float | None
    """U over redrawn votes of as large a share as the run trains on, mean over questions, in [0, 1]; None for
    texts and programs, or where fewer than two completions are trained on."""
    distinct_answers: float
    """Number of different answers per question."""
    distinct_labels: float
    """Number of different labels / questions; a run with views has them elected by votes on views too."""
    no_answer: float
    truncated: float
    entropy: float
    """Nats per token."""
    mean_tokens: float
    longest_tokens: float
    """99 % quantile of the lengths of completions that were not cut, in tokens; 0 if all were cut."""
    distinct_completions: float
    """Share of completions that differ from all others of their question before them."""
    sharp_within: float
    """`within` of the sharper votes."""
    changes: int
    """Number of changed questions whose original has a confident answer."""
    ignored_numbers: float | None
    """Share of the votes on these that give the answer of the original; None if there are fewer than 6."""

    @property
    def kappa(self) -> float | None:
        """Returns agreement beyond chance, (within - across) / (1 - across).
        It is 1 in full agreement, 0 if the question does not matter, and None if `across` is.
        """
        if self.across is None:
            return None
        return (self.within - self.across) / (1 - self.across) if self.across < 1 else 0.0


def measure(draws: Draws, *, task: Task, tie_seed: int, trained_share: float = 0.5) -> Signals:
    """Computes all signals of a probe's draws.

    Args:
        trained_share: the share of its votes that the run trains on, K / M.
    """
    votes = [v.consensus for v in draws.votes]
    completions = [c for v in draws.votes for c in v.group.completions]
    tokens = sum(len(c.token_ids) for c in completions)
    ratios = [v.majority_ratio for v in votes]
    ended = sorted(len(c.token_ids) for c in completions if c.finish_reason != "length")
    similar = any(v.centrality is not None for v in votes)
    changes, ignored = _ignored(draws)
    return Signals(
        questions=len(votes),
        votes_per_question=max(len(v.class_of) for v in votes),
        majority_ratio=mean(ratios),
        majority_ratio_quartiles=_quartiles(ratios),
        margin=mean([_margin(v) for v in draws.votes]),
        unanimous=mean([float(ratio == 1.0) for ratio in ratios]),
        within=within(draws.votes),
        across=None if similar else across(draws.votes),
        halves=None if similar else halves(draws.votes, task=task, tie_seed=tie_seed),
        unreliability=_unreliability(votes, trained_share),
        distinct_answers=mean([float(len(v.counts)) for v in votes]),
        distinct_labels=len({v.elected for v in draws.labels} - {None}) / len(votes),
        no_answer=sum(v.abstained for v in votes) / len(completions),
        truncated=mean([float(c.finish_reason == "length") for c in completions]),
        entropy=sum(sum(c.entropy) for c in completions) / max(1, tokens),
        mean_tokens=tokens / len(completions),
        longest_tokens=float(ended[int(0.99 * (len(ended) - 1))]) if ended else 0.0,
        distinct_completions=mean(
            [len({c.token_ids for c in v.group.completions}) / len(v.group.completions)
             for v in draws.votes]
        ),
        sharp_within=within(draws.sharp),
        changes=changes,
        ignored_numbers=ignored,
    )  # fmt: skip


def within(voted: Sequence[Voted]) -> float:
    """Estimates the probability that two votes on a question agree, without bias; mean over questions."""
    shares = []
    for each in voted:
        size = len(each.consensus.class_of)
        if each.consensus.centrality is not None:
            shares.append(mean(each.consensus.centrality))
        elif size > 1:
            pairs = sum(count * (count - 1) for count in each.consensus.counts)
            shares.append(pairs / (size * (size - 1)))
    return mean(shares)


def across(voted: Sequence[Voted]) -> float | None:
    """Returns the probability that votes on two questions agree; None for a single question."""
    pooled: Counter[object] = Counter()
    same = pairs_within = total = 0
    for each in voted:
        counts = each.consensus.counts
        pooled.update(dict(zip(each.consensus.keys, counts, strict=True)))
        same += sum(count * count for count in counts)
        pairs_within += len(each.consensus.class_of) ** 2
        total += len(each.consensus.class_of)
    pairs = total * total - pairs_within
    return (sum(n * n for n in pooled.values()) - same) / pairs if pairs else None


def halves(voted: Sequence[Voted], *, task: Task, tie_seed: int) -> float:
    """Returns the share of questions whose first and second half of the votes elect the same answer."""

    def elected(each: Voted, first: int, last: int) -> object:
        half = replace(each.group, completions=each.group.completions[first:last])
        consensus = vote_on_group(task, half, tie_seed=tie_seed)
        return None if consensus.winner is None else consensus.keys[0]

    same = []
    for each in voted:
        size = len(each.group.completions) // 2
        first, second = elected(each, 0, size), elected(each, size, 2 * size)
        same.append(float(first is not None and first == second))
    return mean(same)


def _ignored(draws: Draws) -> tuple[int, float | None]:
    """Changed questions with a confident original, and the share of votes for the original's answer."""
    same = [
        copy.share_of(original.elected)
        for original, copies in zip(draws.sharp, draws.changed, strict=True)
        if original.consensus.majority_ratio > CONFIDENT
        for copy in copies
    ]
    return len(same), mean(same) if len(same) >= FEWEST_CHANGES else None


def _unreliability(votes: Sequence[Consensus], trained_share: float) -> float | None:
    found = [
        unreliability(vote, range(round(trained_share * len(vote.class_of)))) for vote in votes
    ]
    known = [each for each in found if each is not None]
    return mean(known) if known else None


def _margin(voted: Voted) -> float:
    counts = (*voted.consensus.counts, 0, 0)
    return (counts[0] - counts[1]) / len(voted.consensus.class_of)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return (values[0],) * 3
    low, median, high = quantiles(values, n=4, method="inclusive")
    return low, median, high
