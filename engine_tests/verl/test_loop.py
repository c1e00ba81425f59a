"""verl's own loop from the data file to the update, with our trainer in it and no GPU behind it.

What is real: verl's data set, loader, agent loop and reward worker (both actors of Ray), TransferQueue,
replay buffer, balancing, advantages, metrics, validation. What is not: the server that samples, and the
workers that learn.
"""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

import pytest

from ttrl.answers.tasks import get_task
from ttrl.consensus.rewards import agreement_rewards
from ttrl.consensus.vote import vote_on_group
from ttrl.overlays.voting import completion
from ttrl.types import Group, Question

TEXTS = [r"\boxed{7}", r"so \boxed{7.0}", r"\boxed{9}", "no idea", "and on and on " * 9]
VOTES, TRAINED, STEPS = 6, 4, 4


@pytest.fixture(scope="module")
def finished(queue, fit, compose, small, model, tokenizer, tmp_path_factory):
    """Four steps of two questions of four, six votes each; what was seen before and after each vote."""
    from verl_fakes import NoReplicas, ScriptedServer, StillWorkers

    from ttrl.cli.main import main
    from ttrl.overlays.verl.trainer import TTRLTrainer

    folder = tmp_path_factory.mktemp("loop")
    rows = [
        {"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": str(n)} for n in (7, 8, 9, 3)
    ]
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = f"--questions {folder}/q.jsonl --answers answer --votes-per-question {VOTES}"
    assert (
        main(["export-data", "--format", "verl", "--out", f"{folder}/data", *options.split()]) == 0
    )
    config = compose(
        *small,
        f"data.train_files={folder}/data/train.parquet",
        f"data.val_files={folder}/data/evaluation.parquet",
        f"actor_rollout_ref.model.path={model}",
        f"actor_rollout_ref.rollout.n={TRAINED}",
        "actor_rollout_ref.rollout.val_kwargs.n=2",
        f"trainer.total_training_steps={STEPS}",
        f"trainer.total_epochs={STEPS}",
        "trainer.test_freq=4",
        f"trainer.default_local_dir={folder}/checkpoints",
    )
    seen: list[dict[str, Any]] = []
    logged: list[dict[str, Any]] = []

    class Watched(TTRLTrainer):
        def vote(self, batch, metrics):
            seen.append(look(queue, batch, tokenizer))
            kept = super().vote(batch, metrics)
            seen[-1]["left"] = set(queue.kv_list("train")["train"])
            return kept

        def _compute_metrics(self, batch, metrics, *arguments, **options):
            super()._compute_metrics(batch, metrics, *arguments, **options)
            logged.append(metrics)

    workers = StillWorkers()
    server = ScriptedServer(tokenizer, TEXTS, longest=24)
    fit(Watched(config), workers=workers, weights=NoReplicas(), server=server)
    return {"seen": seen, "logged": logged, "updates": workers.updates}


def look(queue, batch, tokenizer):
    """Every sample of a step before the vote."""
    fields = ["responses", "extra_info", "rm_scores"]
    data = queue.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=fields)
    responses = dict(
        zip(batch.keys, (row.tolist() for row in data["responses"].unbind()), strict=True)
    )
    infos = zip(batch.keys, data["extra_info"], strict=True)
    return {
        "text": {k: tokenizer.decode(r, skip_special_tokens=True) for k, r in responses.items()},
        "cut": {key: tokenizer.eos_token_id not in r for key, r in responses.items()},
        "id": {key: info["id"] for key, info in infos},
        "score": [float(row.sum()) for row in data["rm_scores"].unbind()],
    }  # fmt: skip


def groups(step):
    """The keys of each question of a step, in the order of sampling."""
    found: dict[str, list[str]] = {}
    for key in sorted(step["id"], key=lambda key: int(key.split("_")[1])):
        found.setdefault(step["id"][key], []).append(key)
    return found


def test_each_row_is_drawn_as_often_as_its_column_says(finished):
    """12 samples a step: `__rollout_n__` is 6, and `rollout.n` 4."""
    for step in finished["seen"]:
        assert [len(keys) for keys in groups(step).values()] == [VOTES, VOTES]
    asked = [id for step in finished["seen"] for id in groups(step)]
    assert sorted(asked) == sorted(2 * ["q3", "q7", "q8", "q9"])  # every question once an epoch


def test_no_sample_has_a_reward_before_the_vote(finished):
    assert all(set(step["score"]) == {0} for step in finished["seen"])


def test_rewards_and_kept_completions_are_those_of_the_rule(finished):
    """The first four of six, with the reward that a rule gives them beside verl."""
    task = get_task("math")
    for step, update in zip(finished["seen"], finished["updates"], strict=True):
        expected = {}
        for id, keys in groups(step).items():
            question = Question(id=id, prompt="?")
            drawn = [
                completion(
                    question, step["text"][k], finish_reason="length" if step["cut"][k] else "stop"
                )
                for k in keys
            ]
            group = Group(question=question, completions=tuple(drawn))
            rewards = agreement_rewards(vote_on_group(task, group, tie_seed=0))
            expected |= dict(zip(keys[:TRAINED], rewards[:TRAINED], strict=True))
        assert {key: row["reward"] for key, row in update["rows"].items()} == expected
        assert step["left"] == set(expected)


def test_advantages_are_those_of_the_trained_completions_alone(finished):
    """GRPO: (reward - mean) / (standard deviation + 1e-6) over the four, not over the six."""
    for step, update in zip(finished["seen"], finished["updates"], strict=True):
        for keys in groups(step).values():
            rows = [update["rows"][key] for key in keys[:TRAINED]]
            rewards = [row["reward"] for row in rows]
            mean, spread = statistics.mean(rewards), statistics.stdev(rewards)
            for row in rows:
                wanted = (row["reward"] - mean) / (spread + 1e-6)
                assert all(math.isclose(a, wanted, abs_tol=1e-5) for a in row["advantages"])


def test_an_update_is_on_whole_questions_by_the_number_that_are_trained_on(finished):
    """ppo_mini_batch_size 2 x rollout.n 4 = 8 rows: all of them, and no padding, for 12 that were drawn."""
    for update in finished["updates"]:
        assert len(update["rows"]) == 8 == update["mini_batch_size"] and update["padding"] == 0


def test_metrics_of_the_vote_stand_beside_verls(finished):
    for step, metrics in zip(finished["seen"], finished["logged"], strict=True):
        cut = list(step["cut"].values())
        assert metrics["sample/truncated_rate"] == pytest.approx(sum(cut) / 12)
        assert 0 < metrics["consensus/majority_ratio"] <= 1
        assert metrics["critic/score/mean"] == pytest.approx(
            statistics.mean(
                row["reward"] for row in finished["updates"][finished["seen"].index(step)]["rows"].values()
            )
        )  # fmt: skip
    flips = [metrics.get("consensus/flip_rate") for metrics in finished["logged"]]
    assert flips[:2] == [None, None] and set(flips[2:]) <= {0.0, 0.5, 1.0}


def test_validation_is_graded_by_verl(finished):
    """Of four true answers the texts only ever give 7 and 9, so questions 8 and 3 are never right."""
    scores = finished["logged"][-1]
    assert 0 <= scores["val-core/lighteval/MATH/acc/mean@2"] <= 0.5


def test_nothing_is_left_in_the_queue(finished, queue):
    assert not any(queue.kv_list().values())
