"""The only carrier of tensors: the samples of one micro-batch, with equal beginnings stored once.

Completions of one question share their prompt and often many tokens. A row of the batch holds them as a
tree of tokens; each token attends to its ancestors only, so the model sees every completion as if it
stood alone while shared tokens are computed once. Per-completion tensors are read off by paths.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ttrl.types import TrainingSample

_TREE_TOKENS = 384
"""Largest tree under a mask: attention over it is quadratic, sharing within it saves the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """R trees of at most T tokens that hold N completions of at most C tokens."""

    input_ids: Tensor
    """[R, T], padded on the right; packed trees stand one after another in one row"""
    position_ids: Tensor
    """Depth in the tree.   [R, T]"""
    attention_mask: Tensor
    """Plain causal rows: 1 on tokens, 0 on padding [R, T]. Trees: True where query row may see key column
    [R, 1, T, T]. Packed trees: chains say it, and this is empty."""
    chains: Chains | None
    """Of packed trees."""
    edge_node: Tensor
    """Place, in the flattened [R, T], of the token that predicts; ascending.   [E]"""
    edge_token: Tensor
    """The predicted token.   [E]"""
    paths: Tensor
    """Edges of each completion, in order; 0 after its end.   [N, C]"""
    order: tuple[int, ...]
    """Place of each completion among the samples that the batches were made of.   [N]"""
    mask: Tensor
    """1 on tokens, 0 after the end.   [N, C]"""
    token_shares: Tensor
    """Weight of each token in the loss of the whole update; 0 after the end.   [N, C]"""
    counted: Tensor
    """Multiplicity of each token's completion; 0 after the end.   [N, C]"""
    rewards: Tensor
    """[N]"""
    sampler_logprobs: Tensor
    """[N, C], as are the columns below: 0 after the end, and where the samples have none"""
    old_logprobs: Tensor
    """What the probability ratio is taken to: the sampler's, where the samples name no other."""
    importance: Tensor
    """1 on tokens where the samples have none."""
    advantages: Tensor
    values: Tensor
    returns: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """Packed trees as runs of tokens, each of which follows the one before.

    A token sees itself, its chain before it, the chain of its chain's parent up to that parent, and so on.
    """

    tree: Tensor
    """First chain of each tree, and the end.   [trees + 1]"""
    first: Tensor
    """First token of each chain, and the end.   [chains + 1]"""
    parent: Tensor
    """Token that the chain follows; -1 for none.   [chains]"""
    longest: int
    """Most tokens from a root to a leaf."""


Layout = Literal["rows", "trees", "packed"]
"""Completions each in its own row; trees padded to rows, for models that take a mask; or no padding."""


@dataclass(slots=True)
class _Tree:
    """One row while it grows."""

    ids: list[int]
    parents: list[int]
    places: list[int] = field(default_factory=list)
    """Of its completions among the samples."""
    edges: dict[tuple[int, int], int] = field(default_factory=dict)
    """(predicting node, token) -> edge; its node, if it predicts in turn, is in `node_of`."""
    node_of: dict[int, int] = field(default_factory=dict)
    paths: list[list[int]] = field(default_factory=list)
    prompt: int = 0

    @staticmethod
    def start(sample: TrainingSample) -> _Tree:
        prompt = list(sample.completion.prompt_ids)
        return _Tree(ids=prompt, parents=list(range(-1, len(prompt) - 1)), prompt=len(prompt))

    def add(self, sample: TrainingSample, place: int) -> None:
        """The last token of a completion predicts nothing, so it is an edge without a node."""
        node, path = self.prompt - 1, []
        tokens = sample.completion.token_ids
        for depth, token in enumerate(tokens, start=1):
            edge = self.edges.setdefault((node, token), len(self.edges))
            path.append(edge)
            if depth < len(tokens):
                if edge not in self.node_of:
                    self.node_of[edge] = len(self.ids)
                    self.ids.append(token)
                    self.parents.append(node)
                node = self.node_of[edge]
        self.places.append(place)
        self.paths.append(path)

    def new_nodes(self, sample: TrainingSample) -> int:
        """How many tokens the sample would add."""
        node, tokens = self.prompt - 1, sample.completion.token_ids
        for place, token in enumerate(tokens[:-1]):
            edge = self.edges.get((node, token))
            if edge is None or edge not in self.node_of:
                return len(tokens) - 1 - place
            node = self.node_of[edge]
        return 0


def micro_batches(
    samples: Sequence[TrainingSample],
    shares: Sequence[float],
    *,
    token_budget: int,
    layout: Layout,
    device: torch.device,
) -> Iterator[Batch]:
    """Batches of at most `token_budget` tokens, padding included (one tree at least), like sizes together.

    Args:
        samples: N of them, in any order.
        shares: the weight of each token of each sample in the loss.   [N]
    """
    # Attention over a mask is quadratic in the tree; over chains it is not, and all sharing pays.
    limit = {"rows": 0, "trees": _TREE_TOKENS, "packed": token_budget}[layout]
    trees = sorted(_grow(samples, limit), key=lambda tree: -len(tree.ids))
    start = 0
    while start < len(trees):
        end, width, total = start, len(trees[start].ids), 0
        while end < len(trees) and (
            end == start or max((end + 1 - start) * width * (layout != "packed"),
                                total + len(trees[end].ids)) <= token_budget
        ):  # fmt: skip
            total += len(trees[end].ids)
            end += 1
        yield _batch(trees[start:end], samples, shares, device, layout)
        start = end


def _grow(samples: Sequence[TrainingSample], limit: int) -> list[_Tree]:
    """Trees of one question each and at most `limit` tokens; in lexicographic order: like beginnings meet."""
    completions = [sample.completion for sample in samples]
    ordered = sorted(
        range(len(samples)),
        key=lambda i: (completions[i].prompt_ids, completions[i].token_ids, samples[i].reward),
    )
    trees: list[_Tree] = []
    prompt = None
    for place in ordered:
        sample = samples[place]
        fits = (
            trees
            and sample.completion.prompt_ids == prompt
            and len(trees[-1].ids) + trees[-1].new_nodes(sample) <= limit
        )
        if not fits:
            trees.append(_Tree.start(sample))
            prompt = sample.completion.prompt_ids
        trees[-1].add(sample, place)
    return trees


def _batch(
    trees: Sequence[_Tree],
    samples: Sequence[TrainingSample],
    shares: Sequence[float],
    device: torch.device,
    layout: Layout,
) -> Batch:
    width = max(len(tree.ids) for tree in trees)
    starts = [row * width for row in range(len(trees))]
    shape = (len(trees), width)
    if layout == "packed":
        starts = list(itertools.accumulate((len(tree.ids) for tree in trees), initial=0))
        shape = (1, starts[-1])
    ids = torch.zeros(shape[0] * shape[1], dtype=torch.long)
    positions = torch.zeros_like(ids)
    longest = max(len(path) for tree in trees for path in tree.paths)
    order = tuple(place for tree in trees for place in tree.places)
    paths = torch.zeros(len(order), longest, dtype=torch.long)
    nodes: list[int] = []
    tokens: list[int] = []
    row = 0
    for start, tree in zip(starts, trees, strict=False):
        span = slice(start, start + len(tree.ids))
        ids[span] = torch.tensor(tree.ids)
        positions[span] = torch.tensor(_depths(tree))
        edges = sorted(tree.edges, key=lambda edge: edge[0])
        place_of = {tree.edges[edge]: len(nodes) + place for place, edge in enumerate(edges)}
        for path in tree.paths:
            paths[row, : len(path)] = torch.tensor([place_of[edge] for edge in path])
            row += 1
        nodes += [start + node for node, _ in edges]
        tokens += [token for _, token in edges]
    chosen = [samples[place] for place in order]
    lengths = np.array([len(s.completion.token_ids) for s in chosen])
    on_tokens = np.arange(longest) < lengths[:, None]

    def column(rows: Sequence[Sequence[float]]) -> Tensor:
        """One number per token, 0 after the end; all 0 where there are none.   [N, C]"""
        filled = np.zeros(on_tokens.shape, dtype=np.float32)
        if rows[0]:
            filled[on_tokens] = np.fromiter(itertools.chain.from_iterable(rows), np.float32)
        return torch.from_numpy(filled)

    mask = torch.from_numpy(on_tokens).float()
    sampler = column([s.completion.logprobs for s in chosen])
    columns = {
        "mask": mask,
        "token_shares": mask * torch.tensor([shares[place] for place in order])[:, None],
        "counted": mask * torch.tensor([s.weight for s in chosen])[:, None],
        "rewards": torch.tensor([s.reward for s in chosen]),
        "sampler_logprobs": sampler,
        "old_logprobs": column([s.old_logprobs for s in chosen])
        if chosen[0].old_logprobs
        else sampler,
        "importance": column([s.importance for s in chosen]) if chosen[0].importance else mask,
        "advantages": column([s.advantages for s in chosen]),
        "values": column([s.values for s in chosen]),
        "returns": column([s.returns for s in chosen]),
    }
    return Batch(
        input_ids=ids.view(shape).to(device),
        position_ids=positions.view(shape).to(device),
        attention_mask=_mask(trees, width, layout).to(device),
        chains=_chains(trees) if layout == "packed" else None,
        edge_node=torch.tensor(nodes).to(device),
        edge_token=torch.tensor(tokens).to(device),
        paths=paths.to(device),
        order=order,
        **{name: column.to(device) for name, column in columns.items()},
    )


def _depths(tree: _Tree) -> list[int]:
    depth = [0] * len(tree.ids)
    for node, parent in enumerate(tree.parents):
        if parent >= 0:
            depth[node] = depth[parent] + 1
    return depth


def _runs(tree: _Tree) -> Iterator[tuple[int, int]]:
    """Chains of the tree, from first to last token and one further."""
    start = 0
    while start < len(tree.ids):
        end = start + 1
        while end < len(tree.ids) and tree.parents[end] == end - 1:
            end += 1
        yield start, end
        start = end


def _chains(trees: Sequence[_Tree]) -> Chains:
    tree_at, first, parent = [0], [0], []
    offset = longest = 0
    for tree in trees:
        for start, end in _runs(tree):
            first.append(offset + end)
            parent.append(offset + tree.parents[start] if tree.parents[start] >= 0 else -1)
        tree_at.append(len(parent))
        longest = max(longest, 1 + max(_depths(tree)))
        offset += len(tree.ids)
    return Chains(
        tree=torch.tensor(tree_at),
        first=torch.tensor(first),
        parent=torch.tensor(parent),
        longest=longest,
    )


def _mask(trees: Sequence[_Tree], width: int, layout: Layout) -> Tensor:
    if layout == "packed":
        return torch.zeros(0)
    if layout == "rows":
        lengths = torch.tensor([len(tree.ids) for tree in trees])
        return (torch.arange(width) < lengths[:, None]).long()
    sees = torch.eye(width, dtype=torch.bool).repeat(len(trees), 1, 1)
    for row, tree in zip(sees, trees, strict=True):
        for start, end in _runs(tree):
            if tree.parents[start] >= 0:
                row[start:end] |= row[tree.parents[start]]
            row[start:end, start:end] |= torch.ones(
                end - start, end - start, dtype=torch.bool
            ).tril()
    return sees.unsqueeze(1)
