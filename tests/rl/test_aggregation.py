import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ttrl.rl.aggregation import token_shares
from ttrl.rl.batch import micro_batches
from ttrl.types import TrainingSample


@pytest.fixture
def samples(completion):
    """Three tokens once, two tokens twice."""
    return [
        TrainingSample(completion=completion([5, 6, 7]), reward=1.0, weight=1.0),
        TrainingSample(completion=completion([8, 9]), reward=0.0, weight=2.0),
    ]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("token-mean", [1 / 7, 2 / 7]),  # 3 + 2 x 2 tokens
        ("sequence-mean", [1 / 9, 2 / 6]),  # 3 completions, of 3 and 2 tokens
        ("constant", [1 / 30, 2 / 30]),  # 3 completions of 10 tokens at most
        ("sum", [1.0, 2.0]),
    ],
)
def test_shares_of_a_token_by_hand(samples, aggregation, expected):
    assert token_shares(samples, aggregation, longest=10) == pytest.approx(expected)


weights_and_lengths = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=20
)


@given(weights_and_lengths, st.sampled_from(["token-mean", "sequence-mean"]))
def test_the_shares_of_a_mean_sum_to_one(pairs, aggregation):
    class Sized:
        def __init__(self, weight, length):
            self.weight, self.completion = weight, self
            self.token_ids = (0,) * length

    made = [Sized(float(w), n) for w, n in pairs]
    shares = token_shares(made, aggregation, longest=1)
    assert sum(s * n for s, (_, n) in zip(shares, pairs, strict=True)) == pytest.approx(1)


@given(weights_and_lengths)
def test_completions_weigh_the_same_whatever_their_length_where_that_is_claimed(pairs):
    class Sized:
        def __init__(self, length):
            self.weight, self.completion, self.token_ids = 1.0, self, (0,) * length

    made = [Sized(n) for _, n in pairs]
    whole = [
        s * n
        for s, (_, n) in zip(token_shares(made, "sequence-mean", longest=9), pairs, strict=True)
    ]
    assert whole == pytest.approx([1 / len(pairs)] * len(pairs))
    assert len(set(token_shares(made, "constant", longest=9))) == 1
    assert len(set(token_shares(made, "token-mean", longest=9))) == 1


def test_shares_reach_the_tokens_of_every_micro_batch(samples):
    shares = token_shares(samples, "sequence-mean", longest=10)
    for budget in (1, 1000):
        found = {}
        for batch in micro_batches(
            samples, shares, token_budget=budget, layout="trees", device=torch.device("cpu")
        ):
            for place, row in zip(batch.order, batch.token_shares, strict=True):
                found[place] = row[row > 0].tolist()
        assert found[0] == pytest.approx([1 / 9] * 3) and found[1] == pytest.approx([1 / 3] * 2)
