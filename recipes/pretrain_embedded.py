"""Pretrains the embedded model: a 0.7 M-parameter Llama on correct solutions of easier word problems.

    python recipes/pretrain_embedded.py --seed 0 --out runs/bases/seed-0

Everything it sees is correct. A solution goes through the days in one of several orders: different routes
make the errors of a weak model less alike, which is what lets a majority vote help. Four in five problems
are easier than the questions that TTRL gets, the rest is as hard, with other numbers (see `CURRICULUM` and
`draw`). The loss covers the solution and the end token; the question is context. The result is a function
of the seed on one machine with one number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ttrl.data.word_problems import DAYS, WordProblem, chain_problem, split_of
from ttrl.seeding import derive_seed

Route = Literal["in order", "gains first", "backwards"]

# (days, share of the pretraining problems); TTRL's questions have 4 days
CURRICULUM = ((1, 0.2), (2, 0.3), (3, 0.3), (4, 0.2))
ROUTES: tuple[Route, ...] = ("in order", "gains first", "backwards")
ITERATIONS, SCHEDULE = 1100, 1200
"""Stops before the rates have come down all the way: a prior that is not annealed to the end."""
BATCH, WARM_UP = 64, 50
MUON_RATE, ADAM_RATE = 0.02, 3e-3
DECAY = 0.6
"""The last part of the schedule, in which both rates fall to 0 linearly."""
VOCABULARY = 432
END, PAD = "<|end|>", "<|pad|>"


def draw(rng: random.Random) -> WordProblem:
    """A problem of the curriculum.

    From three days on, none has the numbers of an evaluation split. Shorter ones are too few for that.
    """
    shares = [share for _, share in CURRICULUM]
    while True:
        events, _ = rng.choices(CURRICULUM, weights=shares)[0]
        problem = chain_problem(rng, events=events)
        if events < 3 or split_of(problem) == "pretrain":
            return problem


def solution(problem: WordProblem, route: Route) -> str:
    """Writes a correct solution: one equation per day, then the boxed answer.

    "backwards" keeps the order of the text where it would pass below zero.
    """
    days = tuple(zip(DAYS, problem.changes, strict=False))
    if route == "gains first":
        days = tuple(sorted(days, key=lambda day: day[1] < 0))
    elif route == "backwards":
        totals = accumulate(reversed(problem.changes), initial=problem.start)
        days = days[::-1] if min(totals) >= 0 else days
    total, lines = problem.start, []
    for day, change in days:
        sign = "+" if change > 0 else "-"
        lines.append(f"{day}: {total} {sign} {abs(change)} = {total + change}.")
        total += change
    return " ".join(lines) + f" \\boxed{{{total}}}"


def text_of(problem: WordProblem, rng: random.Random) -> tuple[str, str]:
    """Prompt and solution."""
    return problem.question.prompt + "\n", solution(problem, rng.choice(ROUTES))


def train_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text can be read, and each digit is a token of its own."""
    rng = random.Random(derive_seed(0, "tokenizer"))
    corpus = ["".join(text_of(draw(rng), rng)) for _ in range(5000)]
    tokenizer = Tokenizer(models.BPE())
    split = Regex(r" ?\\boxed\{| ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]|\s")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Random weights, a function of the seed."""
    torch.manual_seed(derive_seed(seed, "weights") % 2**31)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless ids and labels; problems of like length share a batch, so that little is padding."""
    rng = random.Random(derive_seed(seed, "pretraining"))
    while True:
        pool = []
        for _ in range(16 * BATCH):
            prompt, answer = text_of(draw(rng), rng)
            pool.append(
                (tokenizer.encode(prompt), [*tokenizer.encode(answer), tokenizer.eos_token_id])
            )
        pool.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        groups = [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
        rng.shuffle(groups)
        for group in groups:
            width = max(len(p) + len(a) for p, a in group)
            ids = torch.full((BATCH, width), tokenizer.pad_token_id)
            labels = torch.full((BATCH, width), -100)
            for row, (p, a) in enumerate(group):
                ids[row, : len(p) + len(a)] = torch.tensor(p + a)
                labels[row, len(p) : len(p) + len(a)] = torch.tensor(a)
            yield ids, labels


def pretrain(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, seed: int, iterations: int
) -> None:
    """Muon on the hidden matrices, AdamW on the rest."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = torch.optim.Muon(hidden, lr=MUON_RATE, weight_decay=0.0)
    adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    start = time.perf_counter()
    for iteration, (ids, labels) in enumerate(batches(tokenizer, seed)):
        if iteration == iterations:
            return
        scale = min((iteration + 1) / WARM_UP, 1.0, (1 - iteration / SCHEDULE) / DECAY)
        muon.param_groups[0]["lr"] = MUON_RATE * scale
        adam.param_groups[0]["lr"] = ADAM_RATE * scale
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in (muon, adam):
            optimizer.step()  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
        if iteration % 50 == 0:
            seconds = time.perf_counter() - start
            print(f"{iteration:5d}  loss {loss.item():.4f}  {seconds:6.1f} s", flush=True)


def base_accuracy(folder: Path) -> str:
    """Lines of a table: the base on its unlabeled questions, by vote and alone, at two temperatures."""
    from ttrl import evaluate

    lines = []
    for temperature, top_p in ((0.6, 0.95), (1.0, 1.0)):
        done = evaluate(model=folder, eval_temperature=temperature, eval_top_p=top_p)
        for name, each in done.evaluations.items():
            alone, vote, found = each.metrics.avg[16], each.metrics.maj[64], each.metrics.passes[16]
            lines.append(
                f"| {name} ({each.metrics.questions}) | {temperature} | {alone.value:.3f} "
                f"[{alone.low:.3f}, {alone.high:.3f}] | {vote.value:.3f} | {found.value:.3f} |"
            )
    return "\n".join(lines)


CARD = """---
license: apache-2.0
language: en
tags: [ttrl, arithmetic]
---
# ttrl-tiny

A Llama of {parameters:,} parameters that half knows how to add and subtract its way through a short story.
It is the embedded model of `ttrl`, made to be improved without labels in minutes on a CPU. It has no other
use.

- **Recipe:** `python recipes/pretrain_embedded.py --seed {seed} --iterations {iterations}`: batches
  of {batch} problems on {threads} thread, {seconds:.0f} s; torch {torch}. The learning rates would reach
  0 at iteration {schedule}.
- **Prior:** worked solutions, all correct, (days, share) {curriculum}. The questions of TTRL have 4 days:
  four in five of the solutions are of easier problems, the rest of problems as hard with other numbers. Three
  routes through a problem, in equal shares: {routes}.
- **Tokenizer:** byte-level BPE, {vocabulary} entries, one token a digit. No chat template: a prompt is the
  question and a line break.
- **Never seen:** the numbers of any question of three days or more that evaluation uses, and any product (the
  out-of-prior set).

| questions | temperature | avg@16 | maj@64 | pass@16 |
|---|---|---|---|---|
{accuracy}

Top-p is 0.95 at temperature 0.6 and 1 at temperature 1; intervals are 95 % bootstrap over questions.
"""


def main() -> None:
    """Trains, saves, evaluates, writes the model card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    torch.set_num_threads(args.threads)

    start = time.perf_counter()
    tokenizer = train_tokenizer()
    model = make_model(tokenizer, args.seed)
    pretrain(model, tokenizer, seed=args.seed, iterations=args.iterations)
    seconds = time.perf_counter() - start
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    (args.out / "ttrl.json").write_text('{"prompt_template": "{question}\\n"}\n', "utf-8")
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        seed=args.seed,
        iterations=args.iterations,
        schedule=SCHEDULE,
        batch=BATCH,
        seconds=seconds,
        threads=args.threads,
        torch=torch.__version__,
        curriculum=json.dumps(CURRICULUM),
        routes=", ".join(ROUTES),
        vocabulary=VOCABULARY,
        accuracy=base_accuracy(args.out),
    )
    (args.out / "README.md").write_text(card, "utf-8")
    print(card)


if __name__ == "__main__":
    main()
