"""`ttrl vote`: completions of any source in, pseudo-labels and rewards out. Needs no model and no torch."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from ttrl.cli.options import make_parser, parse
from ttrl.config import resolve
from ttrl.consensus.voting import vote_on_file
from ttrl.errors import EXIT_DONE

SUMMARY = (
    "Vote on completions: read JSON Lines (id, completion; or id, completions) and write one row per "
    "question with its pseudo-label, answers, classes and rewards. Input and output are streams."
)


def run(arguments: Sequence[str]) -> int:
    """Votes; returns the exit code."""
    given = parse(_parser(), arguments)
    file, unsorted = given.pop("file"), given.pop("unsorted", False)
    config = resolve(given).values
    started = time.perf_counter()
    totals = vote_on_file(file, config, out=config.out, unsorted=unsorted)
    seconds = time.perf_counter() - started
    if config.json_output:
        # Rows on standard output are not mixed with the summary.
        stream = sys.stderr if config.out is None else sys.stdout
        print(json.dumps(totals | {"seconds": seconds}), file=stream)
    else:
        print(
            f"{totals['questions']:,} questions, {totals['completions']:,} completions in {seconds:.1f} s: "
            f"majority ratio {totals['majority_ratio']:.3f}, {totals['tied']:,} tied, "
            f"{totals['without_label']:,} without a label, {totals['abstained']:,} completions without an "
            "answer",
            file=sys.stderr,
        )
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("vote", SUMMARY, usage="FILE [OPTION ...]")
    parser.add_argument("file", metavar="FILE", help="a .jsonl file, or - for standard input")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="a .jsonl or .csv file, written when it is complete; default: standard output",
    )
    parser.add_argument(
        "--unsorted",
        action="store_true",
        help="rows with the same id may be anywhere in the file; holds everything in memory",
    )
    return parser
