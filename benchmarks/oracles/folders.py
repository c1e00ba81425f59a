"""Folders of runs that pages are written about: made by the embedded model, kept without weights.

`make` trains them anew, which takes minutes; `unpack` gives those of the reference.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.oracles import stored
from benchmarks.oracles.command import ttrl
from benchmarks.oracles.questions import write_files

ARCHIVE = stored.FOLDER / "folders.tar.xz"
LEFT_OUT = re.compile(
    r"(^|/)(checkpoints|logs|\.lock|report\.html|figure\.svg|results\.md|study\.json|sweep\.json)(/|$)"
)
"""Weights, and what `ttrl report` writes."""
SETTINGS = (
    "--questions-per-step 8 --votes-per-question 16 --trained-per-question 12 --samples 8 --steps 8 "
    "--learning-rate 0.001"
)
EMBEDDED = "--limit 24 --difficulty 4"
FILE = "--questions labeled.jsonl --answers answer --holdout 0.3"
TRAINED = {
    "labeled": f"train {EMBEDDED} --fresh generated perturbed --fresh-count 12",
    "other-settings": f"train {EMBEDDED} --algorithm dapo --votes adaptive --adaptive-first 4",
    "pair/seed-0": f"train {EMBEDDED} --eval-sets unlabeled heldout",
    "pair/seed-1": f"train {EMBEDDED} --eval-sets unlabeled heldout --seed 1",
    "unlabeled": "train --questions bare.jsonl",
    "levels": f"train {FILE} --fresh perturbed --fresh-count 8 --equation-column equation "
    "--transfer other.jsonl",
    "upper-bound": f"train {EMBEDDED} --reward answer-key --algorithm ppo --steps 3",
    "texts": "train --questions texts.jsonl --answers answer --task text --max-tokens 32 --steps 3 "
    "--temperature 1.5",
    "silent": "train --limit 12 --difficulty 1 --temperature 0.1 --steps 3 --algorithm dpo",
    "study": f"study {EMBEDDED} --seeds 0 1 --fresh generated --fresh-count 12 --steps 5",
    "study-of-levels": f"study {FILE} --seeds 0 --arms ttrl random --steps 3",
    "bare-study": "study --questions bare.jsonl --seeds 0 --arms ttrl format --steps 2",
    "sweep": f"sweep {EMBEDDED} --seeds 0 1 --grid temperature=0.7,1.3 --steps 4",
}
"""By folder: the command and its options, over the settings that all share."""
MACHINE = {"platform": "Linux", "processor": "x86_64", "cores": 2, "threads": "1"}


def make(work: Path) -> None:
    """Trains every run below the folder and derives the odd ones from them."""
    write_files(work)
    for name, options in TRAINED.items():
        command, *own = options.split()
        outcome = ttrl(command, *SETTINGS.split(), *own, "--out", name, cwd=work)
        if outcome.code:
            raise SystemExit(f"{name}: exit code {outcome.code}\n{outcome.err}")
        print(name, flush=True)
    derive(work)


def derive(work: Path) -> None:
    """Broken, older and reversed runs, from those that were trained; nothing says where they were."""
    for path in work.glob("*.jsonl"):
        path.unlink()
    for path in sorted(work.rglob("manifest.json")):
        _neutral(path)
    _broken(_copy(work, "labeled", "broken"))
    _older(_copy(work, "labeled", "older"))
    _reversed(_copy(work, "labeled", "reversed"))
    _reversed(_copy(work, "labeled", "memorised"), "fresh_generated", "heldout")
    _unmoved(_copy(work, "labeled", "unmoved"))
    (_copy(work, "pair/seed-0", "unended") / "result.json").unlink()
    bare = work / "only-a-result"
    bare.mkdir()
    (bare / "result.json").write_text('{"name": "only a result", "steps": 2}', "utf-8")
    study = _copy(work, "study", "study-with-gaps")
    shutil.rmtree(study / "runs" / "random-seed-1")
    shutil.rmtree(study / "runs" / "leakage-seed-0")
    told = {
        "format": 1,
        "failed": {"random-seed-1": "loss is not finite", "leakage-seed-0": "killed"},
    }
    (study / "study.json").write_text(json.dumps(told), "utf-8")
    sweep = _copy(work, "sweep", "sweep-with-gaps")
    shutil.rmtree(sweep / "runs" / "temperature-1.3-seed-1")
    for kind in ("study", "sweep"):
        for run in (_copy(work, kind, f"{kind}-that-lost") / "runs").iterdir():
            _reversed(run)
    for run in (_copy(work, "study", "study-that-won") / "runs").iterdir():
        _won(run, unlabeled=1.0, heldout=0.9, fresh_generated=0.9, out_of_prior=0.1)
    _won(_copy(work, "labeled", "won"), unlabeled=1.0, heldout=0.9, fresh_generated=0.4)
    for name in ("labeled", "reversed", "won", "unmoved"):
        run = _copy(work, name, f"{name}-without-records")
        shutil.rmtree(run / "evaluations")
        if name == "labeled":
            _changed(run / "result.json", _without_intervals)
    for name in ("few", "few-that-won"):
        run = _copy(work, "won" if "won" in name else "labeled", name)
        for path in (run / "evaluations").iterdir():
            _changed(path, lambda content: content["questions"].__delitem__(slice(4, None)))
    one_sided = _copy(work, "labeled", "one-sided")
    (one_sided / "evaluations" / "final-unlabeled.json").unlink()
    _changed(one_sided / "result.json", lambda result: result["sets"]["unlabeled"].pop("final"))
    _gathered(work, "study-of-texts", "study", {"ttrl-seed-0": "texts"})
    _gathered(
        work, "study-of-few", "study", {"ttrl-seed-0": "few-that-won", "random-seed-0": "few"}
    )
    _gathered(work, "bare-sweep", "sweep", {"a-seed-0": "unlabeled"})
    _gathered(work, "empty-study", "study", {})
    _gathered(work, "empty-sweep", "sweep", {})


def pack(work: Path) -> None:
    """The folders as one archive, the same bytes for the same folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        # By name of the file, so that like stands beside like and is packed well.
        for path in sorted(work.rglob("*"), key=lambda path: (path.name, path)):
            name = path.relative_to(work).as_posix()
            if path.is_file() and (
                not LEFT_OUT.search(name) or name == "study-with-gaps/study.json"
            ):
                member = tarfile.TarInfo(name)
                content = _without_spaces(path)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    ARCHIVE.parent.mkdir(exist_ok=True)
    ARCHIVE.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def unpack(work: Path, names: Iterable[str]) -> None:
    """Puts these folders of the reference into another one."""
    wanted = tuple(f"{name}/" for name in names)
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(ARCHIVE.read_bytes()))) as archive:
        members = [member for member in archive if member.name.startswith(wanted)]
        archive.extractall(work, members, filter="data")


def copy_for_report(folder: Path, copy: Path) -> None:
    """What `ttrl report` reads of a folder, so that it writes beside and not into it."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("checkpoints", "logs", ".lock"))


def _without_spaces(path: Path) -> bytes:
    text = path.read_bytes()
    if path.suffix != ".json":
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False).encode()
    except ValueError:
        return text


def _copy(work: Path, name: str, copy: str) -> Path:
    shutil.copytree(work / name, work / copy, ignore=shutil.ignore_patterns("checkpoints", "logs"))
    return work / copy


def _neutral(path: Path) -> None:
    """A manifest that says nothing of where it was made."""
    manifest = json.loads(path.read_text("utf-8"))
    manifest |= {"machine": MACHINE, "started": "2026-01-01T00:00:00+0000", "git": None}
    path.write_text(json.dumps(manifest), "utf-8")


def _changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def _broken(run: Path) -> None:
    """Cut and foreign lines, an evaluation that is none, another that is missing, no manifest."""
    for name in ("metrics.jsonl", "votes.jsonl"):
        lines = (run / name).read_text("utf-8").splitlines()
        lines[1:1] = ["", "[1]", '{"no": 1}']
        lines[-1] = lines[-1][: len(lines[-1]) // 2]
        (run / name).write_text("\n".join(lines), "utf-8")
    (run / "evaluations" / "final-heldout.json").write_text("{", "utf-8")
    (run / "evaluations" / "base-out_of_prior.json").unlink()
    (run / "manifest.json").write_text("[" * 500, "utf-8")
    _changed(run / "result.json", lambda result: result["sets"]["heldout"].pop("final"))


def _older(run: Path) -> None:
    """As first versions wrote it: no votes marked, no curves, no levels, fewer metrics and costs."""
    for path in (run / "evaluations").iterdir():
        content = json.loads(path.read_text("utf-8"))
        for key in ("curves", "by_level", "cost", "note", "labeled", "sampling"):
            content.pop(key, None)
        for question in content["questions"]:
            for key in ("vote_right", "level", "example"):
                question.pop(key, None)
        path.write_text(json.dumps(content), "utf-8")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    unknown = ("labels/lucky_rate", "consensus/flip_rate", "sample/votes_per_question")
    text = "".join(
        json.dumps({k: v for k, v in row.items() if k not in unknown}) + "\n" for row in rows
    )
    (run / "metrics.jsonl").write_text(text, "utf-8")
    (run / "votes.jsonl").unlink()
    (run / "manifest.json").unlink()
    newer = (
        "engine",
        "reward",
        "peak_rss_bytes",
        "training_seconds",
        "evaluation_seconds",
        "ttrl_version",
    )
    _changed(run / "result.json", lambda result: [result.pop(key) for key in newer])


def _reversed(run: Path, *sets: str) -> None:
    """What came before training stands after it, in some sets or in all."""
    result = json.loads((run / "result.json").read_text("utf-8"))
    for name in sets or tuple(result["sets"]):
        pair: Mapping[str, Any] = result["sets"][name]
        result["sets"][name] = {"base": pair["final"], "final": pair["base"]}
        base, final = (run / "evaluations" / f"{when}-{name}.json" for when in ("base", "final"))
        aside = base.rename(run / "aside.json")
        final.rename(base)
        aside.rename(final)
    (run / "result.json").write_text(json.dumps(result), "utf-8")


def _won(run: Path, **shares: float) -> None:
    """All completions of this share of the questions of a set are right after training."""
    result = json.loads((run / "result.json").read_text("utf-8"))
    for name, share in shares.items():
        path = run / "evaluations" / f"final-{name}.json"
        if not path.exists():
            continue
        content = json.loads(path.read_text("utf-8"))
        content.pop("curves", None)
        questions = content["questions"]
        for index, question in enumerate(questions):
            is_right = index < share * len(questions)
            label = question["answer"] if is_right else "wrong"
            question |= {
                "counts": [8], "labels": [label], "pseudo_label": label, "other": 0, "abstained": 0,
                "tied": False, "correct": 8 * is_right, "vote_right": is_right,
                "right_class": 0 if is_right else None,
            }  # fmt: skip
        reached = sum(question["vote_right"] for question in questions) / len(questions)
        for key in ("avg@8", "maj@8", "pass@8"):
            content["metrics"][key] = reached
        for key in ("avg@8_ci", "maj@8_ci"):
            content["metrics"][key] = [max(0.0, reached - 0.1), min(1.0, reached + 0.1)]
        result["sets"][name]["final"] = content["metrics"]
        path.write_text(json.dumps(content), "utf-8")
    more = {"energy_joules": 7200.0, "wall_seconds": 7300.0, "peak_rss_bytes": 2**31}
    (run / "result.json").write_text(json.dumps(result | more), "utf-8")


def _without_intervals(result: dict[str, Any]) -> None:
    for pair in result["sets"].values():
        for when, metrics in pair.items():
            pair[when] = {k: v for k, v in metrics.items() if not k.endswith("_ci")}
        pair["final"]["temperature"] = 1.0


def _gathered(work: Path, name: str, command: str, runs: Mapping[str, str]) -> None:
    """A study or a sweep of runs that were made for something else."""
    for run, source in runs.items():
        _copy(work, source, f"{name}/runs/{run}")
    arms = list(dict.fromkeys(["ttrl", *(run.removesuffix("-seed-0") for run in runs)]))
    manifest: dict[str, Any] = {"format": 1, "command": command, "settings": {"seeds": [0]}}
    manifest |= {"points": arms[1:]} if command == "sweep" else {"questions": {"unlabeled": 6}}
    manifest["settings"] |= {} if command == "sweep" else {"arms": arms}
    (work / name).mkdir(exist_ok=True)
    (work / name / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (work / name / "config.yaml").write_text("seed: 0\n", "utf-8")


def _unmoved(run: Path) -> None:
    """Training changed nothing."""
    result = json.loads((run / "result.json").read_text("utf-8"))
    for name, pair in result["sets"].items():
        pair["final"] = pair["base"]
        shutil.copy(
            run / "evaluations" / f"base-{name}.json", run / "evaluations" / f"final-{name}.json"
        )
    (run / "result.json").write_text(json.dumps(result), "utf-8")
