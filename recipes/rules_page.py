"""The page of the rules study, docs/rules-study.md, from whatever runs there are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rules_arms import ABSENT, ARMS, CLAIMS, Claim
from rules_findings import Rows, change, findings, kind
from rules_results import LAST, Base, Row, apart, over_bases, read_rows

from ttrl.evaluation.report.arm_tables import markdown
from ttrl.evaluation.report.outcome import pass_rate, share_right, vote_value
from ttrl.evaluation.report.text import signed
from ttrl.interval import Interval
from ttrl.recording.forgiving import mapping

EQUAL = 0.5
"""Points within which a published difference counts as none."""
FEATURES = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "sve",
)


def page(
    out: Path, bases: Sequence[Base], *, seeds: Sequence[int], failed: Mapping[tuple[str, str], str]
) -> str:
    """Returns the page.

    Args:
        out: the folder of the study.
        bases: all bases that belong to the study.
        seeds: all seeds that belong to it.
        failed: by base and arm, why it was left out.
    """
    found = {base: read_rows(out, base, seeds) for base in bases}
    known = {base: rows for base, rows in found.items() if rows}
    parts = ["# Rules, advantages, label votes and views at equal tokens", _about(known)]
    if known:
        parts += ["## What came out", findings(known)]
        parts += [part for base, rows in known.items() for part in _base_part(base, rows)]
        parts += ["## Published orderings beside these", _orderings(known)]
    parts += ["## Arms", _arms(), "## What was not run", *_missing(found, seeds, failed)]
    return "\n\n".join(parts) + "\n"


def _about(known: Mapping[Base, Rows]) -> str:
    rows = [row for rows in known.values() for row in rows.values()]
    few = ""
    if any(len(row.seeds) == 1 for row in rows):
        few = (
            " An interval of one seed is over questions alone and says nothing about another seed."
        )
    return (
        "`python recipes/rules.py --out runs/rules` makes this page. Every arm starts from the same "
        "base, takes 60 steps of 16 of the 512 embedded questions at a learning rate of 1e-4, and "
        "samples 64 completions on each: either the question itself 64 times, of which 32 are trained "
        "on, or 32 times, with 32 more votes from another source. The guard is off and the last "
        "checkpoint is evaluated: 64 completions at temperature 0.6 and top-p 0.95. Intervals are 95 "
        "%, over questions and seeds, each a sample (`evaluation/pooling.py`); differences are paired "
        "by question and by seed. Of 20 such intervals about one misses by chance, and with 2 or 3 "
        "seeds they are wide, so an unclear difference is not equality. After avg@64 stands each seed in "
        f"brackets.{few}\n\n{_machine(rows)}"
    )


def _machine(rows: Sequence[Row]) -> str:
    manifest = mapping(json.loads(rows[0].runs[0].manifest)) if rows else {}
    versions = mapping(manifest.get("versions"))
    packages = ", ".join(
        f"{name} {versions[name]}" for name in ("ttrl", "torch") if name in versions
    )
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    about = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = about.get("flags", about.get("Features", "")).split()
    features = ", ".join(name for name in FEATURES if name in flags) or "features unknown"
    name = about.get("model name", "processor unknown")
    return (
        f"Machine: {name} ({features}), {os.cpu_count()} cores, one thread per run, other work beside"
        f"{f'; {packages}' if packages else ''}. Seconds are wall clock of training alone and vary with "
        "that work."
    )


def _base_part(base: Base, rows: Rows) -> list[str]:
    first = next(iter(rows.values()))
    title = f"## Base {base.number}{' (shipped)' if base.model == 'ttrl-tiny' else ''}"
    n, k = first.trained.samples, first.trained.largest_k
    start = first.trained.side("base")
    alone, vote, passes = (
        _share(start.level("base", value)) for value in (share_right, vote_value, pass_rate(k))
    )
    before = (
        f"Before training: avg@{n} {alone}, maj@{n} {vote}, pass@{k} {passes} on the {len(start.keys)} "
        f"unlabeled questions; avg@{n} {_share(first.held.level('base'))} on the held-out ones."
    )
    heads = (
        "arm", "seeds", f"avg@{n}", "minus majority", "minus the base's vote", f"held-out avg@{n}",
        f"maj@{n}", f"pass@{k}", f"labels right: all steps, last {LAST}", "votes gained, lost",
        "tokens, M", "seconds",
    )  # fmt: skip
    lines = []
    for name, row in rows.items():
        labels = row.label_accuracy
        gained, lost = row.fates
        lines.append(
            (
                name,
                str(len(row.seeds)),
                f"{_share(row.after)} ({' '.join(f'{100 * one:.0f}' for one in row.each)})",
                change(apart(rows, name)),
                change(row.above_vote),
                _share(row.held.level("final")),
                _share(row.maj),
                _share(row.passes),
                "–" if labels is None else f"{100 * labels[0]:.1f}, {100 * labels[1]:.1f}",
                f"{gained:.0f}, {lost:.0f}",
                f"{row.tokens / 1e6:.2f}",
                f"{row.seconds:.0f}",
            )
        )
    return [title, before, markdown(heads, lines).rstrip()]


def _orderings(known: Mapping[Base, Rows]) -> str:
    heads = (
        "difference",
        "published, points",
        "where",
        *(f"base {b.number}" for b in known),
        "read as",
    )
    lines = []
    for claim in CLAIMS:
        ours = [apart(rows, claim.first, claim.second) for rows in known.values()]
        published = ", ".join(signed(each) for each in claim.points)
        by = ", by its own authors" if claim.own else ""
        lines.append(
            (
                f"{claim.first} − {claim.second}",
                published,
                f"{claim.where} ({claim.source}{by})",
                *map(change, ours),
                _reading(claim, over_bases(ours)),
            )
        )
    note = (
        "Published figures are those that later papers and notes give, on other models and other "
        "questions; most were not checked against the papers. Ours are avg@64 on the unlabeled "
        f"questions, in points. A published difference within {EQUAL} points counts as none."
    )
    return f"{note}\n\n{markdown(heads, lines).rstrip()}"


def _reading(claim: Claim, ours: Interval | None) -> str:
    if ours is None:
        return "not run"
    higher = all(each > EQUAL for each in claim.points)
    lower = all(each < -EQUAL for each in claim.points)
    shown = kind(ours)
    if shown in ("unclear", "one seed"):
        return f"{shown} {'here' if shown == 'unclear' else 'only'}"
    word = "higher" if shown == "rose" else "lower"
    if not higher and not lower:
        return f"{word} here; published figures differ"
    return f"{'the same' if higher == (word == 'higher') else 'the opposite'} here"


def _arms() -> str:
    heads = ("arm", "what it is", "settings")
    lines = []
    for arm in ARMS.values():
        options = ", ".join(
            f"{key}: {', '.join(value) if isinstance(value, list) else value}"
            for key, value in arm.options.items()
        )
        lines.append((arm.name, arm.about, f"`{options}`" if options else "–"))
    return (
        "All other settings are those of `recipes/rules_arms.py:COMMON`, written out there.\n\n"
        + markdown(heads, lines).rstrip()
    )


def _missing(
    found: Mapping[Base, Rows], seeds: Sequence[int], failed: Mapping[tuple[str, str], str]
) -> list[str]:
    lines = []
    for base, rows in found.items():
        by_seeds: dict[tuple[int | None, ...], list[str]] = {}
        for name in ARMS:
            done = rows[name].seeds if name in rows else ()
            by_seeds.setdefault(done, []).append(name)
        parts = []
        for done, names in sorted(by_seeds.items(), key=lambda pair: -len(pair[0])):
            missing = [str(seed) for seed in seeds if seed not in done]
            if missing:
                who = "every arm" if len(names) == len(ARMS) else ", ".join(names)
                parts.append(f"{who}: seeds {', '.join(missing)}")
        text = "; ".join(parts) if parts else "nothing is missing"
        lines.append(f"- Base {base.number}: {text}.")
    lines += [
        f"- {name} on {base.replace('-', ' ')} was left out: {' '.join(reason.split())}"
        for (base, name), reason in failed.items()
    ]
    lines.append(f"- Not in the study: {ABSENT}.")
    lines.append(
        "- Views that swap facts are exact for stories like these, whose order does not change the sum. What "
        "they bring on questions of another form is not known from here."
    )
    lines.append(
        "- Not run: other models and other questions, LoRA, other algorithms than GRPO, and any search "
        "for the settings of an arm. Each has its published or default settings, the learning rate "
        "apart, which is that of the majority vote."
    )
    return ["\n".join(lines)]


def _share(found: Interval) -> str:
    """In percent: '72.8 [69.9, 75.7]'. Few seeds may reach beyond what a share can be."""
    bounds = found.supported.bounds or ()
    ends = ", ".join(f"{100 * min(1.0, max(0.0, bound)):.1f}" for bound in bounds)
    return f"{100 * found.value:.1f}{f' [{ends}]' if ends else ''}"
