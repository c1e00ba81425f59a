"""`ttrl eval`: how well a model answers questions, alone and by vote."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ttrl.cli.options import EVAL_GROUPS, NOT_FOR_EVAL, make_parser, parse
from ttrl.cli.summary import set_line
from ttrl.config import resolve
from ttrl.errors import EXIT_DONE

SUMMARY = (
    "Evaluate a model on questions: avg@k, maj@k and pass@k where there are answers, "
    "and what can be said without."
)


def run(arguments: Sequence[str]) -> int:
    """Samples, counts, prints; with --out also writes result.json and the votes."""
    resolved = resolve(parse(_parser(), arguments))
    config = resolved.values

    from ttrl.cli.session import open_session
    from ttrl.recording.run_directory import refuse_existing

    if config.out is not None:
        refuse_existing(Path(config.out), resumable=False)
    session = open_session(config)
    if config.dry_run:
        if config.json_output:
            print(json.dumps({"config": resolved.as_dict(), "first_prompt": session.prompts[0]}))
        else:
            print(resolved.as_yaml())
            print(f"prompt      {session.prompts[0]!r}")
        return EXIT_DONE

    from ttrl.evaluate.evaluator import evaluate_set

    sets: dict[str, Any] = {}
    records: dict[str, Any] = {}
    for each in session.sets:
        done = evaluate_set(
            each, when="base", sampler=session.sampler, task=session.task, config=config
        )
        sets[each.name] = {"base": done["metrics"]}
        records[each.name] = done
        line = set_line("eval", each.name, done["metrics"])
        if each.note is not None:
            line += f"\n      {each.note}"
        print(line, file=sys.stderr if config.json_output else sys.stdout, flush=True)
    result = {
        "model": config.model,
        "seed": config.seed,
        "sets": sets,
        "sampled_tokens": session.sampler.sampled_tokens,
        "sampling_seconds": session.sampler.seconds,
    }
    if config.out is not None:
        _write(Path(config.out), resolved.as_yaml(), result, records)
    if config.json_output:
        print(json.dumps(result))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    return make_parser("eval", SUMMARY, groups=EVAL_GROUPS, without=NOT_FOR_EVAL)


def _write(out: Path, config: str, result: dict[str, Any], records: dict[str, Any]) -> None:
    from ttrl.recording.run_directory import RunDirectory

    directory = RunDirectory.create(out, config=config, manifest={"format": 1})
    for name, record in records.items():
        directory.write_json(f"evaluations/base-{name}.json", record)
    directory.write_json("result.json", result)
