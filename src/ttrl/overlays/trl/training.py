"""A run of TRL's GRPOTrainer under the consensus, with everything that it needs given."""

from __future__ import annotations

import difflib
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ttrl.errors import ConfigError, NumericsError
from ttrl.overlays.trl.rollout import VotingRollout

TRAINING = {
    "train/loss": "loss",
    "train/grad_norm": "grad_norm",
    "train/learning_rate": "learning_rate",
    "train/clip_fraction": "clip_ratio/region_mean",
    "train/kl": "kl",
    "train/entropy": "entropy",
    "train/sampler_gap": "sampling/sampling_logp_difference/mean",
    "train/sampler_gap_max": "sampling/sampling_logp_difference/max",
}
"""Our metrics by TRL's names of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrlModel:
    """The model that is trained, and what it takes to train it."""

    model: Any
    """Folder or hub id, which TRL loads as its parallelism asks for; or a model that is loaded already."""
    options: Mapping[str, Any] | None
    """Options of `from_pretrained`, where TRL loads it."""
    adapter: Any
    """A LoraConfig, or None to train every weight."""
    tokenizer: Any
    mend: Callable[[Any], None]
    """What it takes for the loaded model to be saved again."""


def check_options(options: Sequence[str]) -> None:
    """Raises ConfigError if an option of --trl is no field of GRPOConfig."""
    if not options:
        return
    from trl import GRPOConfig

    known = {field.name for field in fields(GRPOConfig)}
    for key in (option.partition("=")[0] for option in options):
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"trl: {key!r} is no field of TRL's GRPOConfig.{hint}")


def train_with_trl(
    what: TrlModel,
    *,
    arguments: Mapping[str, Any],
    prompts: Sequence[Any],
    hooks: VotingRollout,
    on_log: Callable[[int, dict[str, float]], bool],
    processes: int,
    resume_from: Path | None,
    out: Path,
) -> int:
    """Trains and saves the weights into `out`; returns TRL's global step: optimizer updates, not steps.

    To be called on every process of the run. Only the first one writes `out`.

    Args:
        prompts: texts or chats in the order in which they are asked, those of a step after each other.
        on_log: called on every process after the updates of a step, with the global step and metrics by our
            names; True saves a checkpoint and ends the training.
        processes: that the arguments were made for.

    Raises:
        ConfigError: arguments that TRL refuses, or another number of processes.
        NumericsError: a loss or gradient that is not finite.
    """
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # pinned, and watched by contract tests
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Watch(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            logs = given["logs"]
            if "loss" not in logs:  # of the whole run, at its end
                return
            found = {
                ours: float(logs[k]) for ours, k in TRAINING.items() if logs.get(k) is not None
            }
            for key in ("train/loss", "train/grad_norm"):
                if not math.isfinite(found.get(key, 0.0)):
                    raise NumericsError(f"{key} is {found[key]}. Lower the learning rate.")
            if on_log(state.global_step, found):
                control.should_training_stop = control.should_save = True

    _free_memory()  # of the base's evaluation: vLLM takes its share of what is free
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TRL's own calls of names on their way out
        dataset = Dataset.from_list([{"prompt": prompt} for prompt in prompts])
        args = _accepted(lambda: GRPOConfig(**arguments, model_init_kwargs=what.options))
        if args.world_size != processes:  # a launcher that tells torch and not us
            raise ConfigError(
                f"torch counts {args.world_size} processes, and WORLD_SIZE says {processes}. Start them "
                "with torchrun or accelerate launch."
            )
        trainer = _accepted(
            lambda: GRPOTrainer(
                what.model,
                args=args,
                processing_class=what.tokenizer,
                train_dataset=dataset,
                reward_funcs=hooks.reward,
                rollout_func=hooks.rollout,
                peft_config=what.adapter,
                callbacks=[Watch()],
            )
        )
        what.mend(trainer.model)
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
        trainer.save_model(str(out))
        updates = int(trainer.state.global_step)
    del trainer
    _free_memory()
    _leave_process_group()
    return updates


def _accepted(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError, ImportError, NotImplementedError) as error:
        raise ConfigError(f"TRL refuses its arguments: {error}") from None


def _free_memory() -> None:
    """Frees the memory of models that nothing refers to any more."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _leave_process_group() -> None:
    """Lets every process go on by itself."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def latest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """Finds TRL's newest complete checkpoint and its global step; None if there is none."""
    found = []
    for path in folder.glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if number.isdecimal() and _is_whole(path / "trainer_state.json"):
            found.append((int(number), path))
    return (max(found)[1], max(found)[0]) if found else None


def _is_whole(state: Path) -> bool:
    """TRL writes it after weights and optimizer, so one that can be read stands for all of them."""
    try:
        return "global_step" in json.loads(state.read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
