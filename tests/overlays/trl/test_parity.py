"""Groups that pass through the rollout earn what the native engine gives them, bit for bit."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ttrl.config import RunConfig, resolve
from ttrl.consensus.rules import RULES
from ttrl.overlays.trl.questions import by_prompt
from ttrl.overlays.trl.rollout import VotingRollout
from ttrl.overlays.voting import GroupVoter
from ttrl.types import Completion, Group, Question, ScoredGroup

PARTS, BATCHES_OF_A_PART, GROUPS_OF_A_BATCH = 5, 50, 42
OPTIONS = ("a cat", "a red dog", "two birds", "none of these")
LABELS = ("joy", "anger", "mild surprise")
PROGRAMS = (
    "def f(x):\n    return x + 1\n",
    "def g(y):\n    return y + 1\n",
    "def f(x):\n    x += 1\n    return x\n",
    "print(sum(range(10)))\n",
    "def f(x:\n",
)
SENTENCES = (
    "The cat sat on the mat and slept all day.",
    "A cat sat on a mat, and it slept all day long.",
    "Dogs bark at night because they hear foxes.",
    "The sea is blue since it scatters light.",
    "yes",
    "",
    "the the the the the the the the the the the the",
)
ALIKE = [" ".join(f"word{n}" for n in range(60)) + f" and end {last}" for last in range(6)]
"""So much that the rules by similarity leave their groups out."""


def exact(value: object) -> list[str]:
    return [rf"So \boxed{{{value}}}.", f"The answer is {value}", f"#### {value}", f"maybe {value}"]


SPELLINGS: dict[str, list[str]] = {
    "math": [
        *(r"\boxed{0.5}", r"thus \boxed{\frac12}", r"\boxed{1/2}", r"\boxed{50\%}", r"\boxed{}"),
        *(r"\boxed{3}", "The answer is 3.", r"\boxed{3.0}", "<think>5</think> 3", r"\boxed{(1,2)}"),
        *exact("1,000"),
        *exact("-7"),
        *(r"\boxed{x+1}", r"\boxed{1+x}", "", "I do not know"),
    ],
    "number": [*exact(12), *exact("12.0"), *exact(r"\$12"), *exact("0.25"), *exact("1/4"), "", "?"],
    "choice": [*exact("B"), *exact("(b)"), *exact("a cat"), *exact("D"), "B or C", "E", ""],
    "label": [*exact("joy"), *exact("Joy"), *exact("anger"), *exact("mild surprise"), "fear", ""],
    "text": list(SENTENCES),
    "code": [f"Here:\n```python\n{program}```" for program in PROGRAMS] + ["no program", ""],
}
TASKS = {"math": 12, "number": 10, "choice": 8, "label": 8, "text": 3, "code": 1}
"""With their weights: similarities are slow."""


def draw_config(rng: random.Random) -> RunConfig:
    votes = rng.randint(2, 16)
    reward = rng.choice(sorted(RULES))
    given = {
        "votes_per_question": votes,
        "trained_per_question": rng.randint(2, votes),
        "trained_choice": rng.choice(["first", "random", "spread"]),
        "reward": reward,
        "task": rng.choice(["math", "number"]),
        "last_number": rng.choice(["true", "false"]),
        "text_measure": rng.choice(["rouge-l", "rouge-1"]),
        "confidence_temperature": rng.choice([0.1, 1.0]),
        "selective_entropy": rng.choice([0.0, 0.1, 1.0]),
        "seed": rng.randrange(10**6),
    }
    if int(given["seed"]) % 4 == 0:
        given["trained_choice"] = "extremes"
    return resolve(given, environment={}).values


def draw_group(
    rng: random.Random, config: RunConfig, number: int, line: Any
) -> tuple[Question, list[Any]]:
    tasks = {k: v for k, v in TASKS.items() if config.reward != "confidence" or v > 3}
    task = rng.choices(list(tasks), weights=list(tasks.values()))[0]
    options = {"choice": OPTIONS, "label": LABELS}.get(task, ())
    named = None if task == config.task else task
    question = Question(id=f"q{number}", prompt=f"Question {number}?", task=named, options=options)
    known = ALIKE if task == "text" and rng.random() < 0.3 else SPELLINGS[task]
    pool = rng.sample(known, min(len(known), rng.randint(1, 6)))
    texts = [rng.choice(pool) for _ in range(config.votes_per_question)]
    cut = rng.choice([0.0, 0.1, 0.3])
    return question, [line(text=text, ended=rng.random() >= cut) for text in texts]


def native(
    vote_and_score: Any, config: RunConfig, question: Question, lines: list[Any], *, step: int
) -> ScoredGroup:
    """What the native engine trains on."""
    completions = tuple(
        Completion(
            question_id=question.id,
            prompt_ids=(1, 2, 3),
            token_ids=tuple(one.ids),
            logprobs=tuple(one.logprobs),
            entropy=tuple(one.entropy),
            finish_reason="stop" if one.ended else "length",
            policy_version=step,
            text=one.text,
        )
        for one in lines
    )
    group = Group(question=question, completions=completions)
    scored: ScoredGroup = vote_and_score(group, step=step, config=config)
    return scored


def earned(scored: ScoredGroup) -> list[float]:
    """Nothing is learned from a group that the rule leaves out."""
    return [0.0 if scored.skipped else reward for _, reward in scored.trained]


@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_groups_earn_and_train_on_the_same_as_natively(
    make_trainer: Any, line: Any, vote_and_score: Any, part: int
) -> None:
    rng = random.Random(part)
    groups = differing = skipped = 0
    for _ in range(BATCHES_OF_A_PART):
        config = draw_config(rng)
        k, step = config.trained_per_question, rng.randrange(100)
        drawn = [draw_group(rng, config, number, line) for number in range(GROUPS_OF_A_BATCH)]
        questions = [question for question, _ in drawn]
        prompts = [question.prompt for question in questions]
        trainer = make_trainer(
            dict(zip(prompts, (lines for _, lines in drawn), strict=True)),
            num_generations=k,
            global_step=step,
            use_vllm=rng.random() < 0.5,
        )
        hooks = VotingRollout(
            GroupVoter(config), by_prompt(questions, prompts), rows_at_once=rng.choice([None, 7])
        )
        rows = hooks.rollout([prompt for prompt in prompts for _ in range(k)], trainer)
        fields = {key: rows[key] for key in rows.keys() - {"prompt_ids", "logprobs"}}
        rewards = hooks.reward(completions=[], **fields)
        expected = [native(vote_and_score, config, *each, step=step) for each in drawn]
        assert rewards == [reward for kept in expected for reward in earned(kept)], config
        completions = [c for scored in expected for c, _ in scored.trained]
        assert rows["completion_ids"] == [list(c.token_ids) for c in completions], config
        groups += len(drawn)
        differing += sum(kept.differs for kept in expected)
        skipped += sum(kept.skipped is not None for kept in expected)
    assert groups * PARTS >= 10_000
    assert differing > groups / 2 and skipped >= 3  # there was something to compare
