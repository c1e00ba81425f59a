"""Runs that differ by their seed alone are one group."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttrl.config import INVOCATION_KEYS
from ttrl.evaluate.report.comparison import Arm, Role
from ttrl.evaluate.report.comparison_appendix import manifest_of
from ttrl.evaluate.report.quantities import mapping
from ttrl.evaluate.report.run_files import RunFiles
from ttrl.evaluate.report.settings import settings_of

ROLES: dict[str, Role] = {
    "answer-key": "upper bound",
    "random": "control",
    "format": "control",
}
"""By reward; every other one is a run."""


def arms_of(runs: Sequence[tuple[Path, RunFiles, str]]) -> tuple[Arm, ...]:
    """Groups runs, in the order in which they were named.

    Args:
        runs: folder, files, and address of the run's report (empty text if there is none).
    """
    groups: dict[str, list[tuple[Path, RunFiles, str]]] = {}
    for run in runs:
        groups.setdefault(_what_was_run(run[1]), []).append(run)
    names = _told_apart([_name(group) for group in groups.values()])
    return tuple(
        Arm(
            name=name,
            role=ROLES.get(str(group[0][1].result.get("reward")), "run"),
            runs=tuple(files for _, files, _ in group),
            links=tuple(link for _, _, link in group),
        )
        for name, group in zip(names, groups.values(), strict=True)
    )


def inputs_of(run: RunFiles) -> Mapping[str, Any]:
    """Hashes of what the run was made from."""
    return mapping(manifest_of(run).get("inputs"))


def _what_was_run(run: RunFiles) -> str:
    """Equal for runs that differ by their seed alone: settings, inputs, and the version of ttrl."""
    read = settings_of(run)
    settings = {k: v for k, v in read.items() if k not in {"seed", *INVOCATION_KEYS}}
    versions = mapping(manifest_of(run).get("versions"))
    version = run.result.get("ttrl_version") or versions.get("ttrl")
    # A config that cannot be read is as good as another only if it is the same text.
    return json.dumps([settings if read else run.config, inputs_of(run), version], sort_keys=True)


def _name(group: Sequence[tuple[Path, RunFiles, str]]) -> str:
    """What the names of the runs share: 'grpo' for grpo-0 and grpo-1."""
    names = [str(files.result.get("name") or path.name) for path, files, _ in group]
    if len(names) == 1:
        return names[0]
    stems = {
        re.sub(rf"[-_. ]*(seed)?[-_. ]*{re.escape(str(files.result.get('seed')))}$", "", name)
        for name, (_, files, _) in zip(names, group, strict=True)
    }
    return (stems.pop() if len(stems) == 1 else "") or str(
        group[0][1].result.get("algorithm") or "runs"
    )


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names that occur more than once get numbers."""
    found: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in found:
            number += 1
            candidate = f"{name} ({number})"
        found.append(candidate)
    return found
