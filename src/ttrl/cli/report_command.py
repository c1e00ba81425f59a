"""`ttrl report`: the report of a run once more, or one page that compares several runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ttrl.cli.options import make_parser, parse
from ttrl.errors import EXIT_DONE

SUMMARY = (
    "Write the report of a run, a study or a sweep again from its files, or one page that compares "
    "several runs. Nothing is trained or sampled."
)


def run(arguments: Sequence[str]) -> int:
    """Writes one page; returns the exit code."""
    given = parse(_parser(), arguments)

    from ttrl.evaluation.report.again import report_again

    out = Path(given["out"]) if "out" in given else None
    page, left_out = report_again([Path(name) for name in given["runs"]], out)
    as_json = given.get("json", False)
    for why in left_out:
        print(f"left out    {why}", file=sys.stderr)
    print(f"report      {page}", file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps({"report": str(page), "left_out": left_out}))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "report",
        SUMMARY,
        usage="RUN [RUN ...] [OPTION ...]",
        epilog="A page is one file that needs no network. Runs that differ only in their seed form one "
        "group; groups are compared question by question where their questions are the same.",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", help="folder of a `ttrl train`, or of one study or sweep"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the page; only a page of ttrl is ever overwritten [one run: report.html in its folder; "
        "several: comparison.html]",
    )
    return parser
