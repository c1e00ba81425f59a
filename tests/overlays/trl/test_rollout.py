"""What TRL is handed: rows, rewards, metrics and records of whole groups, by a trainer with a script."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig, resolve
from ttrl.consensus.summary import step_metrics, vote_records
from ttrl.errors import ConfigError
from ttrl.overlays.trl.questions import by_prompt
from ttrl.overlays.trl.rollout import RolloutStep, VotingRollout
from ttrl.overlays.voting import GroupVoter, rewards_of
from ttrl.types import Completion, Group, Question, ScoredGroup

A = (r"\boxed{1}", r"\boxed{2}", r"\boxed{1}", r"\boxed{3}")
B = (r"\boxed{5}", r"\boxed{6}", r"\boxed{6}", "no idea")
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "b?"}]


def hooks_of(questions: Sequence[Question], prompts: Sequence[Any], **given: Any) -> VotingRollout:
    names = ("rows_at_once", "seeded", "labels", "on_step", "stop_requested")
    options = {name: given.pop(name) for name in names if name in given}
    sizes = {"votes_per_question": 4, "trained_per_question": 2}
    config = resolve(sizes | given, environment={}).values
    return VotingRollout(GroupVoter(config), by_prompt(questions, prompts), **options)


def two(**given: Any) -> VotingRollout:
    return hooks_of(
        [Question(id="a", prompt="a?"), Question(id="b", prompt="b?")], ["a?", "b?"], **given
    )


@pytest.fixture
def lines(line: Any):
    """`lines(texts, "text that was cut", ...)`: lines of a script."""

    def make(texts: Sequence[str], *cut: str) -> list[Any]:
        return [line(text=text) for text in texts] + [line(text=text, ended=False) for text in cut]

    return make


@pytest.fixture
def script(lines: Any) -> dict[str, list[Any]]:
    return {"a?": lines(A), "b?": lines(B)}


ROWS = ["a?", "a?", "b?", "b?"]


def test_m_are_drawn_and_the_k_that_are_kept_are_rows_in_the_order_of_the_prompts(
    make_trainer, script, lines
) -> None:
    trainer = make_trainer(script, num_generations=2)
    rows = two().rollout(ROWS, trainer)
    assert trainer.calls == [(8, 4)]  # 2 questions x 4 votes
    assert rows["completion_ids"] == [line.ids for line in lines(A[:2] + B[:2])]
    assert rows["ttrl_reward"] == [1.0, 0.0, 0.0, 1.0]
    (first, second), _, _ = trainer._tokenize_prompts(["a?", "b?"])
    assert rows["prompt_ids"] == [first, first, second, second]
    assert rows["logprobs"] is None
    assert rows.keys() == {"prompt_ids", "completion_ids", "logprobs", "ttrl_reward"}


def test_the_rows_of_a_question_are_lists_of_their_own(make_trainer, script) -> None:
    rows = two().rollout(ROWS, make_trainer(script, num_generations=2))
    rows["completion_ids"][0].append(99)
    assert all(99 not in row for row in rows["completion_ids"][1:])


def test_log_probabilities_of_the_sampler_are_those_of_the_rows_that_are_kept(
    make_trainer, lines
) -> None:
    script = {"a?": lines((*A[:1] * 3, A[1])), "b?": lines(B)}
    hooks = two(trained_choice="spread")
    rows = hooks.rollout(ROWS, make_trainer(script, num_generations=2, use_vllm=True))
    kept = [script["a?"][0], script["a?"][3], script["b?"][0], script["b?"][1]]  # both ends
    assert rows["logprobs"] == [line.logprobs for line in kept]
    assert rows["completion_ids"] == [line.ids for line in kept]
    assert rows["ttrl_reward"] == [1.0, 0.0, 0.0, 1.0]


def test_the_reward_hands_on_what_the_rollout_found(make_trainer, script) -> None:
    hooks = two()
    rows = hooks.rollout(ROWS, make_trainer(script, num_generations=2))
    found = hooks.reward(
        prompts=ROWS, completions=[], completion_ids=rows["completion_ids"],
        ttrl_reward=rows["ttrl_reward"], trainer_state=None,
    )  # fmt: skip
    assert found == [1.0, 0.0, 0.0, 1.0]


def native_groups(
    vote_and_score: Any, config: RunConfig, groups: dict[Question, Sequence[str]]
) -> list[ScoredGroup]:
    scored = []
    for question, texts in groups.items():
        completions = tuple(
            Completion(
                question_id=question.id, prompt_ids=(), token_ids=(7,) * (len(text) + 1), logprobs=(),
                entropy=(), finish_reason="stop", policy_version=0, text=text,
            )
            for text in texts
        )  # fmt: skip
        group = Group(question=question, completions=completions)
        scored.append(vote_and_score(group, config=config))
    return scored


def test_the_logged_metrics_are_those_of_the_step_over_all_votes(
    make_trainer, script, vote_and_score
) -> None:
    hooks, logged = two(), {}
    rows = hooks.rollout(ROWS, make_trainer(script, num_generations=2))
    hooks.reward(ttrl_reward=rows["ttrl_reward"], log_metric=logged.__setitem__)
    config = resolve({"votes_per_question": 4, "trained_per_question": 2}, environment={}).values
    questions = [Question(id="a", prompt="a?"), Question(id="b", prompt="b?")]
    groups = dict(zip(questions, (A, B), strict=True))
    expected = step_metrics(native_groups(vote_and_score, config, groups))
    clock = {key: value for key, value in logged.items() if key.endswith("/seconds")}
    assert clock.keys() == {"sample/seconds", "consensus/seconds"} and min(clock.values()) >= 0
    assert {key: value for key, value in logged.items() if key not in clock} == expected
    assert logged["consensus/majority_ratio"] == 0.5 and logged["reward/mean"] == 4 / 8
    assert logged["sample/tokens"] == 7 * 10 + 8  # seven boxes and "no idea", with their end tokens
    assert "sample/entropy" not in logged  # nobody recorded it, and 0 would be a claim


def test_metrics_are_logged_once(make_trainer, script) -> None:
    hooks, logged = two(), []
    rows = hooks.rollout(ROWS, make_trainer(script, num_generations=2))
    hooks.reward(ttrl_reward=rows["ttrl_reward"], log_metric=lambda key, _: logged.append(key))
    hooks.reward(ttrl_reward=rows["ttrl_reward"], log_metric=lambda key, _: logged.append(key))
    assert len(logged) == len(set(logged)) > 10


def test_a_flip_is_told_from_the_second_visit_on(make_trainer, lines) -> None:
    steps: list[RolloutStep] = []
    hooks = two(on_step=steps.append)
    flipped, same = lines((r"\boxed{2}",) * 4), lines((r"\boxed{6.0}",) * 4)  # another spelling
    trainer = make_trainer({"a?": lines(A) + flipped, "b?": lines(B) + same}, num_generations=2)
    hooks.rollout(ROWS, trainer)
    hooks.rollout(ROWS, trainer)
    assert [vote["flipped"] for vote in steps[0].votes] == [None, None]
    assert [vote["flipped"] for vote in steps[1].votes] == [True, False]
    assert "consensus/flip_rate" not in steps[0].metrics
    assert steps[1].metrics["consensus/flip_rate"] == 0.5
    assert [vote["step"] for vote in steps[0].votes + steps[1].votes] == [1, 1, 2, 2]


def test_a_run_that_goes_on_knows_the_labels_of_before(make_trainer, script) -> None:
    steps: list[RolloutStep] = []
    hooks = two(on_step=steps.append, labels={"a": "2", "c": "1"})
    hooks.rollout(ROWS, make_trainer(script, num_generations=2))
    assert [vote["flipped"] for vote in steps[0].votes] == [True, None]


def test_a_long_label_that_stays_is_no_flip_though_its_record_is_cut(make_trainer, lines) -> None:
    text = " ".join(f"word{n}" for n in range(200))
    steps: list[RolloutStep] = []
    hooks = two(on_step=steps.append, task="text")
    trainer = make_trainer({"a?": lines([text] * 8), "b?": lines([text] * 8)}, num_generations=2)
    hooks.rollout(ROWS, trainer)
    hooks.rollout(ROWS, trainer)
    assert len(steps[0].votes[0]["label"]) == 1000
    assert [vote["flipped"] for vote in steps[1].votes] == [False, False]


# Evaluation ----------------------------------------------------------------------------------


def test_in_evaluation_all_completions_vote_and_are_rows_and_nothing_is_recorded(
    make_trainer, line
) -> None:
    steps: list[RolloutStep] = []
    logged: list[str] = []
    hooks = two(on_step=steps.append)
    texts = (r"\boxed{2}", r"\boxed{1}", r"\boxed{1}")
    trainer = make_trainer(
        {"a?": [line(text=text) for text in texts]},
        num_generations=2, num_generations_eval=3, training=False,
    )  # fmt: skip
    rows = hooks.rollout(["a?"] * 3, trainer)
    assert trainer.calls == [(3, 3)]
    assert rows["completion_ids"] == [line(text=text).ids for text in texts]
    rewards = hooks.reward(
        ttrl_reward=rows["ttrl_reward"], log_metric=lambda key, _: logged.append(key)
    )
    assert rewards == [0.0, 1.0, 1.0] and steps == [] and logged == []


def test_metrics_of_a_step_are_not_logged_by_an_evaluation(make_trainer, lines) -> None:
    hooks, logged = two(), []
    trainer = make_trainer({"a?": lines(A * 2), "b?": lines(B * 2)}, num_generations=2)
    hooks.rollout(ROWS, trainer)
    trainer.model.training = False
    rows = hooks.rollout(ROWS, trainer)
    hooks.reward(ttrl_reward=rows["ttrl_reward"], log_metric=lambda key, _: logged.append(key))
    assert logged == []


def test_an_evaluation_between_two_steps_is_no_step(make_trainer, lines) -> None:
    steps: list[RolloutStep] = []
    hooks = two(on_step=steps.append)
    trainer = make_trainer({"a?": lines(A * 3), "b?": lines(B * 3)}, num_generations=2)
    hooks.rollout(ROWS, trainer)
    trainer.model.training = False
    hooks.rollout(ROWS, trainer)
    trainer.model.training = True
    hooks.rollout(ROWS, trainer)
    assert [step.step for step in steps] == [0, 1]


def test_a_prompt_that_nobody_announced_is_asked_as_its_users_last_message(
    make_trainer, lines
) -> None:
    """As those of an evaluation set; the choice is found in the text."""
    chat = [
        {"role": "user", "content": "Which?\nA. a cat\nB. a dog"},
        {"role": "assistant", "content": ""},
    ]
    texts = (r"\boxed{a dog}", r"\boxed{B}")
    trainer = make_trainer([(chat, lines(texts))], num_generations=2, training=False)
    hooks = two(task="choice")
    assert hooks.rollout([chat, copy.deepcopy(chat)], trainer)["ttrl_reward"] == [1.0, 1.0]


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompts", [["a?"], ["a?", "b?"], ["a?", "a?", "b?"], ["a?", "b?", "b?", "a?"]]
)
def test_rows_that_are_no_whole_groups_are_refused_before_anything_is_drawn(
    make_trainer, script, prompts
) -> None:
    trainer = make_trainer(script, num_generations=2)
    with pytest.raises(ConfigError) as refused:
        two().rollout(prompts, trainer)
    told = f"TRL gave this process {len(prompts)} rows that are no whole groups of 2"
    assert told in str(refused.value)
    assert "per_device_train_batch_size x steps_per_generation" in str(refused.value)
    assert trainer.calls == []


def test_a_trainer_with_another_k_than_was_checked_is_refused(make_trainer, script) -> None:
    trainer = make_trainer(script, num_generations=4)
    with pytest.raises(ConfigError, match="has num_generations=4, and the overlay was made for 2"):
        two().rollout(["a?"] * 4, trainer)
    assert trainer.calls == []


# Prompts -------------------------------------------------------------------------------------


def test_chats_and_texts_find_their_questions(make_trainer, lines) -> None:
    steps: list[RolloutStep] = []
    questions = [
        Question(id="text", prompt="a?"),
        Question(id="chat", prompt="b?", task="choice", options=("a cat", "a dog")),
    ]
    hooks = hooks_of(questions, ["a?", CHAT], on_step=steps.append)
    pairs = [("a?", lines(A)), (CHAT, lines([r"\boxed{a dog}", "A", r"\boxed{B}", "(b)"]))]
    prompts = ["a?", "a?", CHAT, copy.deepcopy(CHAT)]
    rows = hooks.rollout(prompts, make_trainer(pairs, num_generations=2))
    assert rows["ttrl_reward"] == [1.0, 0.0, 1.0, 0.0]
    assert [vote["question"] for vote in steps[0].votes] == ["text", "chat"]
    assert steps[0].votes[1]["counts"] == [3, 1]


# Steps ---------------------------------------------------------------------------------------

COUNTS = [
    # global step, gradient accumulation, steps per generation, iterations: generation batches before
    (0, 1, 1, 1, 0),
    (7, 1, 1, 1, 7),
    (8, 2, 4, 1, 4),  # 8 updates of 2 micro-batches, of which a batch has 4
    (8, 4, 4, 1, 8),
    (12, 1, 2, 3, 2),  # each batch is gone through three times, in two updates
    (12, 2, 4, 3, 2),
]


@pytest.mark.parametrize(("updates", "accumulated", "parts", "passes", "before"), COUNTS)
def test_a_resumed_trainer_goes_on_counting_its_steps(
    make_trainer, lines, updates, accumulated, parts, passes, before
) -> None:
    steps: list[RolloutStep] = []
    hooks = two(on_step=steps.append)
    trainer = make_trainer(
        {"a?": lines(A * 3), "b?": lines(B * 3)}, num_generations=2, global_step=updates,
        gradient_accumulation_steps=accumulated, steps_per_generation=parts, num_iterations=passes,
    )  # fmt: skip
    for _ in range(3):
        hooks.rollout(ROWS, trainer)
        trainer.state.global_step += parts * passes // accumulated
    assert [step.step for step in steps] == [before, before + 1, before + 2]
    assert steps[0].votes[0]["step"] == before + 1  # records count from 1


def test_the_step_decides_which_random_ones_are_trained_on(make_trainer, lines) -> None:
    def kept(global_step: int) -> tuple[int, ...]:
        steps: list[RolloutStep] = []
        hooks = two(trained_choice="random", on_step=steps.append)
        trainer = make_trainer(
            {"a?": lines(A), "b?": lines(B)}, num_generations=2, global_step=global_step
        )
        hooks.rollout(ROWS, trainer)
        return steps[0].scored[0].kept

    assert [kept(step) for step in range(12)] == [kept(step) for step in range(12)]
    assert len({kept(step) for step in range(12)}) > 2


def test_a_seeded_step_draws_by_seed_step_and_process_alone(make_trainer, lines) -> None:
    import torch

    def number(*, step: int, rank: int = 0, seed: int = 0, seeded: bool = True) -> float:
        drawn: list[float] = []
        hooks = two(seeded=seeded, seed=seed, on_step=lambda _: drawn.append(torch.rand(1).item()))
        trainer = make_trainer(
            {"a?": lines(A), "b?": lines(B)}, num_generations=2, global_step=step, rank=rank
        )
        hooks.rollout(ROWS, trainer)
        return drawn[0]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = number(step=3)
        torch.manual_seed(2)
        assert number(step=3) == first
        assert len({first, number(step=4), number(step=3, rank=1), number(step=3, seed=1)}) == 4
        torch.manual_seed(5)
        expected = torch.rand(1).item()
        torch.manual_seed(5)
        assert number(step=3, seeded=False) == expected  # a script's own generator is left alone


# Several processes ---------------------------------------------------------------------------


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch, make_trainer):
    """`together(hooks of each process, scripts)`: one rollout of each at once, on questions of its own.

    Threads stand for the processes; what they gather they wait for.
    """

    def run(hooks: Sequence[VotingRollout], scripts: Sequence[dict[str, Any]]) -> None:
        own, parts = threading.local(), [[] for _ in hooks]
        barrier = threading.Barrier(len(hooks), timeout=900)

        def gather(part: list[Any]) -> list[Any]:
            parts[own.rank] = part
            barrier.wait()
            return [each for part in parts for each in part]

        def rollout(rank: int) -> None:
            own.rank = rank
            trainer = make_trainer(
                scripts[rank], num_generations=2, processes=len(hooks), rank=rank
            )
            hooks[rank].rollout([prompt for prompt in scripts[rank] for _ in range(2)], trainer)

        monkeypatch.setattr("accelerate.utils.gather_object", gather)
        with ThreadPoolExecutor(len(hooks)) as pool:
            list(pool.map(rollout, range(len(hooks))))

    return run


@pytest.fixture
def steps() -> list[list[RolloutStep]]:
    """What each of two processes is told."""
    return [[], []]


def test_metrics_and_records_are_over_all_processes(together, lines, steps, vote_and_score) -> None:
    together([two(on_step=own.append) for own in steps], [{"a?": lines(A)}, {"b?": lines(B)}])
    config = resolve({"votes_per_question": 4, "trained_per_question": 2}, environment={}).values
    questions = [Question(id="a", prompt="a?"), Question(id="b", prompt="b?")]
    groups = dict(zip(questions, (A, B), strict=True))
    scored = native_groups(vote_and_score, config, groups)
    for (step,) in steps:
        own = {k: v for k, v in step.metrics.items() if not k.endswith("/seconds")}
        assert own == step_metrics(scored)
        assert step.votes == vote_records(scored, step=1, task=make_task(config), previous={})
        trained = [rewards_of(group, group.kept) for group in step.scored]
        assert trained == [[1.0, 0.0], [0.0, 1.0]]


def test_labels_of_the_other_process_are_known_at_the_next_visit(together, lines, steps) -> None:
    hooks = [two(on_step=own.append) for own in steps]
    together(hooks, [{"a?": lines(A)}, {"b?": lines(B)}])
    together(hooks, [{"b?": lines(B)}, {"a?": lines((r"\boxed{2}",) * 4)}])
    for _, step in steps:
        flips = [(vote["question"], vote["flipped"]) for vote in step.votes]
        assert flips == [("b", False), ("a", True)]


def test_what_one_process_is_asked_all_of_them_do(together, lines, steps) -> None:
    hooks = [
        two(on_step=own.append, stop_requested=lambda rank=rank: rank == 1)
        for rank, own in enumerate(steps)
    ]
    together(hooks, [{"a?": lines(A)}, {"b?": lines(B)}])
    assert [step.stop for (step,) in steps] == [True, True]


def test_texts_and_tokens_stay_in_their_process_and_lengths_and_entropies_do_not(
    together, lines, steps
) -> None:
    scripts = [{"a?": lines(A)}, {"b?": lines(B[:3], "cut off")}]
    together([two(on_step=own.append, reward="selective") for own in steps], scripts)
    written = [line for script in scripts for part in script.values() for line in part]
    for (step,) in steps:
        completions = [c for group in step.scored for c in group.group.completions]
        assert {c.text for c in completions} == {""} and not any(c.logprobs for c in completions)
        assert {token for c in completions for token in c.token_ids} == {0}
        assert [len(c.token_ids) for c in completions] == [len(line.ids) for line in written]
        tokens = sum(len(line.ids) for line in written)
        expected = sum(sum(line.entropy) for line in written) / tokens  # multiples of 1/4: exact
        assert step.metrics["sample/entropy"] == expected
        assert step.metrics["sample/truncated_rate"] == 1 / 8


def test_one_process_asks_nobody(make_trainer, script, monkeypatch) -> None:
    def nobody(part: object) -> None:
        raise AssertionError("there is no other process")

    monkeypatch.setattr("accelerate.utils.gather_object", nobody)
    steps: list[RolloutStep] = []
    two(on_step=steps.append, stop_requested=lambda: True).rollout(
        ROWS, make_trainer(script, num_generations=2)
    )
    assert steps[0].stop and steps[0].scored[0].group.completions[0].text == A[0]
