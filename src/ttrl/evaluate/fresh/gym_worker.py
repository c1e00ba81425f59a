"""Runs in a process of its own: makes the items of one reasoning-gym task and prints them as JSON.

The only file that imports reasoning_gym, which is slow to import, changes with PYTHONHASHSEED in some
tasks and never ends in others. It imports nothing of ttrl.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(name: str, options: dict[str, Any]) -> None:
    """Prints [[question, answer], ...]."""
    import reasoning_gym

    items = reasoning_gym.create_dataset(name, **options)
    made = [[items[index]["question"], items[index]["answer"]] for index in range(options["size"])]
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
