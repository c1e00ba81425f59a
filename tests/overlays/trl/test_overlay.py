"""Three arguments for a TRL script, and what is refused before its trainer is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from ttrl.errors import ConfigError
from ttrl.overlays.pins import Pin
from ttrl.overlays.trl import Overlay


class Rows:
    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = list(rows)
        self.column_names = list(rows[0])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def remove_columns(self, names: Sequence[str]) -> Rows:
        return Rows([{k: v for k, v in row.items() if k not in names} for row in self.rows])


DATA = Rows(
    [{"prompt": "a?", "answer": "1", "level": 2}, {"prompt": "b?", "answer": "2", "level": 3}]
)


def args_of(**given: Any) -> SimpleNamespace:
    fields = {
        "per_device_train_batch_size": 4,
        "steps_per_generation": 2,
        "num_generations": 8,
        "process_index": 0,
        "do_eval": False,
        "num_generations_eval": None,
        "per_device_eval_batch_size": 8,
    }
    return SimpleNamespace(**fields | given)


@pytest.fixture(autouse=True)
def tested_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pin, "check", lambda self: "1.16.0")


def test_labels_are_taken_out_and_this_is_said_once(capsys) -> None:
    overlay = Overlay(args_of(), DATA)
    assert overlay.dataset.column_names == ["prompt", "level"]
    assert DATA.column_names == ["prompt", "answer", "level"]  # the script's own stays
    told = capsys.readouterr()
    assert told.err == "ttrl: left out of training: answer. Labels never reach it.\n"
    Overlay(args_of(process_index=1), DATA)
    assert capsys.readouterr() == ("", "")
    assert told.out == ""


def test_nothing_is_said_without_labels(capsys) -> None:
    overlay = Overlay(args_of(), Rows([{"prompt": "a?"}]))
    assert overlay.dataset.column_names == ["prompt"] and capsys.readouterr().err == ""


def test_the_rollout_votes_with_m_and_trains_the_trainers_k(make_trainer, line) -> None:
    texts = [rf"\boxed{{{n}}}" for n in (1, 2, 2, 3)]
    overlay = Overlay(
        args_of(num_generations=2), Rows([{"prompt": "a?"}]), votes_per_question=4, trained_choice="spread"
    )  # fmt: skip
    trainer = make_trainer({"a?": [line(text=text) for text in texts]}, num_generations=2)
    rows = overlay.rollout(["a?", "a?"], trainer)
    assert rows["completion_ids"] == [line(text=text).ids for text in texts[:2]]
    assert overlay.reward(ttrl_reward=rows["ttrl_reward"]) == [0.0, 1.0]


def test_64_vote_where_nobody_says_otherwise(make_trainer, line) -> None:
    overlay = Overlay(args_of(num_generations=2), Rows([{"prompt": "a?"}]))
    trainer = make_trainer({"a?": [line(text=r"\boxed{1}")] * 64}, num_generations=2)
    overlay.rollout(["a?", "a?"], trainer)
    assert trainer.calls == [(64, 64)]


OF_TRL = {
    "trained_per_question": ("num_generations", 8),
    "temperature": ("temperature", 0.5),
    "max_tokens": ("max_completion_length", 64),
    "learning_rate": ("learning_rate", 1e-5),
    "steps": ("max_steps", 5),
    "questions_per_step": ("generation_batch_size", 4),
    "algorithm": ("loss_type", "gspo"),
    "report_to": ("report_to", "wandb"),
}


@pytest.mark.parametrize("key", OF_TRL)
def test_what_grpo_config_says_is_refused_with_its_name_there(key: str) -> None:
    name, value = OF_TRL[key]
    with pytest.raises(ConfigError, match=f"Overlay: {key} is {name} of GRPOConfig"):
        Overlay(args_of(), DATA, **{key: value})


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown key .*Did you mean .*votes.per.question"):
        Overlay(args_of(), DATA, vote_per_question=64)


@pytest.mark.parametrize(
    ("key", "value"), [("model", "x"), ("votes", "adaptive"), ("engine", "trl")]
)
def test_a_setting_that_no_vote_reads_is_refused_with_those_that_it_does(
    key: str, value: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Overlay(args_of(), DATA, **{key: value})
    assert f"Overlay: {key} is nothing that a vote reads" in str(refused.value)
    for known in ("votes_per_question", "trained_choice", "reward", "task", "options_column"):
        assert known in str(refused.value)


@pytest.mark.parametrize("settings", [{"votes_per_question": 4}, {"votes_per_question": "4"}])
def test_more_to_train_on_than_votes_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="subset of the votes"):
        Overlay(args_of(), DATA, **settings)


def test_trls_k_above_the_default_m_is_told_with_the_setting_that_mends_it() -> None:
    args = args_of(num_generations=128, per_device_train_batch_size=128)
    with pytest.raises(ConfigError, match=r"num_generations=128.*Set votes_per_question >= 128"):
        Overlay(args, DATA)


def test_groups_that_would_be_split_are_refused_before_the_data_is_read() -> None:
    with pytest.raises(ConfigError, match="would be split over processes"):
        Overlay(args_of(per_device_train_batch_size=3), None)


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        ({"per_device_eval_batch_size": 4}, 8),
        ({"per_device_eval_batch_size": 12}, 16),
        ({"num_generations_eval": 3}, 9),
        ({"num_generations_eval": 4}, None),
        ({"per_device_eval_batch_size": 16}, None),
        ({"per_device_eval_batch_size": 4, "do_eval": False}, None),
    ],
)
def test_groups_that_an_evaluation_would_split_are_refused_with_the_size_that_fits(
    given: dict[str, Any], fitting: int | None
) -> None:
    args = args_of(**{"do_eval": True} | given)
    if fitting is None:
        Overlay(args, DATA)
        return
    with pytest.raises(ConfigError, match=f"Set per_device_eval_batch_size={fitting}\\."):
        Overlay(args, DATA)


def test_the_answer_key_is_no_reward_of_an_overlay() -> None:
    with pytest.raises(ConfigError, match="reward=answer-key needs true answers"):
        Overlay(args_of(), DATA, reward="answer-key")


def test_settings_of_the_environment_are_not_read(monkeypatch) -> None:
    monkeypatch.setenv("TTRL_TASK", "no-such-task")
    Overlay(args_of(), DATA)


def test_another_version_is_refused_first(monkeypatch) -> None:
    def wrong(self: Pin) -> str:
        raise ConfigError(f"{self.package} 2.0 is installed")

    monkeypatch.setattr(Pin, "check", wrong)
    with pytest.raises(ConfigError, match=r"trl 2\.0 is installed"):
        Overlay(None, None)
