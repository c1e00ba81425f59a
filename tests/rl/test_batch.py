from dataclasses import replace
from unittest import mock

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl.rl.batch import micro_batches
from ttrl.rl.losses import token_shares
from ttrl.types import Completion, TrainingSample

CPU = torch.device("cpu")


def sample(tokens, *, prompt=(1, 2), advantage=1.0, weight=1.0):
    completion = Completion(
        question_id="q",
        prompt_ids=tuple(prompt),
        token_ids=tuple(tokens),
        logprobs=tuple(-0.1 * (i + 1) for i in range(len(tokens))),
        entropy=(0.0,) * len(tokens),
        finish_reason="stop",
        policy_version=0,
        text="",
    )
    return TrainingSample(
        completion=completion, reward=0.0, weight=weight, advantages=(advantage,) * len(tokens)
    )


def batches(samples, **options):
    options = {"token_budget": 1000, "layout": "trees", **options}
    shares = token_shares(samples, "token-mean", longest=0)
    return list(micro_batches(samples, shares, device=CPU, **options))


def test_a_tree_by_hand_stores_equal_beginnings_once():
    (batch,) = batches([sample([5, 6, 9]), sample([5, 7, 9])])
    # prompt 1 2, then 5, then 6 and 7; the final 9s predict nothing
    assert batch.input_ids.tolist() == [[1, 2, 5, 6, 7]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 3]]
    assert batch.attention_mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 0, 1],
    ]
    # edges: 2->5, 5->6, 5->7, 6->9, 7->9
    assert batch.edge_node.tolist() == [1, 2, 2, 3, 4]
    assert batch.edge_token.tolist() == [5, 6, 7, 9, 9]
    assert batch.paths.tolist() == [[0, 1, 3], [0, 2, 4]]


def test_packed_trees_stand_one_after_another_and_chains_say_who_sees_whom():
    (batch,) = batches(
        [sample([5, 6, 9]), sample([5, 7, 9]), sample([8, 8], prompt=(4,))], layout="packed"
    )
    assert batch.input_ids.tolist() == [[1, 2, 5, 6, 7, 4, 8]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 3, 0, 1]]
    # chains: 1 2 5 6 from a root; 7 after 5; 4 8 from a root
    assert batch.chains.first.tolist() == [0, 4, 5, 7]
    assert batch.chains.parent.tolist() == [-1, 2, -1]
    assert batch.chains.tree.tolist() == [0, 2, 3]
    assert batch.chains.longest == 4
    assert batch.edge_node.tolist() == [1, 2, 2, 3, 4, 5, 6]
    assert batch.paths.tolist() == [[0, 1, 3], [0, 2, 4], [5, 6, 0]]


def test_packed_batches_hold_no_padding_and_keep_to_the_budget():
    samples = [sample([n] * n, prompt=(n,)) for n in range(3, 9)]  # trees of 3 to 8 tokens
    sizes = [b.input_ids.shape[1] for b in batches(samples, layout="packed", token_budget=12)]
    assert sizes == [8, 7, 11, 7]
    padded = [b.input_ids.shape for b in batches(samples, layout="rows", token_budget=12)]
    assert [tuple(shape) for shape in padded] == [(1, 8), (1, 7), (2, 6), (2, 4)]


def test_token_shares_of_one_update_sum_to_one_whatever_the_micro_batches():
    samples = [sample([5, 6, 9], weight=3), sample([5, 9]), sample([7], prompt=(4,), weight=2)]
    for options in ({}, {"token_budget": 1}, {"layout": "rows"}, {"layout": "packed"}):
        total = sum(batch.token_shares.sum() for batch in batches(samples, **options))
        torch.testing.assert_close(total, torch.tensor(1.0))
    (batch,) = batches(samples[:2])
    torch.testing.assert_close(batch.token_shares.sum(1).sort().values, torch.tensor([2, 9]) / 11)


def test_plain_rows_hold_one_completion_each():
    (batch,) = batches([sample([5, 6, 9]), sample([5, 7, 9])], layout="rows")
    assert batch.input_ids.tolist() == [[1, 2, 5, 6], [1, 2, 5, 7]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1]] * 2


def test_columns_are_read_off_by_token_and_are_0_after_the_end():
    long, short = sample([5, 6, 9], weight=2), sample([5, 9])
    told = {"old_logprobs": (-3.0,), "importance": (0.5,), "values": (0.25,), "returns": (4.0,)}
    every = [
        replace(s, **{k: v * len(s.completion.token_ids) for k, v in told.items()})
        for s in (short, long)
    ]
    (batch,) = batches(every)
    assert batch.order == (1, 0)  # like beginnings together, in lexicographic order
    assert batch.mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.counted.tolist() == [[2, 2, 2], [1, 1, 0]]
    assert batch.old_logprobs.tolist() == [[-3] * 3, [-3, -3, 0]]
    assert batch.importance.tolist() == [[0.5] * 3, [0.5, 0.5, 0]]
    assert batch.values.tolist() == [[0.25] * 3, [0.25, 0.25, 0]]
    assert batch.returns.tolist() == [[4] * 3, [4, 4, 0]]
    torch.testing.assert_close(batch.sampler_logprobs[1], torch.tensor([-0.1, -0.2, 0.0]))


def test_without_old_logprobs_the_ratio_is_to_the_sampler_and_importance_is_1():
    (batch,) = batches([sample([5, 6, 9]), sample([5, 9])])
    assert torch.equal(batch.old_logprobs, batch.sampler_logprobs)
    assert torch.equal(batch.importance, batch.mask)
    assert not batch.values.any() and not batch.returns.any()


completions = st.lists(st.integers(3, 6), min_size=1, max_size=6)
groups = st.lists(
    st.tuples(st.sampled_from([(1,), (1, 2), (2, 1, 1)]), completions), min_size=1, max_size=12
)


@settings(deadline=None)
@given(groups, st.sampled_from(["rows", "trees", "packed"]), st.integers(1, 12), st.integers(1, 40))
def test_every_completion_can_be_read_back_along_its_path(pairs, layout, limit, token_budget):
    samples = [sample(tokens, prompt=prompt) for prompt, tokens in pairs]
    found = []
    with mock.patch("ttrl.rl.batch._TREE_TOKENS", limit):
        made = batches(samples, layout=layout, token_budget=token_budget)
    for batch in made:
        assert (batch.edge_node.diff() >= 0).all()
        flat, depth = batch.input_ids.flatten(), batch.position_ids.flatten()
        width = batch.input_ids.shape[1]
        for path, shares in zip(batch.paths, batch.token_shares, strict=True):
            edges = path[shares > 0]
            nodes, tokens = batch.edge_node[edges], batch.edge_token[edges].tolist()
            # each predicting token is the one predicted before it, one step deeper
            assert flat[nodes[1:]].tolist() == tokens[:-1]
            assert depth[nodes].tolist() == list(
                range(depth[nodes[0]], depth[nodes[0]] + len(nodes))
            )
            row, place = divmod(int(nodes[0]), width)
            start = place - int(depth[nodes[0]])
            prompt = tuple(batch.input_ids[row, start : place + 1].tolist())
            found.append((prompt, tokens))
    assert sorted(found) == sorted((p, t) for p, t in pairs)
