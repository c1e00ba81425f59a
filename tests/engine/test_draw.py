import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import TopKLogitsWarper, TopPLogitsWarper

import ttrl.engine.draw as draw_module
from ttrl.engine.draw import draw, draw_by_torch, truncate
from ttrl.engine.fast import kernel
from ttrl.types import SamplingParams


def test_a_token_is_where_the_uniform_falls_in_the_cumulative_distribution():
    logits = torch.log(torch.tensor([[0.2, 0.3, 0.5]]))
    uniform = torch.tensor([0.0, 0.19, 0.21, 0.49, 0.51, 0.999], dtype=torch.float64)
    drawn = draw(logits, uniform, torch.zeros(6, dtype=torch.long), SamplingParams())
    assert drawn.tokens.tolist() == [0, 0, 1, 1, 2, 2]
    assert drawn.logprobs.exp().tolist() == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.5, 0.5])
    entropy = -sum(p * torch.log(torch.tensor(p)).item() for p in (0.2, 0.3, 0.5))
    assert drawn.entropy.tolist() == pytest.approx([entropy] * 6)


def test_temperature_divides_logits_and_log_probabilities_follow():
    logits = torch.tensor([[0.0, 1.0]])
    row = torch.zeros(1, dtype=torch.long)
    drawn = draw(logits, torch.tensor([0.99]).double(), row, SamplingParams(temperature=0.5))
    assert drawn.logprobs.item() == pytest.approx(torch.log_softmax(logits * 2, -1)[0, 1].item())


def test_greedy_takes_the_best_and_tells_it_at_temperature_one():
    logits = torch.tensor([[0.0, 1.0, 0.5], [2.0, 0.0, 0.0]])
    drawn = draw(
        logits, torch.rand(3).double(), torch.tensor([0, 0, 1]), SamplingParams(temperature=0)
    )
    assert drawn.tokens.tolist() == [1, 1, 0] and drawn.entropy.tolist() == [0, 0, 0]
    assert drawn.logprobs[2].item() == pytest.approx(torch.log_softmax(logits, -1)[1, 0].item())


@pytest.mark.parametrize(("top_k", "top_p"), [(5, 1.0), (0, 0.9), (7, 0.6), (0, 0.05), (1, 1.0)])
def test_top_k_and_top_p_keep_what_transformers_keeps(top_k, top_p):
    logits = torch.randn(64, 40, generator=torch.Generator().manual_seed(0)) * 2
    expected = logits
    if top_k:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(None, expected)
    kept = truncate(torch.softmax(logits, -1), top_k=top_k, top_p=top_p)
    assert torch.equal(kept > 0, torch.isfinite(expected))


def test_draws_follow_the_distribution():
    probs = torch.tensor([0.5, 0.25, 0.125, 0.0625, 0.0625])
    uniform = torch.rand(20000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    drawn = draw(probs.log()[None], uniform, torch.zeros(20000, dtype=torch.long), SamplingParams())
    counts = torch.bincount(drawn.tokens, minlength=5)
    assert stats.chisquare(counts.numpy(), (probs * 20000).numpy()).pvalue > 1e-3
    cut = draw(
        probs.log()[None], uniform, torch.zeros(20000, dtype=torch.long), SamplingParams(top_p=0.8)
    )
    assert set(cut.tokens.tolist()) == {0, 1, 2}


def test_rows_in_chunks_give_the_same_draws(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(23, 11, generator=generator)
    row_of = torch.randint(0, 23, (100,), generator=generator).sort().values
    uniform = torch.rand(100, generator=generator, dtype=torch.float64)
    params = SamplingParams(temperature=0.7, top_p=0.9)
    whole = draw_by_torch(logits, uniform, row_of, params)
    monkeypatch.setattr(draw_module, "_CHUNK_ELEMENTS", 11 * 4)
    parts = draw_by_torch(logits, uniform, row_of, params)
    assert torch.equal(whole.tokens, parts.tokens)
    torch.testing.assert_close(whole.logprobs, parts.logprobs)
    torch.testing.assert_close(whole.entropy, parts.entropy)


@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "params", [{}, {"top_p": 0.95}, {"top_k": 3, "top_p": 0.5}, {"temperature": 0}]
)
def test_logits_that_are_not_finite_give_log_probabilities_that_are_not(bad, params):
    """And harm nobody: the rows beside them are drawn as ever."""
    logits = torch.randn(3, 500, generator=torch.Generator().manual_seed(0))
    row_of, uniform = torch.tensor([0, 1, 1, 2]), torch.tensor([0.1, 0.5, 0.9, 0.3]).double()
    params = SamplingParams(**params)
    before = draw(logits, uniform, row_of, params)
    logits[1] = bad
    drawn = draw(logits, uniform, row_of, params)
    assert not torch.isfinite(drawn.logprobs[1:3]).any()
    for outer in (0, 3):
        assert drawn.tokens[outer] == before.tokens[outer]
        assert drawn.logprobs[outer] == before.logprobs[outer]


@pytest.mark.skipif(kernel.compiled() is None, reason="no C compiler here")
@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3000), st.integers(0, 40), st.sampled_from([1.0, 0.95, 0.5, 0.01]),
    st.sampled_from([0.3, 1.0, 20.0]), st.integers(0, 10**6),
)  # fmt: skip
def test_the_kernel_draws_what_torch_draws(vocabulary, top_k, top_p, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, vocabulary, generator=generator) * spread
    if top_p == 1:
        logits[1] = logits[1].round()  # ties; among them the edge of top-p is a matter of rounding
    row_of = torch.tensor([0, 0, 1, 1, 1, 3, 3])
    uniform = torch.rand(7, generator=generator).double()
    params = SamplingParams(temperature=0.8, top_k=top_k, top_p=top_p)
    own, expected = (f(logits, uniform, row_of, params) for f in (draw, draw_by_torch))
    # Where they differ the uniform number is within rounding of an edge: every token that is drawn has
    # mass, and the number lies in its part of the cumulative distribution.
    probs = torch.softmax(logits.double() / 0.8, -1)
    kept = truncate(probs, top_k=top_k, top_p=top_p)
    cumulative = (kept / kept.sum(-1, keepdim=True)).cumsum(-1)
    same = own.tokens == expected.tokens
    if top_p == 1:
        high = cumulative[row_of, own.tokens]
        low = high - (kept / kept.sum(-1, keepdim=True))[row_of, own.tokens]
        assert (low - 1e-5 <= uniform).all() and (uniform <= high + 1e-5).all()
        assert (kept[row_of, own.tokens] > 1e-12).all()
    assert same.float().mean() > 0.8
    torch.testing.assert_close(own.logprobs[same], expected.logprobs[same], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own.entropy, expected.entropy, atol=2e-4, rtol=1e-3)
