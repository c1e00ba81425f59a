"""A study: is the gain real? TTRL beside its upper bound and its controls, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ttrl.config import Layers, ResolvedConfig, settle
from ttrl.consensus.rules import ANSWER_KEY, check_rule
from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.report.plan import ROLES, ArmName, base_path, equal_tokens_path, run_path
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.calls import layers_of_call
from ttrl.runs.jobs import Failure, Job
from ttrl.runs.many import (
    PLAIN,
    Folder,
    ManyRuns,
    Plan,
    Say,
    StudyResult,
    carry_out,
    check_shared,
    read_settings,
    resumed,
    run_phase,
)
from ttrl.runs.resume import INPUTS
from ttrl.types import SIMILAR_TASKS

REWARDS = {"leakage": ANSWER_KEY, "random": "random", "format": "format"}
"""Rewards of the arms that have their own; TTRL takes that of the config."""


class StudySettings(ManyRuns):
    """The settings of a study beside those of its runs."""

    arms: tuple[ArmName, ...] = Field(default=tuple(ROLES), min_length=1)

    @field_validator("arms")
    @classmethod
    def _with_ttrl(cls, arms: tuple[ArmName, ...]) -> tuple[ArmName, ...]:
        if "ttrl" not in arms:
            raise ValueError("wanted ttrl among them: the others are compared with it")
        return tuple(arm for arm in ROLES if arm in arms)


def study(*, on_message: Callable[[str], object] | None = None, **settings: Any) -> StudyResult:
    """Runs TTRL, its upper bound and its controls over seeds, compares them and writes a report.

    Every run is a process of its own, at most `jobs` at a time. Nothing is printed. Ctrl-C and SIGTERM are
    passed on to what is running, and rise as a KeyboardInterrupt that says how to go on.

    Args:
        on_message: called with each line that the command would show while it waits.
        **settings: those of `ttrl study`, such as seeds=[0, 1, 2], arms=["ttrl", "random"], jobs=2, out="s",
            and those of its runs.

    Returns:
        The verdict and the runs. A run that fails is named in `failures`, and the others are reported.

    Raises:
        TtrlError: whatever ends the command without a report ends the call with the same error.
    """
    say = on_message or (lambda line: None)
    layers = layers_of_call("study", settings, own=StudySettings.model_fields)
    return carry_out_study(plan_study(layers, say=say), say=say)


def plan_study(layers: Layers, *, say: Say) -> Plan[StudySettings]:
    """Checks what can be checked before minutes go into runs.

    Raises:
        ConfigError: settings that contradict each other, or that leave nothing to study.
        DataError: question files that cannot be read, or sets that overlap.
        CheckpointError: no study to resume, or one that was started with other settings.
    """
    check_shared(layers)
    if (begun := resumed("study", layers, StudySettings)) is not None:
        return begun
    resolved = settle(layers)
    settings, questions = _checked(resolved, read_settings(StudySettings, layers.beside), say)
    about = {"questions": questions}
    return Plan(command="study", resolved=resolved, settings=settings, about=about)


def carry_out_study(plan: Plan[StudySettings], *, say: Say) -> StudyResult:
    """Makes the runs of a study that are left and writes its report; `carry_out` lists the errors."""
    from ttrl.evaluation.report.pages import write_study_report

    return carry_out(
        plan,
        runs=lambda folder: _runs(folder, plan, say),
        report=lambda path, failures: write_study_report(
            path, failed={each.name: each.said for each in failures}
        ),
        arms=plan.settings.arms,
        say=say,
    )


def _checked(
    resolved: ResolvedConfig, settings: StudySettings, say: Say
) -> tuple[StudySettings, dict[str, int]]:
    """Returns the settings with the arms that can run, and the sizes of the question sets."""
    from ttrl.data.sets import evaluated_sets
    from ttrl.evaluation.labels import build_sets

    config = resolved.values
    check_rule(config)
    wanted(config.report_to)
    if config.reward in REWARDS.values():
        raise ConfigError(
            f"reward={config.reward}: it is that of another arm of the study, so nothing would be TTRL. "
            "Leave reward out, or name a rule of agreement."
        )
    if config.eval_sets and "unlabeled" not in config.eval_sets:
        raise ConfigError(
            "eval_sets: a study needs the unlabeled questions evaluated. Add unlabeled."
        )
    sets = build_sets(config)
    evaluated_sets(sets.all, config)
    if "leakage" in settings.arms:
        why = None
        if sets.labels[sets.training.name].answers is None:
            why = "no answers (--answers names them)"
        elif config.task in SIMILAR_TASKS:
            why = f"answers of the task {config.task} are similar and not equal"
        elif config.augment:
            why = f"augment={','.join(config.augment)}: nobody knows the answers of copies"
        if why is not None:
            say(f"{why}: the arm leakage, which trains on true answers, is left out")
            arms = tuple(arm for arm in settings.arms if arm != "leakage")
            settings = settings.model_copy(update={"arms": arms})
    return settings, {each.name: len(each.questions) for each in sets.all}


def _runs(study: Folder, plan: Plan[StudySettings], say: Say) -> list[Failure]:
    settings = plan.settings
    bases = [_base_job(study, seed) for seed in settings.seeds]
    failures = run_phase(bases, settings.jobs, say)
    usable = [seed for seed, job in zip(settings.seeds, bases, strict=True) if job.done.exists()]
    _check_same_questions(study, usable)
    # Seed by seed, so that an interrupted study has whole seeds to compare.
    trains = [_train_job(study, arm, seed) for seed in usable for arm in settings.arms]
    failures += run_phase(trains, settings.jobs, say)
    votes = _equal_tokens_job(study, plan.resolved)
    return failures + run_phase([votes] if votes else [], 1, say)


def _check_same_questions(study: Folder, seeds: Sequence[int]) -> None:
    """Raises DataError where a file was changed between the seeds: they would be pooled as one."""
    found = {seed: _inputs(base_path(study.path, seed)) for seed in seeds}
    for seed, inputs in found.items():
        for name, then in found[seeds[0]].items():
            if inputs.get(name) != then:
                raise DataError(
                    f"{study.path}: {INPUTS.get(name, name)} between seed {seeds[0]} and seed {seed}, so "
                    "their runs cannot be pooled. Put it back and remove that seed's folders, or start anew."
                )


def _inputs(path: Path) -> dict[str, Any]:
    inputs = (RunDirectory.open(path).read_json("manifest.json") or {}).get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _base_job(study: Folder, seed: int) -> Job:
    out = base_path(study.path, seed)
    return study.job(out.name, ["eval", *PLAIN, "--seed", str(seed)], out=out)


def _train_job(study: Folder, arm: str, seed: int) -> Job:
    out = run_path(study.path, arm, seed)
    # A control is compared at equal steps; the guard would be right to end it.
    own = ["--reward", REWARDS[arm], "--guard", "off"] if arm in REWARDS else []
    base = ["--base-evaluations", str(base_path(study.path, seed))]
    return study.job(out.name, ["train", "--seed", str(seed), *own, *base], out=out)


def _equal_tokens_job(study: Folder, resolved: ResolvedConfig) -> Job | None:
    """The base votes with as many tokens as TTRL sampled; None where that is no more than it has."""
    from ttrl.evaluation.report.arms import read_arm
    from ttrl.evaluation.report.plan import read_plan
    from ttrl.evaluation.report.study import samples_at_equal_tokens

    plan = read_plan(study.path, "study")
    arm = read_arm(plan, "ttrl")
    if arm is None:
        return None
    samples = samples_at_equal_tokens(arm, questions=plan.questions)
    if samples is None or samples <= resolved.values.samples:
        return None
    seed = arm.seeds[0] or 0
    out = equal_tokens_path(study.path, seed)
    options = ["--seed", str(seed), "--samples", str(samples), "--eval-sets", "unlabeled"]
    return study.job(out.name, ["eval", *PLAIN, *options], out=out)
