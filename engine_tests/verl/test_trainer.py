"""Vote, subset, rewards and advantages through TransferQueue, in numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from ttrl.errors import ConfigError, DataError

SEVEN, NINE, NONE = [r"\boxed{7}"], [r"\boxed{9}"], ["no idea"]


def scores(queue, batch):
    """Sum of rm_scores of each key; where it is not 0, it stands on the last token."""
    data = queue.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=["rm_scores"])
    rows = [row.tolist() for row in data["rm_scores"].unbind()]
    assert all(value == 0 for row in rows for value in row[:-1])
    return {key: sum(row) for key, row in zip(batch.keys, rows, strict=True)}


def advantages(queue, made, batch):
    """What verl's own estimator makes of the rewards: one number for each key, the same on all its tokens."""
    made._compute_old_log_prob(batch, {})
    made._compute_advantage(batch, {})
    data = queue.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=["advantages"])
    rows = [row.tolist() for row in data["advantages"].unbind()]
    assert all(len(set(row)) == 1 for row in rows)
    return {key: row[0] for key, row in zip(batch.keys, rows, strict=True)}


def test_eight_votes_decide_and_the_first_four_are_trained_on(queue, put, row, trainer):
    """7 has 5 votes of 8, among them sessions 0, 1 and 3: rewards 1, 1, 0, 1, mean 3/4, variance 1/4."""
    sessions = [
        SEVEN,
        [r"so \boxed{7.0}"],
        NINE,
        [r"\boxed{\frac{14}{2}}"],
        SEVEN,
        NONE,
        SEVEN,
        NINE,
    ]
    batch = put({"u": (row("q", votes=8), sessions)})
    metrics = {}
    made = trainer()
    kept = made.vote(batch, metrics)
    assert scores(queue, kept) == {"u_0_0": 1, "u_1_0": 1, "u_2_0": 0, "u_3_0": 1}
    assert set(queue.kv_list("train")["train"]) == {"u_0_0", "u_1_0", "u_2_0", "u_3_0"}
    assert metrics["consensus/majority_ratio"] == 5 / 8 == metrics["reward/mean"]
    assert metrics["consensus/no_answer_rate"] == 1 / 8
    assert metrics["consensus/distinct_answers"] == 2
    found = advantages(queue, made, kept)
    assert {k: round(v, 4) for k, v in found.items()} == {
        "u_0_0": 0.5, "u_1_0": 0.5, "u_2_0": -1.5, "u_3_0": 0.5,
    }  # fmt: skip


def test_questions_vote_by_themselves_whatever_the_order_of_the_batch(queue, put, row, trainer):
    """In one the majority says 7, in the other 9; a third has no answer, so nothing is learned from it."""
    prompts = {
        "a": (row("qa", votes=4), [SEVEN, NINE, SEVEN, SEVEN]),
        "b": (row("qb", votes=4), [SEVEN, NINE, NINE, NINE]),
        "c": (row("qc", votes=4), [NONE, NONE, NONE, NONE]),
    }
    for shuffle in (1, 2):
        batch = put(prompts, shuffle=shuffle)
        kept = trainer("actor_rollout_ref.rollout.n=3").vote(batch, {})
        assert scores(queue, kept) == {
            "a_0_0": 1, "a_1_0": 0, "a_2_0": 1, "b_0_0": 0, "b_1_0": 1, "b_2_0": 1,
            "c_0_0": 0, "c_1_0": 0, "c_2_0": 0,
        }  # fmt: skip
        queue.kv_clear(keys=kept.keys, partition_id="train")


def test_as_many_as_were_drawn_may_be_trained_on_and_nothing_is_dropped(queue, put, row, trainer):
    batch = put({"u": (row("q", votes=4), [SEVEN, SEVEN, NINE, NONE])})
    kept = trainer().vote(batch, {})
    assert sorted(kept.keys) == sorted(batch.keys)
    assert list(scores(queue, kept).values()).count(1) == 2


def test_questions_may_have_different_numbers_of_votes(queue, put, row, trainer):
    prompts = {
        "a": (row("qa", votes=3), [SEVEN, SEVEN, NINE]),
        "b": (row("qb", votes=5), [NINE, SEVEN, NINE, NINE, NINE]),
    }
    kept = trainer("actor_rollout_ref.rollout.n=2").vote(put(prompts), {})
    assert scores(queue, kept) == {"a_0_0": 1, "a_1_0": 1, "b_0_0": 1, "b_1_0": 0}


def test_the_last_output_of_a_session_votes_and_all_its_outputs_have_its_reward(
    queue, put, row, trainer
):
    """Session 0 changes its mind from 9 to 7, and votes for 7. Eleven outputs sort as numbers."""
    talk = [[f"call {n}" for n in range(10)] + SEVEN]
    sessions = [[r"\boxed{9}", r"\boxed{7}"], NINE, *talk, SEVEN]
    batch = put({"u": (row("q", votes=4), sessions)})
    kept = trainer("actor_rollout_ref.rollout.n=3").vote(batch, {})
    expected = {"u_0_0": 1, "u_0_1": 1, "u_1_0": 0} | {f"u_2_{n}": 1 for n in range(11)}
    assert scores(queue, kept) == expected


def test_a_cut_completion_abstains_unless_its_box_is_closed(queue, put, row, trainer):
    """Both have no stop token. They are shorter than max_response_length: the model's context cut them."""
    cut = ["a 7 is what it is, I think it is \\boxed{7..."]
    closed = [r"\boxed{9} and so on and so on and..."]
    made = trainer("actor_rollout_ref.rollout.n=2")
    metrics = {}
    batch = put({"u": (row("q", votes=3), [cut, closed, NINE])})
    assert scores(queue, made.vote(batch, metrics)) == {"u_0_0": 0, "u_1_0": 1}
    assert metrics["sample/truncated_rate"] == 2 / 3
    assert metrics["consensus/no_answer_rate"] == 1 / 3


def test_a_completion_of_full_length_that_stopped_is_not_cut(queue, put, row, trainer, tokenizer):
    text = r"\boxed{7}"
    length = len(tokenizer.encode(text, add_special_tokens=False)) + 1
    made = trainer("actor_rollout_ref.rollout.n=2", f"data.max_response_length={length}")
    metrics = {}
    made.vote(put({"u": (row("q", votes=2), [[text], [text]])}), metrics)
    assert metrics["sample/truncated_rate"] == 0


def test_no_consensus_is_reward_0_and_advantage_0(queue, put, row, trainer):
    made = trainer("actor_rollout_ref.rollout.n=2")
    kept = made.vote(put({"u": (row("q", votes=2), [NONE, NONE])}), {})
    assert set(scores(queue, kept).values()) == {0} == set(advantages(queue, made, kept).values())


def test_padding_of_verls_balancing_has_no_reward_and_moves_no_advantage(queue, put, row, trainer):
    """Three rows for two GPUs and updates of four: verl adds one, of a prompt of its own."""
    from ttrl.overlays.verl.trainer import TTRLTrainer

    made = trainer("actor_rollout_ref.rollout.n=3", "data.train_batch_size=4")
    batch = put({"u": (row("q", votes=4), [SEVEN, SEVEN, NINE, SEVEN])})
    metrics = {}
    kept = super(TTRLTrainer, made)._balance_batch(made.vote(batch, metrics), metrics)
    assert len(kept) == 6  # of two questions in an update, one was there
    found = advantages(queue, made, kept)
    # rewards 1, 1, 0: mean 2/3, standard deviation sqrt(1/3)
    high, low = (1 / 3) / (math.sqrt(1 / 3) + 1e-6), (-2 / 3) / (math.sqrt(1 / 3) + 1e-6)
    assert found["u_0_0"] == pytest.approx(high) == found["u_1_0"]
    assert found["u_2_0"] == pytest.approx(low)
    padding = [key for key in kept.keys if key.startswith("pad")]
    assert len(padding) == 3 and all(found[key] == 0 for key in padding)
    queue.kv_clear(keys=padding, partition_id="train")


def test_the_flip_rate_compares_with_the_label_of_the_last_visit(queue, put, row, trainer):
    made = trainer("actor_rollout_ref.rollout.n=2")
    rates = []
    for answers in (SEVEN, [r"\boxed{7.0}"], NINE):
        metrics = {}
        kept = made.vote(put({"u": (row("q", votes=2), [answers, answers])}), metrics)
        queue.kv_clear(keys=kept.keys, partition_id="train")
        rates.append(metrics.get("consensus/flip_rate"))
    assert rates == [None, 0, 1]


def test_the_block_ttrl_chooses_task_reward_and_subset(queue, put, row, trainer):
    """Soft rewards are shares of votes: B has 2 of 4, A and C one each. Spread keeps the extremes."""
    made = trainer(
        "+ttrl.task=choice", "+ttrl.reward=soft", "+ttrl.trained_choice=spread", "+ttrl.seed=3",
        "actor_rollout_ref.rollout.n=2",
    )  # fmt: skip
    asked = row("q", votes=4, options=("a cat", "a dog", "a cow"))
    sessions = [["Answer: (B)"], ["Answer: (A)"], ["Answer: B"], ["Answer: (C)"]]
    kept = made.vote(put({"u": (asked, sessions)}), {})
    assert scores(queue, kept) == {"u_0_0": 0.5, "u_1_0": 0.25}


def test_confidence_reads_the_log_probabilities_of_the_sampler(queue, put, row, trainer):
    """One 9 at -0.1 a token weighs 1, each of two 7s at -2 weighs exp(-1.9 / 0.5) = 0.02: 9 is elected."""
    made = trainer(
        "+ttrl.reward=confidence", "+ttrl.confidence_temperature=0.5",
        "actor_rollout_ref.rollout.calculate_log_probs=True", "actor_rollout_ref.rollout.n=2",
    )  # fmt: skip
    kept = made.vote(put({"u": (row("q", votes=3), [SEVEN, [r"surely \boxed{9}"], SEVEN])}), {})
    assert scores(queue, kept) == {"u_0_0": 0, "u_1_0": 1}


@pytest.mark.parametrize(
    ("sessions", "told"),
    [
        ([SEVEN, None, SEVEN, SEVEN], "3 completions, wanted 4; sessions 1 are missing"),
        ([SEVEN, SEVEN, SEVEN, SEVEN, NINE], "5 completions, wanted 4"),
    ],
)
def test_a_group_that_is_not_whole_is_told_before_anything_is_written(
    queue, put, row, trainer, sessions, told
):
    batch = put({"u": (row("q", votes=4), sessions)})
    with pytest.raises(DataError, match=told) as error:
        trainer().vote(batch, {})
    assert "step 1" in str(error.value) and "'q'" in str(error.value)
    assert set(scores(queue, batch).values()) == {0}


def test_a_question_of_which_every_session_failed_is_told(put, row, trainer):
    """verl would fill its place with padding and say nothing."""
    batch = put({"u": (row("q", votes=4), [SEVEN] * 4), "v": (row("r", votes=4), [None] * 4)})
    with pytest.raises(
        DataError, match=r"step 1: completions of 1 questions.*sync_refill_failed_groups"
    ):
        trainer()._balance_batch(batch, {})


def test_a_row_of_another_file_is_told(put, row, trainer):
    foreign = row("q", votes=2) | {"extra_info": {"index": 3, "split": "train"}}
    batch = put({"u": (foreign, [SEVEN, SEVEN])})
    with pytest.raises(DataError, match=r"extra_info\.id is None.*export-data"):
        trainer().vote(batch, {})


def test_the_trainer_samples_in_step_as_verls_synchronous_one_does(trainer):
    """Verl takes a mode of an unknown name for an asynchronous one."""
    from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

    made = trainer()
    assert made.trainer_mode == "sync" and type(made.replay_buffer) is ReplayBuffer


def test_the_trainer_checks_its_config_before_it_builds_anything(trainer):
    with pytest.raises(ConfigError, match="gdpo"):
        trainer("algorithm.adv_estimator=gdpo")
    with pytest.raises(ConfigError, match=r"ttrl\.rewrd.*Did you mean ttrl\.reward\?"):
        trainer("+ttrl.rewrd=majority")


def test_answers_that_need_computer_algebra_are_read_in_a_process_of_ray_too(queue):
    """The trainer runs in an actor, and the algebra in a process that the actor starts."""
    import ray

    @ray.remote
    def rewards() -> list[float]:
        from ttrl.overlays.verl.checks import voting_config
        from ttrl.overlays.voting import GroupVoter, completion
        from ttrl.types import Question

        question = Question(id="q", prompt="?")
        texts = [r"\boxed{(x+1)^2}", r"\boxed{x^2+2x+1}", r"\boxed{x^2+1}"]
        drawn = [completion(question, text) for text in texts]
        return GroupVoter(voting_config({}, trained=3)).vote(question, drawn, step=0).rewards

    assert ray.get(rewards.remote()) == (1, 1, 0)


def test_a_completion_without_tokens_abstains(queue, put, row, trainer):
    batch = put({"u": (row("q", votes=3), [[""], SEVEN, SEVEN])})
    metrics = {}
    kept = trainer("actor_rollout_ref.rollout.n=2").vote(batch, metrics)
    data = queue.kv_batch_get(keys=kept.keys, partition_id="train", select_fields=["rm_scores"])
    found = {k: r.tolist() for k, r in zip(kept.keys, data["rm_scores"].unbind(), strict=True)}
    assert found["u_0_0"] == [] and found["u_1_0"][-1] == 1
    assert metrics["consensus/no_answer_rate"] == 1 / 3
