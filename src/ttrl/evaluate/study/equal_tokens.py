"""How many completions a question the base could vote with, for the tokens that training sampled."""

from __future__ import annotations

from pathlib import Path

from ttrl.evaluate.report.quantities import mapping, number
from ttrl.evaluate.report.run_files import read_run
from ttrl.evaluate.study.layout import run_path


def samples_at_equal_tokens(study: Path, seed: int) -> int | None:
    """Training tokens / (questions x the base's mean tokens of a completion), rounded up.

    None if the run has not ended, or nothing in its questions can be marked right or wrong. Only sampled
    tokens count: the tokens of prompts and the work of updates come on top of what training costs.
    """
    path = run_path(study, "ttrl", seed)
    if not (path / "result.json").exists():
        return None
    run = read_run(path)
    base = mapping(mapping(mapping(run.result.get("sets")).get("unlabeled")).get("base"))
    sampled = sum(number(row, "sample/tokens") or 0.0 for row in run.records)
    questions, length = number(base, "questions"), number(base, "mean_tokens")
    if not questions or not length or not any(key.startswith("maj@") for key in base):
        return None
    return -int(-sampled // (questions * length))
