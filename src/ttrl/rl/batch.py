"""The only carrier of tensors: the samples of one micro-batch, with equal beginnings stored once.

Completions of one question share their prompt and often many tokens. A row of the batch holds them as a
tree of tokens; each token attends to its ancestors only, so the model sees every completion as if it
stood alone while shared tokens are computed once. Per-completion tensors are read off by paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ttrl.types import TrainingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """R trees of at most T tokens that hold N completions of at most C tokens."""

    input_ids: Tensor
    """[R, T], padded on the right"""
    position_ids: Tensor
    """Depth in the tree.   [R, T]"""
    attention_mask: Tensor
    """Plain causal rows: 1 on tokens, 0 on padding [R, T]. Trees: True where query row may see key column
    [R, 1, T, T]."""
    first_logit: int
    """No token before this column predicts one of a completion."""
    edge_node: Tensor
    """Place, in the flattened [R, T], of the token that predicts.   [E]"""
    edge_token: Tensor
    """The predicted token.   [E]"""
    paths: Tensor
    """Edges of each completion, in order; 0 after its end.   [N, C]"""
    token_weights: Tensor
    """Share of each token in the loss; 0 after the end.   [N, C]

    Over all micro-batches of one update the weights sum to 1 (token mean over the sampled
    completions, each with its multiplicity), so the gradient does not depend on the micro-batches.
    """
    old_logprobs: Tensor
    """Of the sampler; 0 after the end.   [N, C]"""
    advantages: Tensor
    """[N]"""


@dataclass(slots=True)
class _Tree:
    """One row while it grows."""

    ids: list[int]
    parents: list[int]
    samples: list[TrainingSample] = field(default_factory=list)
    edges: dict[tuple[int, int], int] = field(default_factory=dict)
    """(predicting node, token) -> edge; its node, if it predicts in turn, is in `node_of`."""
    node_of: dict[int, int] = field(default_factory=dict)
    paths: list[list[int]] = field(default_factory=list)
    prompt: int = 0

    @staticmethod
    def start(sample: TrainingSample) -> _Tree:
        prompt = list(sample.completion.prompt_ids)
        return _Tree(ids=prompt, parents=list(range(-1, len(prompt) - 1)), prompt=len(prompt))

    def add(self, sample: TrainingSample) -> None:
        """The last token of a completion predicts nothing, so it is an edge without a node."""
        node, path = self.prompt - 1, []
        tokens = sample.completion.token_ids
        for place, token in enumerate(tokens):
            edge = self.edges.setdefault((node, token), len(self.edges))
            path.append(edge)
            if place + 1 < len(tokens):
                if edge not in self.node_of:
                    self.node_of[edge] = len(self.ids)
                    self.ids.append(token)
                    self.parents.append(node)
                node = self.node_of[edge]
        self.samples.append(sample)
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
    *,
    token_budget: int,
    tree_tokens: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Batches of at most `token_budget` padded tokens (one tree at least), like sizes together.

    Args:
        tree_tokens: largest tree; attention is quadratic in it. 0 gives every completion a plain row.
    """
    denominator = sum(s.weight * len(s.completion.token_ids) for s in samples)
    trees = sorted(_grow(samples, tree_tokens), key=lambda tree: -len(tree.ids))
    start = 0
    while start < len(trees):
        rows = max(1, token_budget // len(trees[start].ids))
        yield _pad(trees[start : start + rows], denominator, device, plain=tree_tokens == 0)
        start += rows


def _grow(samples: Sequence[TrainingSample], tree_tokens: int) -> list[_Tree]:
    """Trees of one question each; in lexicographic order, so that like beginnings meet."""
    ordered = sorted(
        samples, key=lambda s: (s.completion.prompt_ids, s.completion.token_ids, s.advantage)
    )
    trees: list[_Tree] = []
    prompt = None
    for sample in ordered:
        fits = (
            trees
            and sample.completion.prompt_ids == prompt
            and len(trees[-1].ids) + trees[-1].new_nodes(sample) <= tree_tokens
        )
        if not fits:
            trees.append(_Tree.start(sample))
            prompt = sample.completion.prompt_ids
        trees[-1].add(sample)
    return trees


def _pad(trees: Sequence[_Tree], denominator: float, device: torch.device, *, plain: bool) -> Batch:
    width = max(len(tree.ids) for tree in trees)
    longest = max(len(path) for tree in trees for path in tree.paths)
    count = sum(len(tree.samples) for tree in trees)
    ids = torch.zeros(len(trees), width, dtype=torch.long)
    positions = torch.zeros(len(trees), width, dtype=torch.long)
    mask = torch.zeros(len(trees), width, dtype=torch.long)
    sees = torch.zeros(0) if plain else torch.eye(width, dtype=torch.bool).repeat(len(trees), 1, 1)
    paths = torch.zeros(count, longest, dtype=torch.long)
    weights, old = torch.zeros(count, longest), torch.zeros(count, longest)
    nodes: list[int] = []
    tokens: list[int] = []
    samples: list[TrainingSample] = []
    for row, tree in enumerate(trees):
        ids[row, : len(tree.ids)] = torch.tensor(tree.ids)
        mask[row, : len(tree.ids)] = 1
        depth = [0] * len(tree.ids)
        for node, parent in enumerate(tree.parents):
            if parent >= 0:
                depth[node] = depth[parent] + 1
        positions[row, : len(tree.ids)] = torch.tensor(depth)
        if not plain:
            _let_see_ancestors(sees[row], tree)
        for place, path in enumerate(tree.paths, start=len(samples)):
            paths[place, : len(path)] = torch.tensor(path) + len(nodes)
        nodes += [row * width + node for node, _ in tree.edges]
        tokens += [token for _, token in tree.edges]
        samples += tree.samples
    for place, sample in enumerate(samples):
        length = len(sample.completion.token_ids)
        weights[place, :length] = sample.weight / denominator
        old[place, :length] = torch.tensor(sample.completion.logprobs)
    return Batch(
        input_ids=ids.to(device),
        position_ids=positions.to(device),
        attention_mask=(mask if plain else sees.unsqueeze(1)).to(device),
        first_logit=min(tree.prompt for tree in trees) - 1,
        edge_node=torch.tensor(nodes).to(device),
        edge_token=torch.tensor(tokens).to(device),
        paths=paths.to(device),
        token_weights=weights.to(device),
        old_logprobs=old.to(device),
        advantages=torch.tensor([sample.advantage for sample in samples]).to(device),
    )


def _let_see_ancestors(sees: Tensor, tree: _Tree) -> None:
    """A run of only children sees what its first member's parent sees, plus itself up to each member."""
    prompt = tree.prompt
    sees[:prompt, :prompt] = torch.ones(prompt, prompt, dtype=torch.bool).tril()
    start = prompt
    while start < len(tree.ids):
        end = start + 1
        while end < len(tree.ids) and tree.parents[end] == end - 1:
            end += 1
        sees[start:end] |= sees[tree.parents[start]]
        sees[start:end, start:end] |= torch.ones(end - start, end - start, dtype=torch.bool).tril()
        start = end
