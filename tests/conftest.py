"""Small models and completions that tests of several folders share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ttrl.types import Completion, Group, Question

# Both are clocks: a busy machine must not fail a test.
settings.register_profile("ttrl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ttrl")


@pytest.fixture
def make_group() -> Callable[..., Group]:
    """A group from texts, as a sampler would have returned it."""

    def make(texts: Sequence[str], *, id: str = "q", reasons: Sequence[str] | None = None) -> Group:
        reasons = reasons or ["stop"] * len(texts)
        question = Question(id=id, prompt="?")
        completions = tuple(
            Completion(
                question_id=id,
                prompt_ids=(1, 2),
                token_ids=(*tuple(text.encode()), 0),
                logprobs=(-0.5,) * (len(text.encode()) + 1),
                entropy=(0.25,) * (len(text.encode()) + 1),
                finish_reason=reason,  # type: ignore[arg-type]
                policy_version=0,
                text=text,
            )
            for text, reason in zip(texts, reasons, strict=True)
        )
        return Group(question=question, completions=completions)

    return make


@pytest.fixture(scope="session")
def embedded() -> Any:
    """The embedded model, as `--model ttrl-tiny` loads it."""
    import torch

    from ttrl.engine.models.load import load_model
    from ttrl.engine.models.source import find_model

    return load_model(find_model("ttrl-tiny"), dtype="float32", device=torch.device("cpu"))
