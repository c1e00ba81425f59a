"""A run under TRL: `ttrl train --engine trl`, in one process or on each of a torchrun.

The first process reads, evaluates and records as in any run; the others only train with it.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttrl.cli.interrupts import Interrupts
from ttrl.cli.run_frame import RunFrame, Spent, rule_of
from ttrl.cli.trl_records import PROGRESS, TrlRecords, last_labels
from ttrl.cli.trl_setup import open_trl
from ttrl.config import ResolvedConfig
from ttrl.data.order import equal_steps
from ttrl.errors import EXIT_DONE, EXIT_INTERRUPTED, NumericsError
from ttrl.overlays.trl.share import updates_of_step
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.fan_out import Trackers

TRAINED = "trained"
"""In the folder of TRL's own checkpoints: the weights at the end."""

if TYPE_CHECKING:
    from ttrl.engine.checkpoint import Checkpoint
    from ttrl.overlays.trl.training import TrlModel


class TrlRun:
    """One run, wherever it starts. What TRL would refuse late is refused here, before a model loads.

    The arguments are those of `RunFrame`, before there is a session.
    """

    def __init__(
        self,
        resolved: ResolvedConfig,
        directory: RunDirectory | None,
        interrupts: Interrupts,
        trackers: Trackers,
        started: float,
    ) -> None:
        self.resolved, self.interrupts = resolved, interrupts
        self.directory, self.trackers, self.started = directory, trackers, started
        self.setup = open_trl(resolved.values)
        self.frame: RunFrame | None = None

    def go(self, *, as_json: bool) -> int:
        """Evaluates, trains, evaluates, reports; returns the exit code."""
        try:
            base = self._begin() if self.setup.rank == 0 else {}
            if self._trained() is None:
                with self.interrupts.deferred():
                    self._train()
            if self.frame is None:
                return EXIT_DONE
            trained, final = self._finish()
        except KeyboardInterrupt:
            if self.frame is None:
                return EXIT_INTERRUPTED
            return self.frame.interrupted(self._steps_saved())
        except NumericsError as error:
            raise NumericsError(
                f"{error} The weights have changed already; TRL's last checkpoint is in {self.setup.folder}. "
                "Start a new run."
            ) from None
        return self.frame.finish(
            base,
            final,
            steps=trained.state["progress"]["step"],
            stopped=trained.state["stopped"],
            as_json=as_json,
        )

    def close(self) -> None:
        """Lets others into the run directory."""
        if self.frame is not None:
            self.frame.directory.unlock()

    def _begin(self) -> dict[str, Any]:
        """Of the first process: the run directory, and the evaluation of the base."""
        from ttrl.cli.plan import plan_lines
        from ttrl.cli.session import open_session
        from ttrl.recording.console import say

        if self.directory is not None:
            self.directory.lock()
        session = open_session(self.setup.config, sets=self.setup.sets)
        frame = RunFrame(self.resolved, self.directory, session, self.trackers, self.started)
        self.frame = frame
        frame.spent = Spent(**(frame.directory.read_json(PROGRESS) or {}).get("spent", {}))
        frame.start_records(self.resolved, step=self._steps_saved())
        self.setup.folder.mkdir(exist_ok=True)
        for line in plan_lines(session, self.setup.lines()):
            say(line)
        return frame.evaluations(session, "base", trained=False)

    def _train(self) -> None:
        """On every process; the first one keeps the weights as a checkpoint of the run."""
        from ttrl.overlays.trl.rollout import VotingRollout
        from ttrl.overlays.trl.training import latest_checkpoint, train_with_trl
        from ttrl.overlays.voting import GroupVoter
        from ttrl.recording.console import RunConsole

        config, frame = self.setup.config, self.frame
        prompt = self.setup.prompter.prompt
        steps = equal_steps(
            self.setup.questions, per_step=self.setup.share.questions, seed=config.seed
        )
        asked = [question for step in islice(steps, config.steps) for question in step]
        voter = GroupVoter(config, rule=rule_of(config, self.setup.sets[0]))
        found = latest_checkpoint(self.setup.folder)
        with ExitStack() as shown:
            console = None
            if frame is not None:
                console = shown.enter_context(
                    RunConsole(steps=config.steps, done=self._steps_saved())
                )
            records = TrlRecords(config, frame, console)
            hooks = VotingRollout(
                voter,
                self.setup.asked,
                seeded=True,
                rows_at_once=config.sampler_rows,
                labels=last_labels(frame.directory.path / "votes.jsonl") if frame else None,
                on_step=records.on_step,
                stop_requested=lambda: self.interrupts.pending,
            )
            updates = train_with_trl(
                self._model(),
                arguments=self.setup.arguments,
                prompts=[prompt(question) for question in asked],
                hooks=hooks,
                on_log=records.on_log,
                resume_from=found[0] if found else None,
                out=self.setup.folder / TRAINED,
            )
        if records.interrupted:
            raise KeyboardInterrupt
        if frame is not None:
            self._keep(frame, updates // updates_of_step(config), records.stopped)

    def _model(self) -> TrlModel:
        from ttrl.engine.adapters import lora_settings
        from ttrl.engine.models.load import load_model, pick_device
        from ttrl.overlays.trl.training import TrlModel

        config, source = self.setup.config, self.setup.source
        adapter = lora_settings(config.lora) if config.lora else None
        # Without an adapter bfloat16 weights would lose most updates: TRL's optimizer keeps no masters.
        dtype = config.dtype if config.lora else "float32"
        if source.kind == "gguf":
            loaded = load_model(source, dtype=dtype, device=pick_device("cpu"))
            return TrlModel(
                model=loaded.model, options=None, adapter=adapter, tokenizer=self.setup.tokenizer
            )
        options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "device_map": None}
        if source.revision:
            options["revision"] = source.revision
        return TrlModel(
            model=source.path, options=options, adapter=adapter, tokenizer=self.setup.tokenizer
        )

    def _keep(self, frame: RunFrame, step: int, stopped: str) -> None:
        from ttrl.engine import checkpoint

        frame.clock()
        checkpoint.save_weights(
            frame.directory.checkpoints,
            step=step,
            weights=self.setup.folder / TRAINED,
            state={
                "progress": {"step": step},
                "spent": dict(vars(frame.spent)),
                "stopped": stopped,
            },
            prompt_template=self.setup.template,
        )

    def _finish(self) -> tuple[Checkpoint, dict[str, Any]]:
        """The trained weights and their evaluation, by the native engine as that of the base."""
        from ttrl.cli.session import open_session

        trained = self._trained()
        assert trained is not None and self.frame is not None
        session = open_session(self.setup.config, weights=trained.weights, sets=self.setup.sets)
        return trained, self.frame.evaluations(session, "final", trained=True)

    def _trained(self) -> Checkpoint | None:
        """The checkpoint that the end of the training leaves."""
        from ttrl.engine.checkpoint import latest

        return latest(Path(str(self.setup.config.out)) / "checkpoints")

    def _steps_saved(self) -> int:
        from ttrl.overlays.trl.training import latest_checkpoint

        found = latest_checkpoint(self.setup.folder)
        return found[1] // updates_of_step(self.setup.config) if found else 0
