"""The `ttrl` command. Commands are imported only when they run: --help never imports torch."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from ttrl.errors import EXIT_CONFIG, EXIT_DONE, EXIT_INTERRUPTED, TtrlError
from ttrl.threads import set_threads

COMMANDS = {
    "train": "improve a model on questions without labels",
    "probe": "predict whether a run would work, before starting it",
    "eval": "evaluate a model on questions",
    "study": "is the gain real? compare TTRL with an upper bound and controls, over seeds",
    "sweep": "how sensitive is a setting? a grid of runs in one table",
    "report": "write a run's report again, or compare several runs on one page",
    "export": "write a trained model as a folder for transformers or peft",
    "export-data": "write questions as files for another training engine",
    "vote": "vote on the completions in a file, without a model",
    "config": "show the resolved settings and where each one came from",
}
USAGE = (
    "usage: ttrl COMMAND [OPTION ...]\n\n"
    "Test-time reinforcement learning: a language model improves on unlabeled questions.\n\n"
    "commands:\n"
    + "".join(f"  {name:<11} {text}\n" for name, text in COMMANDS.items())
    + "\n`ttrl COMMAND --help` lists the options. Exit codes: 0 done, 2 bad usage or config,\n"
    "3 bad data, 4 bad model or checkpoint, 5 stopped by the guard (with results),\n"
    "6 loss not finite, 130 interrupted.\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] != ["config"]:  # which shows what would hold, and what was set
        set_threads(os.environ)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(USAGE, end="")
        return EXIT_DONE if arguments else EXIT_CONFIG
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"ttrl {version('ttrl')}")
        return EXIT_DONE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # questions come in every script, terminals do not
            stream.reconfigure(errors="backslashreplace")
    command = arguments[0]
    if command not in COMMANDS:
        print(f"ttrl: no command {command!r}; there are: {', '.join(COMMANDS)}.", file=sys.stderr)
        return EXIT_CONFIG
    try:
        module = importlib.import_module(f"ttrl.cli.{command.replace('-', '_')}_command")
        return int(module.run(arguments[1:]))
    except TtrlError as error:
        print(f"ttrl {command}: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone; nobody is left to read more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except KeyboardInterrupt:
        print(f"ttrl {command}: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
