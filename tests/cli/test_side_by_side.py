"""Several commands side by side: what ends well, what fails, what is there already, what is interrupted."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from ttrl.runs.jobs import Job, run_side_by_side

PATIENCE = 900  # seconds until a process counts as hanging


def vote_job(folder: Path, name: str, *, rows: str = "") -> Job:
    """A command of ttrl that needs no model: it votes on one file."""
    source = folder / f"{name}.jsonl"
    source.write_text(rows or json.dumps({"id": "a", "completion": r"\boxed{1}"}) + "\n", "utf-8")
    out = folder / f"{name}-votes.jsonl"
    return Job(
        name=name,
        arguments=("vote", str(source), "--out", str(out)),
        done=out,
        log=folder / "logs" / f"{name}.log",
    )


def test_all_jobs_run_and_each_is_told_of(tmp_path: Path) -> None:
    jobs = [vote_job(tmp_path, name) for name in ("one", "two", "three")]
    told: list[str] = []

    def tell(job: Job) -> str:
        told.append(job.name)
        return "done"

    assert run_side_by_side(jobs, at_once=2, told=tell) == []
    assert sorted(told) == ["one", "three", "two"]
    assert all(job.done.exists() for job in jobs)


def test_a_job_that_fails_is_named_with_its_exit_code_and_takes_no_other_with_it(
    tmp_path: Path,
) -> None:
    broken = vote_job(tmp_path, "broken", rows="{not json\n")
    fine = vote_job(tmp_path, "fine")
    (failure,) = run_side_by_side([broken, fine], at_once=1)
    assert failure.name == "broken" and failure.exit_code == 3
    assert "broken.jsonl" in failure.said and "Traceback" not in failure.said
    assert fine.done.exists()


def test_what_is_done_does_not_run_again(tmp_path: Path) -> None:
    job = vote_job(tmp_path, "one")
    job.done.write_text("mine", "utf-8")
    assert run_side_by_side([job], at_once=1) == []
    assert job.done.read_text("utf-8") == "mine" and not job.log.exists()


def test_jobs_do_not_take_settings_from_the_environment_twice(tmp_path: Path) -> None:
    environment = {**os.environ, "TTRL_STEPS": "nonsense"}
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from ttrl.runs.jobs import Job, run_side_by_side
        out = Path({str(tmp_path)!r}) / "config.log"
        job = Job(name="c", arguments=("config",), done=out, log=out)
        assert run_side_by_side([job], at_once=1) == []
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "steps: 60" in (tmp_path / "config.log").read_text("utf-8")


def test_side_by_side_each_job_gets_its_share_of_the_cores(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import os
        os.environ["OMP_NUM_THREADS"] = "4"
        from pathlib import Path
        from ttrl.runs.jobs import Job, run_side_by_side
        out = Path({str(tmp_path)!r}) / "config.log"
        job = Job(name="c", arguments=("config",), done=out, log=out)
        assert run_side_by_side([job], at_once=2) == []
        """
    )
    subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, check=True)
    assert "OMP_NUM_THREADS=2" in (tmp_path / "config.log").read_text("utf-8").replace(": ", "=")


def test_an_interrupt_reaches_what_is_running_and_comes_back(tmp_path: Path) -> None:
    """A run takes minutes; the parent must be gone soon after Ctrl-C, and so must the run."""
    script = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from ttrl.runs.interrupts import Interrupts
        from ttrl.runs.jobs import Job, run_side_by_side
        folder = Path({str(tmp_path)!r})
        job = Job(
            name="long",
            arguments=("train", "--limit", "4", "--steps", "100000", "--samples", "2",
                       "--out", str(folder / "run")),
            done=folder / "run" / "result.json",
            log=folder / "long.log",
        )
        with Interrupts():
            try:
                run_side_by_side([job], at_once=1)
            except KeyboardInterrupt:
                sys.exit(130)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + PATIENCE
    log = tmp_path / "long.log"
    while time.monotonic() < deadline and "step " not in (log.read_text() if log.exists() else ""):
        time.sleep(0.2)
    parent.send_signal(signal.SIGINT)
    assert parent.wait(PATIENCE) == 130
    assert "nothing is lost" in log.read_text("utf-8")
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
