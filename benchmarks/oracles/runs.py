"""Short runs of many kinds: their weights, votes, metrics and records, to the last bit.

A run is known by the files that it leaves. Times, memory, versions and places are left out by the rules
of `is_measured`; of weights the hash of each tensor is kept.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.oracles import against, stored
from benchmarks.oracles.command import FIXED, SOURCE, Commands, Outcome, ttrl
from benchmarks.oracles.questions import write_files

NAME = "runs"
SMALL = (
    "--limit 4 --questions-per-step 2 --votes-per-question 8 --trained-per-question 6 --steps 4 "
    "--samples 4 --eval-limit 2 --difficulty 5 --learning-rate 0.002 --temperature 1.3 --warmup-steps 1 "
    "--eval-sets unlabeled --guard off"
)
"""At a temperature at which votes differ, so that steps have gradients, and a rate at which the guard would
end the run."""
STOPPING = "stopping_reward"
"""Module with a reward of the user's, which ends the process once, after the second step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A run that is made."""

    options: str
    """Beside or over those of SMALL."""
    is_stopped: bool = False
    """Killed on its way, then resumed."""
    engine: str = "native"


KINDS = {
    "grpo": Kind(options="--trained-choice spread --mask-truncated"),
    "ppo": Kind(options="--algorithm ppo --kl-coefficient 0.01"),
    "prime": Kind(options="--algorithm prime"),
    "dpo": Kind(options="--algorithm dpo --updates-per-step 2"),
    "dapo-refills": Kind(
        options="--algorithm dapo --refill-rounds 2 --difficulty 2 --limit 8 --temperature 0.9"
    ),
    "adaptive": Kind(
        options="--votes adaptive --adaptive-first 4 --votes-per-question 16 --difficulty 3"
    ),
    "text": Kind(options="--questions texts.jsonl --answers answer --task text --max-tokens 32"),
    "code": Kind(options="--questions labeled.jsonl --task code --stop ."),
    "lora": Kind(options="--lora 4 --algorithm rloo --passes-per-step 2"),
    "fresh": Kind(
        options="--fresh generated perturbed --fresh-count 4 "
        "--eval-sets unlabeled heldout fresh_generated fresh_perturbed"
    ),
    "holdout": Kind(
        options="--questions labeled.jsonl --answers answer --holdout 0.3 --limit 12 "
        "--fresh perturbed --equation-column equation --transfer other.jsonl "
        "--eval-sets unlabeled heldout transfer_other fresh_perturbed"
    ),
    "resume": Kind(options=f"--reward {STOPPING}:reward --checkpoint-every 1", is_stopped=True),
    "trl": Kind(
        options="--engine trl --limit 8 --questions-per-step 4 --trained-per-question 4 --device cpu",
        engine="trl",
    ),
}
MEASURED_ENDINGS = ("seconds",)
MEASURED = frozenset({"peak_rss_bytes", "energy_joules"})
SURROUNDINGS = frozenset(
    {"ttrl_version", "version", "weights", "versions", "machine", "git", "started", "out"}
)


def is_measured(key: str) -> bool:
    """Whether a key holds what differs from call to call: time, memory, versions, a place."""
    return key.endswith(MEASURED_ENDINGS) or key in MEASURED | SURROUNDINGS


def fingerprint(python: str = sys.executable) -> dict[str, str]:
    """What the bits of weights depend on, besides the code."""
    info = _cpu_info()
    flags = [
        flag for flag in info.get("flags", "").split() if flag.startswith(("avx", "amx", "fma"))
    ]
    asked = (
        "import platform, numpy, torch, transformers; "
        "print(platform.machine(), torch.__version__, numpy.__version__, transformers.__version__)"
    )
    versions = _said([python, "-c", asked]).split()
    return {
        "processor": f"{info.get('vendor_id', '')} {' '.join(sorted(flags))}".strip(),
        **dict(zip(("architecture", "torch", "numpy", "transformers"), versions, strict=False)),
        "compiler": next(iter(_said(["cc", "--version"]).splitlines()), "none"),
        "threads": FIXED["OMP_NUM_THREADS"],
    }


def record(
    names: Sequence[str], *, source: Path = SOURCE, trl_python: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Makes the runs, one after another: the name of each, and what it left."""
    with tempfile.TemporaryDirectory() as name, Commands(source) as commands:
        work = Path(name)
        write_files(work)
        for run in names:
            if KINDS[run].engine == "trl":
                call = partial(ttrl, python=trl_python or sys.executable, source=source)
                found = _made(run, work, call)
            else:
                found = _made(run, work, commands)
            _refuse_untrained(run, found, source)
            yield run, found


def check(
    revision: str | None, *, trl_python: str | None = None, only: Sequence[str] | None = None
) -> list[str]:
    """A line for each difference. Runs whose reference was made on another kind of machine are made under
    the revision as well, here and now.
    """
    names, lines = list(only or KINDS), list[str]()
    if unknown := [name for name in names if name not in KINDS]:
        return [f"  {unknown[0]!r} is no run; there are {', '.join(KINDS)}"]
    if "trl" in names and not _has_trl(trl_python or sys.executable):
        print(
            "  trl: skipped, TRL is not installed here; --trl-python names an environment that has it"
        )
        names.remove("trl")
    before: dict[str, Any] = {}
    if revision is None:
        before = _usable(names, trl_python)
    if missing := [name for name in names if name not in before]:
        revision = revision or against.NAME
        print(f"  making with {revision}: {', '.join(missing)}", flush=True)
        with against.checked_out(revision) as source:
            before |= dict(record(missing, source=source, trl_python=trl_python))
    for name, now in record(names, trl_python=trl_python):
        found = compare(before[name], now)
        steps = len(now["metrics.jsonl"])
        print(f"  {name}: {'DIFFERS' if found else 'same'} ({steps} steps)", flush=True)
        lines += [f"  {name}", *(f"  {line}" for line in found)] if found else []
    return lines


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """By file, the first places that differ."""
    lines = []
    for file in dict.fromkeys([*before, *after]):
        lines += stored.listed(file, stored.differences(before.get(file), after.get(file)))
    return lines


def update(trl_python: str | None = None) -> list[str]:
    """Makes the reference anew on this machine. Without TRL, that of TRL stays."""
    content = stored.read(NAME) if stored.exists(NAME) else {}
    machines = {"native": fingerprint()}
    if _has_trl(python := trl_python or sys.executable):
        machines["trl"] = fingerprint(python)
    names = [name for name in KINDS if KINDS[name].engine in machines]
    for name, found in record(names, trl_python=trl_python):
        content[name] = {"machine": machines[KINDS[name].engine], "files": found}
        print(f"  {name}", flush=True)
    path = stored.write(NAME, content)
    return [f"{path.name}: {len(content)} runs, {path.stat().st_size / 2**10:.0f} KiB"]


def _usable(names: Sequence[str], trl_python: str | None) -> dict[str, Any]:
    """References of runs that were made on this kind of machine."""
    reference = stored.read(NAME) if stored.exists(NAME) else {}
    found, told = {}, set()
    here = {"native": fingerprint()}
    if "trl" in names:
        here["trl"] = fingerprint(trl_python or sys.executable)
    for name in names:
        if name not in reference:
            continue
        unlike = stored.differences(reference[name]["machine"], here[KINDS[name].engine])
        if unlike:
            told.update(unlike)
        else:
            found[name] = reference[name]["files"]
    for line in sorted(told):
        print(f"  the reference is of another machine: {line}")
    return found


def _made(name: str, work: Path, call: Callable[..., Outcome]) -> dict[str, Any]:
    arguments = ["train", *SMALL.split(), *KINDS[name].options.split(), "--out", name]
    if KINDS[name].is_stopped:
        (work / f"{STOPPING}.py").write_text(_STOPPING, "utf-8")
        stopped = call(*arguments, cwd=work)
        if stopped.code != -signal.SIGKILL:
            raise SystemExit(f"{name}: was to be killed, ended with {stopped.code}\n{stopped.err}")
        arguments = ["train", "--resume", name]
    outcome = call(*arguments, cwd=work)
    if outcome.code:
        raise SystemExit(f"{name}: exit code {outcome.code}\n{outcome.err}")
    return files_of(work / name)


def files_of(run: Path) -> dict[str, Any]:
    """What the files of a run say, without what differs from call to call."""
    found: dict[str, Any] = {
        "files": sorted(
            path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()
        ),
        "config.yaml": _steady(yaml.safe_load((run / "config.yaml").read_text("utf-8"))),
    }
    for name in ("votes.jsonl", "metrics.jsonl"):
        lines = (run / name).read_text("utf-8").splitlines()
        found[name] = [_steady(json.loads(line)) for line in lines]
    for path in sorted([*run.glob("*.json"), *run.glob("evaluations/*.json")]):
        name = path.relative_to(run).as_posix()
        found[name] = _steady(json.loads(path.read_text("utf-8")))
    last = max(run.glob("checkpoints/step-*"))
    for path in sorted(last.rglob("*.safetensors")):
        found[f"weights: {path.relative_to(last).as_posix()}"] = tensors(path)
    return dict(stored.as_json(found))


def tensors(path: Path) -> dict[str, str]:
    """By name: type, shape and hash of the values. The file's own metadata is left out."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + size]), content[8 + size :]
    found = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            digest = hashlib.sha256(values[begin:end]).hexdigest()[:16]
            found[name] = f"{about['dtype']} {about['shape']} {digest}"
    return found


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(inner) for key, inner in value.items() if not is_measured(str(key))}
    return [_steady(inner) for inner in value] if isinstance(value, list) else value


def _refuse_untrained(name: str, found: Mapping[str, Any], source: Path) -> None:
    """Raises where nothing was learned: then equal weights would show nothing."""
    base = tensors(source / "ttrl" / "embedded" / "ttrl-tiny" / "model.safetensors")
    known = {value.split()[-1] for value in base.values()}
    weights = next(found[file] for file in found if file.startswith("weights: ") and "/" in file)
    learned = [each for each in weights.values() if each.split()[-1] not in known]
    gradients = [row for row in found["metrics.jsonl"] if row.get("train/grad_norm")]
    if not learned or (KINDS[name].engine == "native" and len(gradients) < 2):
        raise SystemExit(f"{name}: hardly anything was trained, so the run shows nothing.")


def _has_trl(python: str) -> bool:
    return bool(
        _said(
            [python, "-c", "import importlib.util as u; print(u.find_spec('trl') and 1 or '')"]
        ).strip()
    )


def _said(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _cpu_info() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


_STOPPING = """
import os, signal
from pathlib import Path

calls = 0


def reward(task, group, consensus):
    global calls
    calls += 1
    mark = Path(__file__).with_suffix(".once")
    if calls == 6 and not mark.exists():  # two questions in a step
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [float(each == consensus.winner) for each in consensus.class_of]
"""
