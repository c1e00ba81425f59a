"""`ttrl export`: what a run has trained, as a folder that needs no ttrl."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.interrupts import Interrupts
from ttrl.cli.options import make_parser, parse
from ttrl.cli.resume import stored_config, stored_inputs
from ttrl.config import RunConfig
from ttrl.errors import EXIT_DONE, CheckpointError, ConfigError, ModelError
from ttrl.files import refuse_taken
from ttrl.recording.run_directory import RunDirectory

if TYPE_CHECKING:
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.engine.models.load import LoadedModel

SUMMARY = (
    "Write what a run has trained as a folder that transformers loads and `--model` takes: the whole "
    "model, with LoRA adapters merged into its base; or with --adapter the adapter alone, for peft."
)


def run(arguments: Sequence[str]) -> int:
    """Exports; returns the exit code."""
    given = parse(_parser(), arguments)
    out = Path(given["out"])
    refuse_taken(out, kind="folder")
    directory, step_folder = _named(Path(given["run"]))
    config, inputs = stored_config(directory).values, stored_inputs(directory)
    if given.get("adapter", False) and not config.lora:
        raise ConfigError(
            f"--adapter: {directory.path} trained every weight, so there is no adapter. Leave --adapter "
            "out to export the whole model."
        )

    from ttrl.engine.export import export_merged, export_weights, stored_parameters

    checkpoint = _checkpoint(directory, step_folder)
    kind = "full" if not config.lora else "adapter" if given.get("adapter", False) else "merged"
    with Interrupts():  # SIGTERM and a closed terminal leave no half folder either
        if kind == "merged":
            export_merged(checkpoint, _base(directory, config, inputs), out)
        else:
            export_weights(checkpoint, out)
    told = {
        "out": str(out),
        "kind": kind,
        "run": str(directory.path),
        "step": int(checkpoint.state["progress"]["step"]),
        "base_model": config.model,
        "lora": config.lora,
        "dtype": config.dtype,
        "parameters": stored_parameters(out),
        "bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
    }
    as_json = given.get("json", False)
    print(_line(told), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(told))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("export", SUMMARY, groups=())
    parser.usage = "ttrl export RUN --out FOLDER [OPTION ...]"
    parser.epilog = "Nothing is overwritten, and of an export that fails nothing is left."
    parser.add_argument(
        "run",
        metavar="RUN",
        help="folder of a `ttrl train`, whose last checkpoint is taken, or one of its "
        "checkpoints/step-... folders",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="written when it is complete"
    )
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="the LoRA adapter alone, in the form of peft; needs no base model",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object as the last line of standard output"
    )
    return parser


def _named(given: Path) -> tuple[RunDirectory, Path | None]:
    """The run, and the checkpoint where one is named.

    Raises:
        CheckpointError: neither a run nor a checkpoint in one.
    """
    whole = Path(os.path.realpath(given))  # so that "." inside a checkpoint is one too
    if whole.name.startswith("step-") and whole.parent.name == "checkpoints":
        if not whole.is_dir():
            kept = sorted(path.name for path in whole.parent.glob("step-*"))
            raise CheckpointError(
                f"{given}: no such checkpoint. Kept are: {', '.join(kept) or 'none'}."
            )
        return RunDirectory.open(whole.parent.parent), whole
    return RunDirectory.open(given), None


def _checkpoint(directory: RunDirectory, step_folder: Path | None) -> Checkpoint:
    from ttrl.engine.checkpoint import latest, verified

    if step_folder is not None:
        return verified(step_folder)
    found = latest(directory.checkpoints)
    if found is None:
        raise CheckpointError(
            f"{directory.path}: no checkpoint yet, so there is nothing to export. Go on with the run: "
            f"ttrl train --resume {directory.path}"
        )
    return found


def _base(directory: RunDirectory, config: RunConfig, inputs: dict[str, Any]) -> LoadedModel:
    """The model that the run's adapter was trained on.

    Raises:
        ModelError: it is not there, or cannot be loaded.
        CheckpointError: it is another one than the run was started on.
    """
    import torch

    from ttrl.engine.models.load import load_model
    from ttrl.engine.models.source import find_model

    hint = (
        "Put it back (a relative path counts from the folder that the command runs in), or export the "
        "adapter alone with --adapter."
    )
    try:
        source = find_model(config.model)
    except ModelError as error:
        raise ModelError(f"{directory.path}: its base cannot be found: {error} {hint}") from None
    now = source.fingerprint()
    if inputs.get("model") != now:
        raise CheckpointError(
            f"{directory.path}: its base, {config.model}, is another one than the run was started on "
            f"(sha256 {str(inputs.get('model'))[:12]} then, {now[:12]} now). {hint}"
        )
    # Whatever the run trained on: sums made on a GPU would round otherwise.
    return load_model(source, dtype=config.dtype, device=torch.device("cpu"))


def _line(told: dict[str, Any]) -> str:
    what = {
        "full": f"the whole model, trained from {told['base_model']}",
        "merged": f"LoRA of rank {told['lora']} merged into {told['base_model']}",
        "adapter": f"LoRA of rank {told['lora']} for {told['base_model']}",
    }[told["kind"]]
    return (
        f"export      {told['out']}: {what}, after step {told['step']}; {told['parameters']:,} "
        f"parameters, {told['bytes'] / 2**20:.1f} MiB"
    )
