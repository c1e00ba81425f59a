"""Runs and evaluations from Python."""

import gc
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
import torch

from ttrl import evaluate, report, train
from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.labels import build_sets
from ttrl.recording.results import read_result
from ttrl.runs.interrupts import RunInterrupted

STORY = "Ida has {} eggs. She buys 7, uses 3, finds 6 and sells 9. How many eggs does she have now?"
TRUE = {f"q{n}": f"77123450{n}" for n in range(4)}
"""Answers that nothing else looks like."""
TINY = {
    "questions_per_step": 2,
    "votes_per_question": 8,
    "trained_per_question": 6,
    "steps": 2,
    "samples": 2,
    "max_tokens": 96,
    "learning_rate": 0.002,
    "temperature": 1.3,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "q.jsonl"
    rows = [
        {"id": id, "question": STORY.format(n + 3), "answer": answer}
        for n, (id, answer) in enumerate(TRUE.items())
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def within_reach(*values: object) -> Iterator[object]:
    """Whatever can be got at from values: attributes, items, closures, bound methods, default arguments.

    Not what a function finds in its module: that is reached by an import, which is forbidden.
    """
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | ModuleType | torch.Tensor):
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, FunctionType):
            waiting += [*(value.__closure__ or ()), value.__defaults__, value.__kwdefaults__]
        else:
            waiting += gc.get_referents(value)


def answers_in(*values: object) -> set[str]:
    found = (each for each in within_reach(*values) if isinstance(each, str | int))
    return {answer for each in found for answer in TRUE.values() if answer in str(each)}


def test_nothing_that_training_is_handed_leads_to_a_true_answer(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ttrl.training import loop

    original, handed = loop.train, []

    def watched(*arguments: object, **options: object) -> object:
        handed.append(answers_in(arguments, options))
        asked = {each for each in within_reach(arguments, options) if isinstance(each, str)}
        assert STORY.format(3) in asked  # the walk comes as far as the questions
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train", watched)
    messages: list[str] = []
    run = train(
        questions=file, answers="answer", out=tmp_path / "run", on_message=messages.append, **TINY
    )
    assert handed == [set()]
    assert answers_in(run.evaluations) == set(TRUE.values())  # it would have found them
    rows = (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert all("labels/label_accuracy" in json.loads(row) for row in rows)


def test_question_sets_have_no_answers_and_labels_no_questions(file: Path) -> None:
    from ttrl.config import resolve

    given = {"questions": str(file), "answers": "answer"}
    sets = build_sets(resolve(given, environment={}).values)
    assert answers_in(sets.all) == set() and answers_in(sets.labels) == set(TRUE.values())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, list[int], list[str]]:
    out = tmp_path_factory.mktemp("run") / "run"
    steps: list[int] = []
    messages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTRL_STEPS", "50")  # which is for commands
        run = train(
            limit=4,
            eval_limit=2,
            out=out,
            on_step=lambda step: steps.append(step.step),
            on_message=messages.append,
            **TINY,
        )
    return run, steps, messages


def test_a_run_returns_what_its_folder_holds(done) -> None:
    run, _, _ = done
    assert run.steps == 2 and run == read_result(run.path)
    assert (run.path / "report.html").is_file()


def test_steps_and_messages_are_told_as_they_come_and_nothing_is_printed(done, capfd) -> None:
    run, steps, messages = done
    assert steps == [1, 2]
    assert messages[0].startswith("model       ttrl-tiny")
    assert sum(line.startswith(("base ", "final ")) for line in messages) == 6
    evaluate(limit=2, samples=2, eval_sets=["unlabeled"])
    report(str(run.path))
    assert capfd.readouterr() == ("", "")


def test_a_report_is_written_again(done) -> None:
    run, _, _ = done
    page = run.path / "report.html"
    before = page.read_text("utf-8")
    page.unlink()
    assert report(str(run.path)) == page and page.read_text("utf-8") == before


def test_an_evaluation_returns_what_its_folder_holds(tmp_path: Path) -> None:
    lines: list[str] = []
    found = evaluate(limit=2, samples=2, out=tmp_path / "base", on_message=lines.append)
    written = read_result(tmp_path / "base")
    assert list(found.evaluations) == ["unlabeled", "heldout", "out_of_prior"]
    for name, evaluation in found.evaluations.items():
        assert written.evaluations[name, "base"] == evaluation
        assert written.of(name, "base") == evaluation.metrics
    assert [line.split()[0] for line in lines] == ["eval"] * 3


@pytest.mark.parametrize(
    ("call", "settings", "message"),
    [
        (train, {"setps": 3}, r"train\(\): unknown key 'setps'\. Did you mean steps\?"),
        (train, {"steps": "x"}, r"train\(\): steps='x'"),
        (train, {"dry_run": True}, r"train\(\): 'dry_run' .* command `ttrl train`"),
        (evaluate, {"sampels": 3}, r"evaluate\(\): unknown key 'sampels'\. Did you mean samples\?"),
        (evaluate, {"learning_rate": 0.1}, r"evaluate\(\): 'learning_rate' .* setting of train"),
    ],
)
def test_what_a_call_does_not_read_is_refused(call, settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        call(**settings)


def test_config_files_work_as_for_the_command(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("questions: missing.jsonl\n", "utf-8")
    with pytest.raises(DataError, match=r"missing\.jsonl"):
        train(config=[tmp_path / "run.yaml"], steps=1)


def test_an_interrupt_saves_and_the_run_goes_on_from_python(tmp_path: Path) -> None:
    def interrupt(done) -> None:
        if done.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    out = tmp_path / "run"
    with pytest.raises(RunInterrupted, match=f"after step 1; .*ttrl train --resume {out}"):
        train(limit=4, eval_limit=2, out=out, on_step=interrupt, **TINY)
    assert signal.getsignal(signal.SIGTERM) == before
    assert train(resume=out).steps == 2


def test_a_run_in_a_thread_leaves_signals_alone(tmp_path: Path) -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        found.append(train(limit=4, eval_limit=2, out=tmp_path / "run", **{**TINY, "steps": 1}))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        assert signal.getsignal(signal.SIGINT) == before
        thread.join(0.05)
    assert found[0].steps == 1
