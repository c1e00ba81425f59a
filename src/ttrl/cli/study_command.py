"""`ttrl study`: is the gain real? TTRL beside its upper bound and its controls, over seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ttrl.cli.many_runs import (
    Layout,
    check_shared,
    open_many,
    run_and_report,
    run_phase,
    start_many,
)
from ttrl.cli.options import make_parser, parse
from ttrl.cli.side_by_side import Failure, Job
from ttrl.cli.study_settings import (
    MANY_RUNS_OPTIONS,
    STUDY_OPTIONS,
    StudySettings,
    add_options,
    read_settings,
)
from ttrl.config import ResolvedConfig, read_layers, settle
from ttrl.consensus.rules import ANSWER_KEY, check_rule
from ttrl.errors import EXIT_DONE, ConfigError, DataError
from ttrl.evaluate.report.plan import base_path, equal_tokens_path, run_path
from ttrl.recording.console import say
from ttrl.recording.run_directory import RunDirectory
from ttrl.recording.trackers.registry import wanted
from ttrl.runs.resume import INPUTS
from ttrl.types import SIMILAR_TASKS

SUMMARY = (
    "Is the gain real? Run TTRL, training on true answers (leakage), and controls with random and format "
    "rewards, from one config and over several seeds; evaluate all of them on unlabeled, held-out, transfer "
    "and fresh questions; and compare them with the base model's own vote at equal cost."
)
REWARDS = {"leakage": ANSWER_KEY, "random": "random", "format": "format"}
"""Of the arms that have their own; TTRL takes the config's."""
KEYS = (*STUDY_OPTIONS, *MANY_RUNS_OPTIONS)


def run(arguments: Sequence[str]) -> int:
    """The whole of a study; returns its exit code."""
    parser = make_parser("study", SUMMARY)
    add_options(parser, "Study", {**STUDY_OPTIONS, **MANY_RUNS_OPTIONS})
    layers = read_layers(parse(parser, arguments), command_keys=KEYS)
    check_shared(layers)
    if layers.merged.get("resume") is not None:
        study, settings, resolved = open_many("study", layers, StudySettings)
    else:
        resolved = settle(layers)
        settings, questions = _checked(resolved, read_settings(StudySettings, layers.beside))
        if resolved.values.dry_run:
            return _dry_run(resolved, settings)
        study = start_many("study", resolved, settings, about={"questions": questions})
    from ttrl.evaluate.report.pages import write_study_report

    return run_and_report(
        "study",
        study,
        runs=lambda: _runs(study, settings, resolved),
        report=lambda failures: write_study_report(
            study.path, failed={each.name: each.said for each in failures}
        ),
        as_json=resolved.values.json_output,
    )


def _checked(
    resolved: ResolvedConfig, settings: StudySettings
) -> tuple[StudySettings, dict[str, int]]:
    """Raises before minutes go into runs; returns what is left of the arms, and the sizes of the sets."""
    from ttrl.data.sets import evaluated_sets
    from ttrl.evaluate.labels import build_sets

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
        if why is not None:
            say(f"{why}: the arm leakage, which trains on true answers, is left out")
            arms = tuple(arm for arm in settings.arms if arm != "leakage")
            settings = settings.model_copy(update={"arms": arms})
    return settings, {each.name: len(each.questions) for each in sets.all}


def _runs(study: Layout, settings: StudySettings, resolved: ResolvedConfig) -> list[Failure]:
    bases = [_base_job(study, seed) for seed in settings.seeds]
    failures = run_phase(bases, settings.jobs)
    usable = [seed for seed, job in zip(settings.seeds, bases, strict=True) if job.done.exists()]
    _check_same_questions(study, usable)
    # Seed by seed, so that an interrupted study has whole seeds to compare.
    trains = [_train_job(study, arm, seed) for seed in usable for arm in settings.arms]
    failures += run_phase(trains, settings.jobs)
    votes = _equal_tokens_job(study, resolved)
    return failures + run_phase([votes] if votes else [], 1)


def _check_same_questions(study: Layout, seeds: Sequence[int]) -> None:
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


def _base_job(study: Layout, seed: int) -> Job:
    out = base_path(study.path, seed)
    return study.job(out.name, ["eval", "--seed", str(seed)], out=out)


def _train_job(study: Layout, arm: str, seed: int) -> Job:
    out = run_path(study.path, arm, seed)
    own = ["--reward", REWARDS[arm]] if arm in REWARDS else []
    base = ["--base-evaluations", str(base_path(study.path, seed))]
    return study.job(out.name, ["train", "--seed", str(seed), *own, *base], out=out)


def _equal_tokens_job(study: Layout, resolved: ResolvedConfig) -> Job | None:
    """The base votes with as many tokens as TTRL sampled; None where that is no more than it has."""
    from ttrl.evaluate.report.arms import read_arm
    from ttrl.evaluate.report.plan import read_plan
    from ttrl.evaluate.report.study import samples_at_equal_tokens

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
    return study.job(out.name, ["eval", *options], out=out)


def _dry_run(resolved: ResolvedConfig, settings: StudySettings) -> int:
    runs = len(settings.arms) * len(settings.seeds)
    told: dict[str, Any] = {"config": resolved.as_dict(), "study": settings.model_dump(mode="json")}
    if resolved.values.json_output:
        print(json.dumps(told))
        return EXIT_DONE
    print(resolved.as_yaml())
    print(
        f"study       {', '.join(settings.arms)} x seeds {', '.join(map(str, settings.seeds))} = {runs} "
        f"runs, {settings.jobs} at a time; the base once a seed, and its vote at equal tokens\n"
        "            `ttrl train --dry-run` with the same options tells what one run needs"
    )
    return EXIT_DONE
