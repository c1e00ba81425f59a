from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.config import RunConfig
from ttrl.errors import ConfigError
from ttrl.overlays.trl.rollout import Share, share_of, updates_of_step


def config_of(*, per_step: int, k: int, updates: int = 1, passes: int = 1) -> RunConfig:
    return RunConfig(
        questions_per_step=per_step,
        votes_per_question=max(2, k),
        trained_per_question=k,
        updates_per_step=updates,
        passes_per_step=passes,
    )


settings = st.fixed_dictionaries(
    {
        "per_step": st.integers(1, 40),
        "k": st.integers(2, 12),
        "updates": st.integers(1, 12),
        "questions": st.integers(1, 60),
        "processes": st.integers(1, 12),
    }
)


def share(*, questions: int, processes: int, **given: int) -> Share:
    return share_of(config_of(**given), questions=questions, processes=processes)


@given(settings)
def test_every_process_holds_whole_groups_and_updates_of_one_size(setting: dict[str, int]) -> None:
    try:
        found = share(**setting)
    except ConfigError:
        return
    k, processes = setting["k"], setting["processes"]
    assert found.questions == min(setting["per_step"], setting["questions"])
    assert found.rows % k == 0
    assert found.rows_of_update * setting["updates"] == found.rows
    assert processes * found.rows == found.questions * k


@given(settings)
def test_every_number_that_a_message_names_mends_what_it_names(setting: dict[str, int]) -> None:
    """So that with it the same complaint does not come again."""
    try:
        share(**setting)
    except ConfigError as error:
        message = str(error)
    else:
        return
    if message.startswith("updates_per_step"):
        (updates,) = re.findall(r"Set updates_per_step to (\d+)", message)
        assert int(updates) < setting["updates"]
        share(**setting | {"updates": int(updates)})
        return
    undivided = setting | {"updates": 1}
    (processes,) = re.findall(r"[Ss]tart (\d+) process", message)
    assert 1 <= int(processes) < setting["processes"]
    share(**undivided | {"processes": int(processes)})
    for numbers in re.findall(r"Set questions_per_step to ([\d or]+), or", message):
        for number in map(int, numbers.split(" or ")):
            found = share(**undivided | {"per_step": number})
            assert found.questions == number  # there are as many


@given(settings)
def test_one_process_and_one_update_always_fit(setting: dict[str, int]) -> None:
    found = share(**setting | {"processes": 1, "updates": 1})
    assert found.rows == found.rows_of_update == found.questions * setting["k"]


def test_shares_by_hand() -> None:
    found = share(per_step=16, k=32, updates=4, questions=500, processes=8)
    assert (found.questions, found.rows, found.rows_of_update) == (16, 64, 16)
    few = share(per_step=16, k=2, questions=6, processes=3)  # all six in every step
    assert (few.questions, few.rows) == (6, 4)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            {"per_step": 10, "k": 4, "questions": 50, "processes": 4},
            "Set questions_per_step to 8 or 12, or start 2 processes.",
        ),
        (
            {"per_step": 16, "k": 4, "questions": 11, "processes": 4},
            "questions_per_step=11 on 4 processes",
        ),
        (
            {"per_step": 16, "k": 4, "questions": 11, "processes": 4},
            "Set questions_per_step to 8, or start 1 process.",
        ),
        ({"per_step": 2, "k": 4, "questions": 3, "processes": 8}, "3 questions for 8 processes"),
        ({"per_step": 2, "k": 4, "questions": 3, "processes": 8}, "Start 2 processes."),
        (
            {"per_step": 4, "k": 6, "questions": 50, "processes": 2, "updates": 5},
            "trains on 12 completions in a step (2 questions x 6 completions)",
        ),
        (
            {"per_step": 4, "k": 6, "questions": 50, "processes": 2, "updates": 5},
            "Set updates_per_step to 4",
        ),
    ],
)
def test_what_does_not_divide_is_refused_with_the_numbers_that_do(
    setting: dict[str, int], told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        share(**setting)
    assert told in str(refused.value)


def test_updates_of_a_step_are_those_of_every_pass() -> None:
    assert updates_of_step(config_of(per_step=8, k=2, updates=4, passes=3)) == 12
