"""A program that weighs votes: what it says counts, and what it does wrong costs a bounded time."""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ttrl
from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig, resolve
from ttrl.consensus import verifier_process
from ttrl.consensus.rules import make_rule
from ttrl.consensus.verifier import FAILURES, Verifier, command_of, weight_of
from ttrl.errors import ConfigError
from ttrl.training.further import Drawn
from ttrl.training.step import elect_and_score
from ttrl.types import Completion, FurtherVotes, Group, Question

Program = Callable[[str], str]

EACH = "import json, sys\nfor line in sys.stdin:\n    vote = json.loads(line)\n    "
"""The begin of a program; what follows runs for each vote."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a Python program, and returns the command that runs it."""

    def write(source: str) -> str:
        path = tmp_path / f"verify {len(list(tmp_path.iterdir()))}.py"
        path.write_text(source, encoding="utf-8")
        return shlex.join([sys.executable, "-S", str(path)])

    return write


def verifier(command: str, *, seconds: float = 20.0) -> Verifier:
    return Verifier(command, verified_weight=5.0, seconds=seconds)


def group(*texts: str) -> Group:
    completions = tuple(
        Completion(
            question_id="q",
            prompt_ids=(),
            token_ids=(1,),
            logprobs=(),
            entropy=(),
            finish_reason="stop",
            policy_version=0,
            text=text,
        )
        for text in texts
    )
    return Group(question=Question(id="q", prompt="How many?"), completions=completions)


def weights(command: str, *answers: str | None, seconds: float = 20.0) -> tuple[float, ...]:
    """Weights of votes with different completions, by a verifier that is ended afterwards."""
    own = verifier(command, seconds=seconds)
    try:
        return own.weigh(group(*(f"text {i}" for i in range(len(answers)))), answers)
    finally:
        own.close()


def test_two_verified_votes_of_three_outweigh_four(program: Program) -> None:
    """4 * 1 = 4 for A, 2 * 5 + 1 = 11 for B."""
    command = program(
        EACH + "print(json.dumps({'verified': 'sure' in vote['completion']}), flush=True)"
    )
    texts = [rf"\boxed{{{a}}}" for a in "AAAA"] + [r"sure \boxed{B}"] * 2 + [r"\boxed{B}"]
    found = ttrl.vote(texts, task="choice", question="?", verifier=command, options=("u", "v"))
    assert found.pseudo_label == "B"
    assert found.counts == (3, 4)
    assert found.rewards == (0, 0, 0, 0, 1, 1, 1)
    assert ttrl.vote(texts, task="choice", question="?", options=("u", "v")).pseudo_label == "A"


def test_the_weight_of_a_verified_vote_is_a_setting(program: Program) -> None:
    command = program(EACH + "print(json.dumps({'verified': vote['answer'] == 'B'}), flush=True)")
    texts = [rf"\boxed{{{a}}}" for a in "AAAB"]
    label = [
        ttrl.vote(
            texts, task="choice", options=("u", "v"), verifier=command, verifier_weight=weight
        ).pseudo_label
        for weight in (2.5, 3.5)
    ]
    assert label == ["A", "B"]


def test_it_sees_question_answer_and_completion_and_abstentions_are_not_sent(
    program: Program, tmp_path: Path
) -> None:
    log = tmp_path / "seen.jsonl"
    command = program(
        EACH
        + f"print(line, end='', file=open({str(log)!r}, 'a'))\n    print('{{\"weight\": 2}}', flush=True)"
    )
    own = verifier(command)
    votes = group("is \ud800 7", "is \ud800 7", "none", "ü\n8")
    assert own.weigh(votes, ["7", "7", None, "8"]) == (2, 2, 1, 2)
    assert own.weigh_answers(votes.question, ["7", None]) == (2, 1)
    own.close()
    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert seen == [
        {"question": "How many?", "answer": "7", "completion": "is \ud800 7"},
        {"question": "How many?", "answer": "8", "completion": "ü\n8"},
        {"question": "How many?", "answer": "7", "completion": None},
    ]
    measured = own.measure()
    assert measured["verifier/asked"] == 3
    assert measured["verifier/unknown"] == measured["verifier/killed"] == 0
    assert own.measure()["verifier/asked"] == 0


@pytest.mark.parametrize(
    ("reply", "weight"),
    [
        (b'{"weight": 2.5}', 2.5),
        (b'{"weight": 0}', 0.0),
        (b'{"weight": 3, "verified": false}', 3.0),
        (b'{"verified": true}', 5.0),
        (b' {"verified": false}\r', 1.0),
    ],
)
def test_replies_that_weigh(reply: bytes, weight: float) -> None:
    assert weight_of(reply, verified_weight=5.0) == weight


@pytest.mark.parametrize(
    "reply",
    [
        b'"unknown"',
        b'{"weight": "unknown"}',
        b'{"weight": -1}',
        b'{"weight": 1e10}',
        b'{"weight": 1' + b"0" * 4_000 + b"}",
        b'{"weight": 1' + b"0" * 9_000 + b"}",
        b'{"weight": NaN}',
        b'{"weight": Infinity}',
        b'{"weight": true}',
        b'{"verified": 1}',
        b'{"verified": null}',
        b"{}",
        b"",
        b"true",
        b"\xff\xfe",
        b"[" * 60_000,
    ],
)
def test_replies_that_say_nothing(reply: bytes) -> None:
    assert weight_of(reply, verified_weight=5.0) is None


@given(st.binary(max_size=60))
def test_no_reply_raises_or_weighs_without_bounds(reply: bytes) -> None:
    weight = weight_of(reply, verified_weight=5.0)
    assert weight is None or (math.isfinite(weight) and 0 <= weight <= 1e9)


def test_nonsense_counts_as_unknown_and_the_program_goes_on(program: Program) -> None:
    command = program(
        EACH
        + "replies = {'1': b'\\xff\\xfe', '2': b'fine', '3': b'{\"weight\": 4}'}\n    "
        + "sys.stdout.buffer.write(replies[vote['answer']] + b'\\n')\n    sys.stdout.flush()"
    )
    own = verifier(command)
    assert own.weigh(group("a", "b", "c"), ["1", "2", "3"]) == (1, 1, 4)
    assert own.measure()["verifier/unknown"] == 2
    assert own.measure()["verifier/killed"] == 0
    own.close()


@pytest.mark.parametrize(
    "misdeed",
    [
        "sys.exit(3)",
        "import os; os.close(1)\n        import time; time.sleep(60)",
        "print('x' * 200_000, flush=True)",
        'print(\'{"weight": 9}\\n{"weight": 9}\', flush=True)',
        "x = bytearray(5 << 30)\n        print('{\"weight\": 9}', flush=True)",
        "import time; time.sleep(60)",
    ],
    ids=["crash", "closes", "huge line", "two lines", "memory", "slow"],
)
def test_a_vote_without_reply_is_unknown_and_the_next_is_asked_anew(
    program: Program, misdeed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier_process, "START_SECONDS", 20.0)
    command = program(
        EACH
        + f"if vote['answer'] == 'bad':\n        {misdeed}\n    print('{{\"weight\": 3}}', flush=True)"
    )
    own = verifier(command, seconds=3.0)
    assert own.weigh(group("a", "b", "c"), ["1", "bad", "2"]) == (3, 1, 3)
    measured = own.measure()
    assert (measured["verifier/killed"], measured["verifier/unknown"]) == (1, 1)
    own.close()


def test_a_program_that_fails_again_and_again_ends_the_run_in_one_line(program: Program) -> None:
    command = program("import sys\nsys.exit('no \\x1b[31mlibrary\\nhere' + 'x' * 9000 + ' END')")
    with pytest.raises(ConfigError) as caught:
        weights(command, *(str(i) for i in range(FAILURES)))
    message = str(caught.value)
    assert "3 votes in a row" in message
    assert message.endswith("END")
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 3_000


def test_failures_that_are_not_in_a_row_end_nothing(program: Program) -> None:
    command = program(
        EACH + "vote['answer'] == 'bad' and sys.exit()\n    print('{\"weight\": 3}', flush=True)"
    )
    found = weights(command, *["1", "bad"] * 4)
    assert found == (3, 1) * 4


def test_what_it_started_is_killed_with_it(program: Program, tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    child = f"import time\nwhile True: open({str(mark)!r}, 'a').write('x'); time.sleep(0.02)"
    command = program(
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}])\n"
        + EACH
        + "import os, time\n    while not os.path.exists("
        + repr(str(mark))
        + "): time.sleep(0.02)\n    print('{\"weight\": 2}', flush=True)"
    )
    assert weights(command, "1") == (2,)
    size = mark.stat().st_size
    time.sleep(0.3)
    assert mark.stat().st_size == size


def test_a_program_that_never_reads_does_not_block(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier_process, "START_SECONDS", 0.5)
    own = verifier(program("import time\ntime.sleep(60)"), seconds=0.5)
    assert own.weigh(group("x" * 1_000_000), ["1"]) == (1,)
    assert own.measure()["verifier/killed"] == 1


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert command_of(f"cat > {mark}; true") == ["cat", ">", f"{mark};", "true"]


@pytest.mark.parametrize("command", ["", "  ", "'open", "no-such-program-anywhere x"])
def test_a_command_that_names_no_program_is_refused(command: str) -> None:
    with pytest.raises(ConfigError, match="verifier="):
        make_rule(RunConfig(verifier=command))


def test_weights_of_the_rule_are_multiplied(program: Program) -> None:
    rule = make_rule(
        RunConfig(
            reward="confidence", verifier=program(EACH + "print('{\"weight\": 3}', flush=True)")
        )
    )
    assert rule.weigh is not None
    votes = group("a", "b")
    sure = tuple(
        Completion(**{name: getattr(c, name) for name in c.__slots__} | {"logprobs": (p,)})  # type: ignore[arg-type]
        for c, p in zip(votes.completions, (-1.0, -2.0), strict=True)
    )
    found = rule.weigh(Group(question=votes.question, completions=sure), ["1", "2"])
    assert found == pytest.approx([3.0, 3 * math.exp(-1)])
    assert rule.measure is not None
    assert rule.measure()["verifier/asked"] == 2


@pytest.mark.parametrize(
    "settings",
    [{"votes": "adaptive"}, {"reward": "answer-key"}, {"task": "code"}, {"task": "text"}],
)
def test_what_it_cannot_go_with_is_refused_by_name(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^verifier=cat with"):
        resolve({"verifier": "cat", **settings}, environment={})


def test_further_votes_weigh_by_their_answers_too(program: Program) -> None:
    """Two plain votes on 1, against one further vote on 2 of weight 0.5 that is verified: 2 < 0.5 * 5."""
    command = program(EACH + "print(json.dumps({'verified': vote['answer'] == '2'}), flush=True)")
    config = RunConfig(
        task="number", verifier=command, votes_per_question=2, trained_per_question=2
    )
    further = FurtherVotes(source="visits", answers=("2", None), weights=(0.5, 0.5))
    drawn = Drawn(groups=[group(r"\boxed{1}", r"so \boxed{1}")], further=[(further,)], tokens={})
    (scored,) = elect_and_score(
        drawn, task=make_task(config), rule=make_rule(config), config=config, step=0
    )
    assert scored.consensus.pseudo_label == "2"
    assert scored.consensus.support == (2.5, 2.0)
    assert scored.further[0].weights == (2.5, 0.5)
    assert scored.rewards == (0, 0)
