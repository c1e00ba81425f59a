"""Small models and completions that tests of several folders share."""

from __future__ import annotations

import contextlib
import cProfile
import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule, score
from ttrl.consensus.vote import vote_on_group
from ttrl.types import Completion, Group, Question, ScoredGroup

# Both are clocks: a busy machine must not fail a test.
settings.register_profile("ttrl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ttrl")

with contextlib.suppress(ImportError):  # the environments of the adapters have no hypothesis
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")  # a machine may be slow or busy

HANGING = 60
"""Seconds of processor time after which a call counts as hanging; those of the tests take up to 2."""


@pytest.fixture
def calls_in() -> Callable[[Callable[[], object]], int]:
    """`calls_in(function)`: how many functions it calls, in Python and in C: its work on any machine.

    The work inside of one call in C is not counted, but a call that hangs ends and fails.
    """

    def count(function: Callable[[], object]) -> int:
        def hangs(*_: object) -> None:
            raise AssertionError("it hangs")

        profile = cProfile.Profile()
        before = signal.signal(signal.SIGPROF, hangs)
        signal.setitimer(signal.ITIMER_PROF, HANGING)
        try:
            profile.runcall(function)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
        return sum(entry.callcount for entry in profile.getstats())

    return count


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


@pytest.fixture
def vote_and_score() -> Callable[..., ScoredGroup]:
    """`vote_and_score(group, reward="majority", ...)`, or with a config: as a step does."""

    def run(
        group: Group,
        *,
        step: int = 0,
        config: RunConfig | None = None,
        **settings: Any,
    ) -> ScoredGroup:
        config = config or RunConfig(**settings)
        rule = make_rule(config)
        consensus = vote_on_group(make_task(config), group, tie_seed=config.seed, weigh=rule.weigh)
        return score(group, consensus, rule=rule, config=config, step=step)

    return run


@pytest.fixture(scope="session")
def embedded() -> Any:
    """The embedded model, as `--model ttrl-tiny` loads it."""
    import torch

    from ttrl.engine.models import find_model, load_model

    return load_model(find_model("ttrl-tiny"), dtype="float32", device=torch.device("cpu"))
