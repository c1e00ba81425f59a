"""A run under TRL before it starts: questions, prompts and TRL's arguments, without any weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.answers.tasks import make_task
from ttrl.cli.processes import rank_and_processes
from ttrl.cli.trl_checks import check_reference, check_trl
from ttrl.config import RunConfig
from ttrl.evaluate.sets import QuestionSet
from ttrl.overlays.pins import TRL
from ttrl.overlays.trl.mapping import differences, grpo_arguments
from ttrl.overlays.trl.share import Share

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models.source import ModelSource
    from ttrl.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class TrlSetup:
    """Everything checked, nothing loaded."""

    config: RunConfig
    rank: int
    processes: int
    sets: Sequence[QuestionSet]
    share: Share
    source: ModelSource
    tokenizer: PreTrainedTokenizerBase
    prompter: Prompter
    asked: Mapping[str, Question]
    """Those that are trained on, by the keys of their prompts."""
    template: str | None
    """The model's own or the config's, where prompts are no chats."""
    folder: Path
    """TRL's own checkpoints, in the run directory."""
    arguments: Mapping[str, Any]
    """Of GRPOConfig."""

    @property
    def questions(self) -> Sequence[Question]:
        """Those that are trained on."""
        return self.sets[0].questions

    def lines(self) -> list[str]:
        """What the plan of a run says about its engine."""
        config, share, arguments = self.config, self.share, self.arguments
        parts, micro = (
            arguments[key] for key in ("steps_per_generation", "per_device_train_batch_size")
        )
        sampler = "transformers" if config.vllm == "off" else f"vLLM ({config.vllm})"
        told = differences(config)
        return [
            f"engine      trl {TRL.check()}, {self.processes} process{'' if self.processes == 1 else 'es'}, "
            f"sampling by {sampler}",
            f"            a step: {share.questions} questions x {config.votes_per_question} votes, of which "
            f"{config.trained_per_question} are trained on; on each process {share.rows} completions, "
            f"{parts} x {micro} at once",
            *(f"            not as natively: {line}" for line in told),
        ]


def open_trl(config: RunConfig) -> TrlSetup:
    """Reads the questions and the tokenizer.

    Raises:
        TtrlError: anything that would stop the run later is found here.
    """
    rank, processes = rank_and_processes()
    sets, share = check_trl(config, processes)

    from ttrl.data.prompts import Prompter
    from ttrl.engine.models.load import load_prompting
    from ttrl.engine.models.source import find_model
    from ttrl.overlays.trl.questions import by_prompt
    from ttrl.overlays.trl.training import check_options

    check_options(config.trl)
    source = find_model(config.model)
    check_reference(config, source)
    tokenizer, template = load_prompting(source)
    template = config.prompt_template or template
    prompter = Prompter(tokenizer, template=template, task=make_task(config))
    folder = Path(str(config.out)) / "trl"
    return TrlSetup(
        config=config,
        rank=rank,
        processes=processes,
        sets=sets,
        share=share,
        source=source,
        tokenizer=tokenizer,
        prompter=prompter,
        asked=by_prompt(sets[0].questions, [prompter.prompt(q) for q in sets[0].questions]),
        template=template,
        folder=folder,
        arguments=grpo_arguments(
            config,
            share,
            prompt_tokens=max(len(prompter.encode(q)) for q in sets[0].questions),
            output_dir=str(folder),
        ),
    )
