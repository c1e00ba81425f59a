"""`ttrl probe`: whether a run is worth starting, for one to three percent of its cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ttrl.cli.options import make_parser, parse
from ttrl.config import resolve
from ttrl.errors import EXIT_DONE
from ttrl.probing.result import probe_lines
from ttrl.recording.console import say
from ttrl.runs.probes import QUESTIONS, VOTES, carry_out_probe, probe_counts

SUMMARY = (
    "Predict whether test-time reinforcement learning will work with this model, these questions and "
    "these settings, from a few votes and two trial updates that are discarded. The verdict uses no "
    "labels, and nothing is written. The options are those of ttrl train."
)


def run(arguments: Sequence[str]) -> int:
    """Prints a verdict and its reasons; the exit code is 0 whatever the verdict."""
    parser = make_parser("probe", SUMMARY)
    own = parser.add_argument_group("Probe")
    own.add_argument("--probe-questions", metavar="N", help=f"questions to ask [{QUESTIONS}]")
    own.add_argument("--probe-votes", metavar="N", help=f"votes on each question [{VOTES}]")
    given = parse(parser, arguments)
    asked = given.pop("probe_questions", QUESTIONS), given.pop("probe_votes", VOTES)
    questions, votes = probe_counts(*asked, source="command line")
    config = resolve(given).values
    found = carry_out_probe(config, questions, votes, say=say)
    print("\n".join(probe_lines(found)), file=sys.stderr if config.json_output else sys.stdout)
    if config.json_output:
        print(json.dumps(found.to_json(), allow_nan=False))
    return EXIT_DONE
