"""The real command, as a process of its own or in this one, and how runs are compared."""

import contextlib
import hashlib
import importlib.resources
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATCHED = "import sys; {}\nfrom ttrl.cli.main import main; sys.exit(main(sys.argv[1:]))"
PATIENCE = 900  # seconds until a process counts as hanging

TINY = (
    "--limit 4 --questions-per-step 2 --votes-per-question 8 --trained-per-question 6 --steps 4 "
    "--samples 4 --eval-limit 2 --difficulty 5 --max-tokens 96 --learning-rate 0.002 "
    "--temperature 1.3 --guard off"
)
"""At a temperature at which votes differ, so that steps have gradients, and a rate that moves weights in
four steps: the guard would end such a run. All votes on the question itself, in one call of the sampler."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of standard output, which must be strict JSON."""

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.out.splitlines()[-1], parse_constant=refuse)


@dataclass(frozen=True)
class RunFolder:
    """A run directory as a test looks at it."""

    path: Path

    @property
    def last_checkpoint(self) -> Path:
        return sorted(self.path.glob("checkpoints/step-*"))[-1]

    @property
    def last_step(self) -> int:
        return int(self.last_checkpoint.name.removeprefix("step-"))

    @property
    def weights(self) -> str:
        """Hash of the newest checkpoint's weights or adapter."""
        return sha256(next(self.last_checkpoint.glob("*/*.safetensors")))

    @property
    def votes(self) -> str:
        return (self.path / "votes.jsonl").read_text("utf-8")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Rows of metrics.jsonl without what depends on the clock."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        return [{k: v for k, v in r.items() if not k.endswith("/seconds")} for r in rows]

    @property
    def lines(self) -> int:
        """Whole lines of metrics.jsonl, also while another process writes it."""
        path = self.path / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.path / "result.json").read_text("utf-8"))

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.path / "manifest.json").read_text("utf-8"))

    @property
    def report(self) -> str:
        return (self.path / "report.html").read_text("utf-8")

    def same_bits(self, other: "RunFolder") -> dict[str, bool]:
        """What has to be equal in two runs that are to be the same run."""
        return {
            "steps": self.last_step == other.last_step,
            "weights": self.weights == other.weights,
            "votes": self.votes == other.votes,
            "metrics": self.metrics == other.metrics,
        }


SAME = {"steps": True, "weights": True, "votes": True, "metrics": True}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment(extra: dict[str, str]) -> dict[str, str]:
    """This one without settings of ttrl, off the network, on one thread."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TTRL_")}
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}
    return {**kept, **quiet, **extra}


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    return (*TINY.split(), "--views", "")


@pytest.fixture(scope="session")
def same() -> dict[str, bool]:
    return SAME


@pytest.fixture(scope="session")
def folder_of() -> Callable[[Path], RunFolder]:
    return RunFolder


@pytest.fixture(scope="session")
def embedded_folder() -> Path:
    """The folder of the embedded model."""
    return Path(str(importlib.resources.files("ttrl") / "embedded" / "ttrl-tiny"))


@pytest.fixture
def model_copy(embedded_folder: Path, tmp_path: Path) -> Path:
    """The embedded model as a folder that a test may break."""
    return Path(shutil.copytree(embedded_folder, tmp_path / "model-copy"))


@pytest.fixture(scope="session")
def ttrl() -> Callable[..., Outcome]:
    """`ttrl(*arguments)`: the real command in its own process, from start to end.

    largest_file: bytes that no file may pass, as on a disk that is full.
    """

    def run(
        *arguments: str,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        largest_file: int | None = None,
        timeout: float = PATIENCE,
        stdin: str | None = None,
    ) -> Outcome:
        def limit() -> None:
            assert largest_file is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        done = subprocess.run(
            [sys.executable, "-m", "ttrl", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=cwd,
            env=environment(env or {}),
            timeout=timeout,
            preexec_fn=limit if largest_file else None,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def call() -> Callable[..., Outcome]:
    """`call(*arguments)`: the same command in this process, which saves the start of torch."""
    import torch

    from ttrl.cli.main import main

    def run(*arguments: str, env: dict[str, str] | None = None) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        threads, before = torch.get_num_threads(), dict(os.environ)
        torch.set_num_threads(1)
        wanted = {**environment({}), **(env or {})}
        os.environ.clear()
        os.environ.update(wanted)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([str(argument) for argument in arguments])
        finally:
            torch.set_num_threads(threads)
            os.environ.clear()
            os.environ.update(before)
        return Outcome(code, out.getvalue(), err.getvalue())

    return run


@dataclass
class Running:
    """A command that goes on while the test looks at it."""

    process: subprocess.Popen[str]
    err: Path

    def until(self, seen: Callable[[], bool]) -> None:
        """Waits for what the test wants to see; the process must not end before."""
        deadline = time.monotonic() + PATIENCE
        while not seen():
            assert self.process.poll() is None, f"ended too early:\n{self.err.read_text()}"
            assert time.monotonic() < deadline, f"not seen in time:\n{self.err.read_text()}"
            time.sleep(0.002)

    def stop(self, number: int) -> Outcome:
        """Sends a signal and waits for the end."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> Outcome:
        out, _ = self.process.communicate(timeout=PATIENCE)
        return Outcome(self.process.returncode, out, self.err.read_text("utf-8"))


@pytest.fixture
def start(tmp_path: Path):
    """`start(*arguments, patch="...")`: the command as a process that can be looked at and killed.

    patch: Python that runs in that process before the command, to reach an exact moment.
    """
    running: list[Running] = []

    def run(*arguments: str, patch: str | None = None) -> Running:
        how = ["-m", "ttrl"] if patch is None else ["-c", PATCHED.format(patch)]
        err = tmp_path / f"stderr-{len(running)}.txt"
        with err.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, *how, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=environment({}),
            )
        running.append(Running(process, err))
        return running[-1]

    yield run
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch):
    """`signal_at(owner, name, nth)`: this process gets the signal as that function is called."""

    def arrange(owner: object, name: str, nth: int, number: int = signal.SIGINT) -> None:
        original, calls = getattr(owner, name), iter(range(1, 10**6))

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if next(calls) == nth:
                os.kill(os.getpid(), number)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, wrapped)

    return arrange


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, str]]:
    """`snapshot(folder)`: every path in it, with the hash of each file."""

    def take(folder: Path) -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): sha256(path) if path.is_file() else "folder"
            for path in sorted(folder.rglob("*"))
        }

    return take


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """`refused(outcome, code, *told)`: that exit code, and one message that tells these things."""

    def check(outcome: Outcome, code: int, *told: str) -> str:
        assert "Traceback" not in outcome.err
        assert outcome.code == code, outcome.err
        assert outcome.out == ""
        starts = [line for line in outcome.err.splitlines() if line.startswith("ttrl ")]
        assert len(starts) == 1 and outcome.err.startswith("ttrl "), outcome.err
        for part in told:
            assert part in outcome.err
        return outcome.err

    return check


@pytest.fixture(scope="session")
def write_rows() -> Callable[..., Path]:
    """`write_rows(path, *rows)`: a .jsonl file; rows are objects, or lines as they are."""

    def write(path: Path, *rows: Any) -> Path:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def problems(tiny: tuple[str, ...]) -> list[dict[str, str]]:
    """Eight embedded questions, as hard as those of `tiny`, as rows of id, question and answer."""
    from ttrl.config import resolve
    from ttrl.evaluation.labels import build_sets

    options = dict(zip(tiny[::2], tiny[1::2], strict=True))
    given = {"limit": 8, "difficulty": options["--difficulty"]}
    sets = build_sets(resolve(given, environment={}).values)
    answers = sets.labels[sets.training.name].answers
    assert answers is not None
    return [
        {"id": q.id, "question": q.prompt, "answer": answers.answers[q.id]}
        for q in sets.training.questions
    ]
