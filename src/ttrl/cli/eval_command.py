"""`ttrl eval`: how well a model answers questions, alone and by vote."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ttrl.cli.options import make_parser, parse
from ttrl.config import resolve
from ttrl.errors import EXIT_DONE
from ttrl.recording.evaluations import Evaluation
from ttrl.runs.start import evaluate_session, open_evaluation
from ttrl.runs.summary import level_lines, set_line

SUMMARY = (
    "Evaluate a model on questions: avg@k, maj@k and pass@k where true answers are known, "
    "and measures that need none."
)


def run(arguments: Sequence[str]) -> int:
    """Evaluates and prints each set, and returns the exit code."""
    resolved = resolve(parse(make_parser("eval", SUMMARY), arguments))
    config = resolved.values
    session = open_evaluation(resolved)
    if config.dry_run:
        if config.json_output:
            print(json.dumps({"config": resolved.as_dict(), "first_prompt": session.prompts[0]}))
        else:
            print(resolved.as_yaml())
            print(f"prompt      {session.prompts[0]!r}")
        return EXIT_DONE
    stream = sys.stderr if config.json_output else sys.stdout

    def show(done: Evaluation) -> None:
        lines = [set_line("eval", done.set, done.metrics), *level_lines(done.by_level)]
        if done.note is not None:
            lines.insert(1, f"      {done.note}")
        print("\n".join(lines), file=stream, flush=True)

    result = evaluate_session(session, resolved, show=show)
    if config.json_output:
        print(json.dumps(result.to_json()))
    return EXIT_DONE
