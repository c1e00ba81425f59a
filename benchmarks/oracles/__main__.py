"""Shows that a change of the inside changed nothing: the same runs, keys of answers and pages as before.

    python -m benchmarks.oracles [keys] [pages] [runs] [--against REV] [--trl-python PATH]
    python -m benchmarks.oracles --show FOLDER

Everything is compared with a reference, compressed in benchmarks/oracles/reference: what 0.6.0 said, and
what was meant to change since. CHANGELOG.md explains each such change, under "Changed" or "Changed results".

    keys    canonical keys of about 20,000 spellings, and votes on groups of completions; a minute
    pages   sentences, table rows and chart data of the pages about stored runs; a minute
    runs    weights, votes, metrics and records of short runs of many kinds; about three minutes

Bits of weights depend on the kind of processor and on torch, so the reference of `runs` says where it
was made. On another kind of machine, and with --against, the revision is checked out beside this one
and asked the same questions here and now. Exit code 1 and a line for each difference, or 0.

--update writes the references anew. That is for a change that CHANGELOG.md explains, in a commit of its
own, and never for a refactoring. --show prints the sentences and tables of a run, a study or a page.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Protocol

from benchmarks.oracles import against, keys, pages, runs


class Part(Protocol):
    """What can be recorded in any place and compared with the reference."""

    def record(self) -> Any: ...
    def reference(self) -> Any: ...
    def compare(self, before: Any, after: Any) -> list[str]: ...
    def told(self, content: Any) -> str: ...
    def update(self) -> str: ...


PARTS: dict[str, Part] = {"keys": keys, "pages": pages}
NAMES = (*PARTS, "runs")
MEANT = (
    'If that is meant, explain it in CHANGELOG.md, under "Changed" or "Changed results", and write the '
    "reference anew in a commit of its own: --update."
)


def main() -> int:
    """The exit code: 0 where nothing differs, 1 where something does."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.oracles",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
        usage="%(prog)s [PART ...] [OPTION ...]",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="keys, pages or runs [all]")
    parser.add_argument("--against", metavar="REV", help="ask this revision, not the reference")
    parser.add_argument("--trl-python", metavar="PATH", help="Python of an environment with TRL")
    parser.add_argument("--only", metavar="RUN", nargs="+", help="of the runs, these only")
    parser.add_argument("--update", action="store_true", help="write the references anew")
    parser.add_argument("--show", metavar="FOLDER", type=Path, help="print what a page says")
    parser.add_argument("--record", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.show is not None:
        print("\n".join(pages.show(args.show)))
        return 0
    names = args.parts or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
    if args.record is not None:
        args.record.write_text(json.dumps(PARTS[names[0]].record()), "utf-8")
        return 0
    differ = [name for name in names if not _is_same(name, args)]
    print(f"\nDIFFERS: {', '.join(differ)}\n{MEANT}" if differ else "\nNothing differs.")
    return 1 if differ else 0


def _is_same(name: str, args: argparse.Namespace) -> bool:
    """Whether a part says what it said before. An update always does."""
    print(f"{name}:", flush=True)
    if name == "runs":
        if args.update:
            lines = runs.update(args.trl_python)
            print("\n".join(lines))
            return True
        lines = runs.check(args.against, trl_python=args.trl_python, only=args.only)
    else:
        part = PARTS[name]
        if args.update:
            print(part.update())
            return True
        before = against.recorded(name, args.against) if args.against else part.reference()
        print(f"  {part.told(before)}, of {args.against or 'the reference'}", flush=True)
        lines = part.compare(before, part.record())
    print("\n".join(lines or ["  nothing differs"]), flush=True)
    return not lines


if __name__ == "__main__":
    sys.exit(main())
