"""`ttrl export`: what a run has trained, as a folder that needs no ttrl."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ttrl.cli.options import make_parser, parse
from ttrl.errors import EXIT_DONE, CheckpointError, ConfigError
from ttrl.files import refuse_taken
from ttrl.recording.run_directory import RunDirectory
from ttrl.runs.interrupts import Interrupts
from ttrl.runs.resume import stored_config, stored_inputs

if TYPE_CHECKING:
    from ttrl.engine.export import Exported

SUMMARY = (
    "Write what a run has trained as a folder that transformers loads and --model takes: the whole "
    "model, with LoRA adapters merged into their base; or, with --adapter, the adapter alone, for peft."
)


def run(arguments: Sequence[str]) -> int:
    """Exports; returns the exit code."""
    given = parse(_parser(), arguments)
    out, adapter = Path(given["out"]), given.get("adapter", False)
    refuse_taken(out, kind="folder")
    directory, checkpoint = _named(Path(given["run"]))
    config, inputs = stored_config(directory).values, stored_inputs(directory)
    if adapter and not config.lora:
        raise ConfigError(
            f"--adapter: {directory.path} trained every weight, so there is no adapter. Leave --adapter "
            "out to export the whole model."
        )

    from ttrl.engine.export import export_run

    with Interrupts():  # SIGTERM and a closed terminal leave no half folder either
        sha256 = inputs.get("model")
        done = export_run(
            directory, config, out, base_sha256=sha256, checkpoint=checkpoint, adapter=adapter
        )
    as_json = given.get("json", False)
    print(_line(done), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(asdict(done)))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "export",
        SUMMARY,
        usage="RUN --out FOLDER [OPTION ...]",
        epilog="Nothing is overwritten, and an export that fails leaves nothing behind.",
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        help="folder of a `ttrl train`, for its last checkpoint (or that chosen by --keep best), or one "
        "of its checkpoints/step-... folders",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="a new folder, written when it is complete"
    )
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="the LoRA adapter alone, in peft's format; needs no base model",
    )
    return parser


def _named(given: Path) -> tuple[RunDirectory, Path | None]:
    """The run, and the checkpoint if one is named.

    Raises:
        CheckpointError: neither a run nor a checkpoint in one.
    """
    whole = Path(os.path.realpath(given))  # so that "." inside a checkpoint is one too
    if whole.name.startswith("step-") and whole.parent.name in {"checkpoints", "candidates"}:
        if not whole.is_dir():
            kept = sorted(path.name for path in whole.parent.glob("step-*"))
            raise CheckpointError(
                f"{given}: no such checkpoint. Kept are: {', '.join(kept) or 'none'}."
            )
        return RunDirectory.open(whole.parent.parent), whole
    return RunDirectory.open(given), None


def _line(done: Exported) -> str:
    what = {
        "full": f"the whole model, trained from {done.base_model}",
        "merged": f"LoRA of rank {done.lora} merged into {done.base_model}",
        "adapter": f"LoRA of rank {done.lora} for {done.base_model}",
    }[done.kind]
    return (
        f"export      {done.out}: {what}, after step {done.step}; {done.parameters:,} parameters, "
        f"{done.bytes / 2**20:.1f} MiB"
    )
