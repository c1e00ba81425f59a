"""Rewards that know nothing of agreement. An honest study shows what these reach.

Source: Spurious Rewards (arXiv:2506.10947): on some models random rewards and rewards for the format alone
raise accuracy nearly as much as true ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from ttrl.consensus.vote import vote_on_group
from ttrl.seeding import derive_seed
from ttrl.types import Group, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomReward:
    """A fair coin per completion. The consensus is recorded and earns nothing.

    The coin depends on the seed, the question, the place and all texts of the group, so it is tossed anew
    whenever a group is sampled anew, and falls the same way when a run is repeated.
    """

    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        seed = derive_seed(
            self.tie_seed, "coin", group.question.id, *(c.text for c in group.completions)
        )
        places = range(len(group.completions))
        rewards = tuple(float(derive_seed(seed, index) % 2) for index in places)
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatReward:
    """1 for giving an answer that can be read, whatever it says; 0 for abstaining."""

    tie_seed: int

    def __call__(self, task: Task, group: Group) -> ScoredGroup:
        consensus = vote_on_group(task, group, tie_seed=self.tie_seed)
        rewards = tuple(float(index is not None) for index in consensus.class_of)
        return ScoredGroup(group=group, consensus=consensus, rewards=rewards)
