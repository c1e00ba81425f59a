"""`ttrl eval`: how well a model answers questions, alone and by vote."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.options import EVAL_GROUPS, NOT_FOR_EVAL, make_parser, parse
from ttrl.cli.summary import level_lines, set_line
from ttrl.config import resolve
from ttrl.errors import EXIT_DONE

if TYPE_CHECKING:
    from ttrl.cli.session import Session

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
        refuse_existing(Path(config.out), command=None)
    session = open_session(config)
    if config.dry_run:
        if config.json_output:
            print(json.dumps({"config": resolved.as_dict(), "first_prompt": session.prompts[0]}))
        else:
            print(resolved.as_yaml())
            print(f"prompt      {session.prompts[0]!r}")
        return EXIT_DONE

    from ttrl.cli.session import evaluate

    sets: dict[str, Any] = {}
    records: dict[str, Any] = {}
    for each in session.evaluated:
        done = evaluate(session, each, when="base")
        levels = done.get("by_level", [])
        sets[each.name] = {"base": done["metrics"], **({"by_level": levels} if levels else {})}
        records[each.name] = done
        lines = [set_line("eval", each.name, done["metrics"]), *level_lines(levels)]
        if each.note is not None:
            lines.insert(1, f"      {each.note}")
        stream = sys.stderr if config.json_output else sys.stdout
        print("\n".join(lines), file=stream, flush=True)
    result = {
        "model": config.model,
        "seed": config.seed,
        "sets": sets,
        "sampled_tokens": session.sampler.sampled_tokens,
        "sampling_seconds": session.sampler.seconds,
    }
    if config.out is not None:
        _write(Path(config.out), resolved.as_yaml(), session, result, records)
    if config.json_output:
        print(json.dumps(result))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    return make_parser("eval", SUMMARY, groups=EVAL_GROUPS, without=NOT_FOR_EVAL)


def _write(
    out: Path, config: str, session: Session, result: dict[str, Any], records: dict[str, Any]
) -> None:
    from ttrl.recording.manifest import make_manifest
    from ttrl.recording.run_directory import RunDirectory

    manifest = make_manifest(
        command="eval",
        model_fingerprint=session.source.fingerprint(),
        questions=[q for each in session.sets for q in each.questions],
        prompts=session.prompts,
        true_labels=None,
    )
    directory = RunDirectory.create(out, config=config, manifest=manifest)
    for name, record in records.items():
        directory.write_json(f"evaluations/base-{name}.json", record)
    directory.write_json("result.json", result)
