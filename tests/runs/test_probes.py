"""A probe from Python."""

import pytest
import torch

from ttrl import probe
from ttrl.errors import ConfigError
from ttrl.probing.result import ProbeResult, probe_lines


@pytest.fixture(scope="module")
def found() -> tuple[ProbeResult, list[str]]:
    messages: list[str] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = probe(
            probe_questions=6, probe_votes=4, limit=12, device="cpu", on_message=messages.append
        )
    finally:
        torch.set_num_threads(threads)
    return result, messages


def test_a_probe_returns_verdict_and_numbers(found) -> None:
    result, messages = found
    assert result.verdict in {"go", "go with care", "do not"} and result.reasons
    assert (result.signals.questions, result.signals.votes_per_question) == (6, 4)
    assert result.memory["total"] > 0 and 0 <= result.label_accuracy <= 1
    assert messages == ["probe       6 questions x 4 votes, then two updates that are thrown away"]


def test_json_and_text_say_what_the_value_holds(found) -> None:
    result, _ = found
    written = result.to_json()
    assert written["verdict"] == result.verdict and written["reasons"] == list(result.reasons)
    assert written["signals"]["kappa"] == result.signals.kappa
    assert written["cost"]["share_of_run"] == result.cost.share_of_run
    text = "\n".join(probe_lines(result))
    assert f"verdict     {result.verdict.upper()}" in text
    assert all(sentence in text for sentence in (*result.reasons, *result.advice.lines))


def test_how_closely_to_look_is_no_key_of_a_file(tmp_path) -> None:
    (tmp_path / "run.yaml").write_text("probe_votes: 8\n", "utf-8")
    with pytest.raises(ConfigError, match="probe_votes is no key of a config file"):
        probe(config=tmp_path / "run.yaml")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probe_votes": 3}, r"probe\(\): probe_votes='3': wanted a whole number from 4"),
        ({"probe_question": 8}, r"probe\(\): unknown key 'probe_question'\. Did you mean probe_questions\?"),
        ({"setps": 3}, r"probe\(\): unknown key 'setps'\. Did you mean steps\?"),
        ({"out": "x"}, r"probe\(\): 'out' is not read here"),
        ({"json": True}, r"probe\(\): 'json' .* command `ttrl probe`"),
        ({"reward": "answer-key"}, "Leave reward out"),
    ],
)  # fmt: skip
def test_what_a_call_does_not_read_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        probe(**settings)


def test_sources_of_further_votes_are_left_out_and_a_peer_is_not_loaded(monkeypatch) -> None:
    def loads(*arguments: object, **named: object) -> None:
        assert arguments[0].peer is None

    monkeypatch.setattr("ttrl.runs.session.open_peer", loads)
    messages: list[str] = []
    probe(
        probe_questions=4, probe_votes=4, limit=4, device="cpu", on_message=messages.append,
        label_votes=("base", "peer"), peer="ttrl-tiny",
    )  # fmt: skip
    assert any("votes of base, peer are left out" in line for line in messages)
