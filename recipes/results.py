"""Makes docs/results.md and docs/results.svg: `ttrl study` on three pretraining seeds of the embedded model.

    for s in 1 2; do python recipes/pretrain_embedded.py --seed $s --out runs/bases/seed-$s; done
    python recipes/results.py --bases runs/bases/seed-1 runs/bases/seed-2 --out runs/results --jobs 2

The shipped model, pretraining seed 0, gets five seeds of TTRL and of training on true answers: the study of
the README. Its controls are a study of their own with three seeds. The others get TTRL and the base alone,
to show how much depends on the prior. A study that is there already is gone on with.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TWO_SETS = ("--eval-sets", "unlabeled", "heldout")
SHIPPED = (
    *(
        "--arms",
        "ttrl",
        "leakage",
        "--seeds",
        *"01234",
        "--fresh",
        "perturbed",
        "--fresh-count",
        "256",
    ),
    *(*TWO_SETS, "fresh_perturbed"),
)
CONTROLS = ("--arms", "ttrl", "random", "format", *TWO_SETS)
OTHERS = ("--arms", "ttrl", *TWO_SETS)


def study(arguments: Sequence[str], out: Path, jobs: int) -> None:
    """A new study, or what is left of one."""
    begun = (out / "manifest.json").exists()
    options = ["--resume", str(out)] if begun else [*arguments, "--out", str(out)]
    command = [sys.executable, "-m", "ttrl", "study", *options, "--jobs", str(jobs)]
    print(" ".join(command[2:]), flush=True)
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(code)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=Path, nargs="*", default=[], help="other pretraining seeds")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args()

    studies = {"shipped": ("The shipped base", SHIPPED), "controls": ("Its controls", CONTROLS)}
    for base in args.bases:
        title = f"Pretraining {base.name.replace('-', ' ')}"
        studies[base.name] = (title, ("--model", str(base), *OTHERS))
    parts = []
    for name, (title, options) in studies.items():
        study(options, args.out / name, args.jobs)
        parts.append(f"## {title}\n\n{(args.out / name / 'results.md').read_text('utf-8')}")
    (args.docs / "results.md").write_text("# Results\n\n" + "\n".join(parts), "utf-8")
    figure = (args.out / "shipped" / "figure.svg").read_text("utf-8")
    (args.docs / "results.svg").write_text(figure, "utf-8")


if __name__ == "__main__":
    main()
