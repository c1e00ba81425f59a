"""Pretrains the embedded model: a 0.7 M-parameter Llama on correct solutions of easier word problems.

    python recipes/pretrain_embedded.py --seed 0 --out src/ttrl/models/ttrl-tiny

Everything it sees is correct. It sees problems that are easier than the questions TTRL gets: see
`CURRICULUM`. The loss covers the solution and the end token; the question is context.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ttrl.data.word_problems import Route, WordProblem, chain_problem, solution, split_of
from ttrl.seeding import derive_seed

# (events, share of the pretraining problems); the questions that TTRL gets have 5 events
CURRICULUM = ((1, 0.14), (2, 0.20), (3, 0.26), (4, 0.25), (5, 0.15))
ROUTES: tuple[Route, ...] = ("in order", "gains first", "backwards")
BATCH, WARM_UP, MUON_LR, ADAM_LR = 64, 50, 0.02, 3e-3
END = "<|end|>"


def draw(rng: random.Random) -> WordProblem:
    """A problem of the curriculum; never one whose numbers belong to an evaluation split."""
    shares = [share for _, share in CURRICULUM]
    while True:
        events, _ = rng.choices(CURRICULUM, weights=shares)[0]
        problem = chain_problem(rng, events=events)
        if events <= 3 or split_of(problem) == "pretrain":
            return problem


def text_of(problem: WordProblem, rng: random.Random) -> tuple[str, str]:
    return problem.question.prompt + "\n", solution(problem, rng.choice(ROUTES))


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text can be read, and each digit is a token of its own."""
    rng = random.Random(derive_seed(seed, "tokenizer"))
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
        vocab_size=416,
        special_tokens=[END, "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token="<|pad|>",
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(derive_seed(seed, "weights") % 2**31)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=416,
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


def batches(tokenizer, seed: int):
    """Endless batches; problems of like length share one, so that little is padding."""
    rng = random.Random(derive_seed(seed, "pretraining"))
    while True:
        pool = []
        for _ in range(16 * BATCH):
            prompt, answer = text_of(draw(rng), rng)
            prompt_ids = tokenizer.encode(prompt)
            pool.append((prompt_ids, tokenizer.encode(answer) + [tokenizer.eos_token_id]))
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=1200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--snapshots", type=int, nargs="*", default=[])
    args = parser.parse_args()

    tokenizer = train_tokenizer(0)
    model = make_model(tokenizer, args.seed)
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [
        torch.optim.Muon(hidden, lr=MUON_LR, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=ADAM_LR, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    start = time.perf_counter()
    for iteration, (ids, labels) in enumerate(batches(tokenizer, args.seed)):
        progress = iteration / args.iterations
        scale = min((iteration + 1) / WARM_UP, 1.0, (1 - progress) / 0.6)
        for optimizer, lr in zip(optimizers, (MUON_LR, ADAM_LR), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * scale
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if iteration % 50 == 0:
            print(
                f"{iteration:5d} loss {loss.item():.4f} {time.perf_counter() - start:6.1f} s",
                flush=True,
            )
        if iteration + 1 in args.snapshots:
            save(model, tokenizer, args.out / f"it{iteration + 1}")
        if iteration + 1 == args.iterations:
            break
    save(model, tokenizer, args.out)
    print(json.dumps({"seconds": time.perf_counter() - start, "loss": loss.item()}))


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "ttrl.json").write_text(json.dumps({"prompt_template": "{question}\n"}) + "\n")


if __name__ == "__main__":
    main()
