import math
from collections import Counter

import pytest
import torch
from scipy import stats

from ttrl.answers.tasks import get_task
from ttrl.data.prompts import Prompter
from ttrl.engine.fast import kernel
from ttrl.engine.sampler import NativeSampler
from ttrl.errors import DataError
from ttrl.types import Question, SamplingParams

QUESTIONS = [
    Question(
        id="a", prompt="Tom has 8 apples. He buys 5 on Monday. How many apples does he have now?"
    ),
    Question(
        id="b",
        prompt="Zoe has 3 pens. She loses 2 on Monday and finds 9 on Tuesday. How many pens has she?",
    ),
    Question(id="c", prompt="Ben has 1 book. How many books does he have now?"),
]


def sampler_of(model, tokenizer, max_rows=64):
    prompter = Prompter(tokenizer, template="{question}\n", task=get_task("math"))
    return NativeSampler(model, tokenizer, prompter, max_rows=max_rows)


def generate(model, prompt_ids, max_tokens):
    """transformers' own greedy completion of one prompt, alone in its batch."""
    ids = torch.tensor([prompt_ids])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_tokens,
        pad_token_id=0,
    )
    return tuple(out[0, len(prompt_ids) :].tolist())


def plain_logprobs(model, completion, temperature):
    ids = torch.tensor([completion.prompt_ids + completion.token_ids])
    with torch.no_grad():
        logits = model(ids).logits[0, len(completion.prompt_ids) - 1 : -1] / temperature
    logp = torch.log_softmax(logits, -1)
    chosen = logp.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
    return chosen, -(logp.exp() * logp).sum(-1)


def check_against_transformers(model, tokenizer, questions):
    sampler = sampler_of(model, tokenizer)
    for group in sampler.sample(
        questions, n=1, params=SamplingParams(temperature=0, max_tokens=24), seed=0
    ):
        (completion,) = group.completions
        assert completion.token_ids == generate(model, completion.prompt_ids, 24)
    params = SamplingParams(temperature=0.8, max_tokens=20)
    for group in sampler.sample(questions, n=6, params=params, seed=1):
        for completion in group.completions:
            expected, entropy = plain_logprobs(model, completion, 0.8)
            torch.testing.assert_close(
                torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=0
            )
            torch.testing.assert_close(
                torch.tensor(completion.entropy), entropy, atol=1e-4, rtol=1e-4
            )


def test_greedy_tokens_and_log_probabilities_equal_transformers(random_model, tokenizer):
    check_against_transformers(random_model, tokenizer, QUESTIONS)


def test_greedy_tokens_and_log_probabilities_equal_transformers_on_the_embedded_model(embedded):
    check_against_transformers(embedded.model, embedded.tokenizer, QUESTIONS)


def test_no_questions_are_no_groups(embedded):
    sampler = sampler_of(embedded.model, embedded.tokenizer)
    assert sampler.sample([], n=4, params=SamplingParams(), seed=0) == []


def test_later_completions_continue_the_earlier_ones(embedded):
    """So a vote can be drawn in parts and is the same vote."""
    sampler = sampler_of(embedded.model, embedded.tokenizer)
    params = SamplingParams(temperature=1.0, max_tokens=24)
    (whole,) = sampler.sample(QUESTIONS[1:2], n=12, params=params, seed=3)
    (begin,) = sampler.sample(QUESTIONS[1:2], n=5, params=params, seed=3)
    (rest,) = sampler.sample(QUESTIONS[1:2], n=7, params=params, seed=3, first=5)
    parts = begin.completions + rest.completions
    assert [c.token_ids for c in parts] == [c.token_ids for c in whole.completions]


def test_samples_do_not_depend_on_the_batch(embedded):
    params = SamplingParams(max_tokens=30)
    together = sampler_of(embedded.model, embedded.tokenizer).sample(
        QUESTIONS, n=8, params=params, seed=5
    )
    alone = sampler_of(embedded.model, embedded.tokenizer, max_rows=8)
    for group in together:
        (again,) = alone.sample([group.question], n=8, params=params, seed=5)
        assert [c.token_ids for c in again.completions] == [c.token_ids for c in group.completions]
        fewer = alone.sample([group.question], n=3, params=params, seed=5)[0].completions
        assert [c.token_ids for c in fewer] == [c.token_ids for c in group.completions[:3]]


def test_the_stop_token_is_part_of_the_completion_and_not_of_the_text(embedded):
    sampler = sampler_of(embedded.model, embedded.tokenizer)
    params = SamplingParams(temperature=0, max_tokens=40)
    (completion,) = sampler.sample(QUESTIONS[:1], n=1, params=params, seed=0)[0].completions
    assert completion.finish_reason == "stop"
    assert completion.token_ids[-1] == embedded.tokenizer.eos_token_id
    assert completion.text == r"Monday: 8 + 5 = 13. \boxed{13}"
    assert len(completion.token_ids) == len(completion.logprobs) == len(completion.entropy)


def test_a_completion_cut_at_the_limit_says_so(embedded):
    params = SamplingParams(max_tokens=3)
    group = sampler_of(embedded.model, embedded.tokenizer).sample(
        QUESTIONS[:1], n=4, params=params, seed=0
    )[0]
    assert {c.finish_reason for c in group.completions} == {"length"}
    assert {len(c.token_ids) for c in group.completions} == {3}


def test_a_stop_text_ends_a_completion(embedded):
    params = SamplingParams(temperature=0, max_tokens=40, stop=("13.",))
    (group,) = sampler_of(embedded.model, embedded.tokenizer).sample(
        QUESTIONS[:1], n=2, params=params, seed=0
    )
    assert {(c.text, c.finish_reason) for c in group.completions} == {
        ("Monday: 8 + 5 = 13.", "stop")
    }


def test_whole_completions_follow_the_exact_distribution(tokenizer):
    """Every completion of up to three tokens of a small model, with its exact probability."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = LlamaConfig(
            vocab_size=5, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, eos_token_id=1, bos_token_id=2, pad_token_id=0,
        )  # fmt: skip
        model = LlamaForCausalLM(config).eval()
        torch.nn.init.normal_(model.lm_head.weight, std=1.5)

    class Two(type(tokenizer)):
        def encode(self, text, *, add_special_tokens):
            return [2, 3]

    draws = 6000
    sampler = sampler_of(model, Two(), max_rows=draws)
    group = sampler.sample(QUESTIONS[:1], n=draws, params=SamplingParams(max_tokens=3), seed=9)[0]
    counts = Counter(c.token_ids for c in group.completions)
    assert sampler.computed_tokens < 31  # 4 + 16 prefixes at most, not 6000 rows

    def exact(prefix):
        with torch.no_grad():
            probs = torch.softmax(model(torch.tensor([[2, 3, *prefix]])).logits[0, -1], -1)
        for token, p in enumerate(probs.tolist()):
            whole = (*prefix, token)
            if token == 1 or len(whole) == 3:
                yield whole, p
            else:
                yield from ((w, p * q) for w, q in exact(whole))

    expected = dict(exact(()))
    assert math.isclose(sum(expected.values()), 1, rel_tol=1e-5)
    common = [w for w, p in expected.items() if p * draws > 10]
    rest = draws * (1 - sum(expected[w] for w in common))
    observed = [*(counts[w] for w in common), draws - sum(counts[w] for w in common)]
    wanted = [*(expected[w] * draws for w in common), rest]
    assert stats.chisquare(observed, wanted, sum_check=False).pvalue > 1e-3


def test_a_prompt_that_leaves_no_room_is_refused(embedded):
    sampler = sampler_of(embedded.model, embedded.tokenizer)
    long = Question(id="long", prompt="many " * 300)
    with pytest.raises(DataError, match=r"the longest, long, has a prompt of \d+ tokens"):
        sampler.sample([long], n=2, params=SamplingParams(max_tokens=8), seed=0)


def test_a_float32_model_may_be_sampled_in_bfloat16(embedded):
    """Near the model's own distribution; log-probabilities are those of what was sampled from."""
    if kernel.compiled() is None:
        pytest.skip("no C compiler here, so there are no native kernels")
    prompter = Prompter(embedded.tokenizer, template="{question}\n", task=get_task("math"))
    options = {"max_rows": 64, "dtype": torch.bfloat16}
    sampler = NativeSampler(embedded.model, embedded.tokenizer, prompter, **options)
    params = SamplingParams(max_tokens=20)
    gaps = []
    for group in sampler.sample(QUESTIONS, n=16, params=params, seed=0):
        for completion in group.completions:
            expected, _ = plain_logprobs(embedded.model, completion, 1.0)
            gaps.append((torch.tensor(completion.logprobs) - expected).abs())
    assert 1e-5 < torch.cat(gaps).mean() < 0.02


def test_more_questions_than_rows_are_taken_in_turn(embedded):
    """Questions of several lengths enter as others leave, and none is changed by it."""
    questions = [
        Question(
            id=str(i), prompt=f"{name} has {i} pens. {name} buys {i + 3} on Monday." * (1 + i % 3)
        )
        for i, name in enumerate(["Tom", "Zoe", "Ben", "Ann", "Sue", "Kim", "Max", "Ida", "Leo"])
    ]
    params = SamplingParams(temperature=1.2, max_tokens=40)
    sampler = sampler_of(embedded.model, embedded.tokenizer, max_rows=12)
    groups = sampler.sample(questions, n=4, params=params, seed=2)
    assert len({len(c.token_ids) for g in groups for c in g.completions}) > 5
    for question, group in zip(questions, groups, strict=True):
        (alone,) = sampler.sample([question], n=4, params=params, seed=2)
        assert [c.token_ids for c in group.completions] == [c.token_ids for c in alone.completions]
        assert [c.finish_reason for c in group.completions] == [
            c.finish_reason for c in alone.completions
        ]
