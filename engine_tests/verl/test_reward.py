"""verl's hook for one sample: nothing in training, verl's own grade in validation."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch


@pytest.fixture
def score(compose, small, tokenizer):
    """`score(row, text)`: what verl's reward worker would be told of one completion."""
    from tensordict import TensorDict
    from verl import DataProto
    from verl.trainer.ppo.reward import load_reward_manager

    manager = load_reward_manager(compose(*small), tokenizer)

    def run(row, text):
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        whole = torch.ones(1, 1 + ids.shape[1], dtype=torch.int64)
        batch = TensorDict(
            {"prompts": ids[:, :1], "responses": ids, "attention_mask": whole}, batch_size=1
        )
        columns = {key: np.array([value], dtype=object) for key, value in row.items()}
        done = manager.loop.run_until_complete(
            manager.run_single(DataProto(batch=batch, non_tensor_batch=columns))
        )
        return done["reward_score"]

    asyncio.set_event_loop(manager.loop)
    return run


def test_a_row_that_votes_earns_nothing_even_if_it_carries_a_label(score, row):
    labeled = row("q", votes=2)
    labeled["reward_model"]["ground_truth"] = "7"
    labeled["data_source"] = "lighteval/MATH"
    assert score(labeled, r"\boxed{7}") == 0


def test_a_row_of_a_validation_is_graded_by_verl(score):
    from ttrl.answers.tasks import get_task
    from ttrl.overlays.verl.rows import validation_row
    from ttrl.types import Question

    graded = validation_row(
        Question(id="q", prompt="?"), index=0, task=get_task("math"),
        data_source="lighteval/MATH", answer="7",
    )  # fmt: skip
    assert score(graded, r"\boxed{7}") == 1
    assert score(graded, r"\boxed{8}") == 0
