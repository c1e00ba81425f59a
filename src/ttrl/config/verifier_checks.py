"""Checks what a verifier cannot go with."""

from __future__ import annotations

from ttrl.config.settings import RunConfig
from ttrl.errors import ConfigError


def check_verifier(values: RunConfig) -> None:
    """Checks the verifier against votes and reward. Tasks with similar answers: `of_equal_answers`.

    Raises:
        ConfigError: weights that nothing could count, or that nobody would read.
    """
    if values.verifier is None:
        return
    if values.votes == "adaptive":
        raise ConfigError(
            f"verifier={values.verifier} with votes=adaptive: votes have weights, so no lead can be counted. "
            "Use votes: fixed, or leave verifier out."
        )
    if values.reward == "answer-key":
        raise ConfigError(
            f"verifier={values.verifier} with reward=answer-key: true answers reward, and not what the votes "
            "elect. Choose another reward, or leave verifier out."
        )
