"""Starts verl with the trainer `ttrl`: `python -m ttrl.overlays.verl.main OVERRIDE ...`.

The overrides are those of `python -m verl.trainer.main_ppo`, and `+ttrl.KEY=VALUE` for the vote.
"""

from __future__ import annotations

import sys

from ttrl.errors import TtrlError
from ttrl.overlays.pins import VERL


def main() -> int:
    """Runs verl; returns the exit code."""
    try:
        VERL.check()
    except TtrlError as error:
        print(f"ttrl verl: {error}", file=sys.stderr)
        return error.exit_code
    from ttrl.overlays.verl.launch import launch

    launch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
