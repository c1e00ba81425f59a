"""`ttrl config`: the resolved settings, as YAML that runs again, with the source of each value."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import yaml

from ttrl.cli.options import make_parser, parse
from ttrl.config import INVOCATION_KEYS, resolve
from ttrl.threads import thread_settings


def run(arguments: Sequence[str]) -> int:
    """Prints one line per key: its value, then its source as a comment. Threads are comments too."""
    parser = make_parser("config", "Show the resolved settings and where each value came from.")
    resolved = resolve(parse(parser, arguments))
    threads = thread_settings(os.environ)
    if resolved.values.json_output:
        values = resolved.as_dict()
        found = {key: (values[key], resolved.sources[key]) for key in values} | threads
        print(
            json.dumps({key: {"value": v, "source": source} for key, (v, source) in found.items()})
        )
        return 0
    # Where the output cannot hold a character, YAML's own escape keeps the value.
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    for key, value in resolved.as_dict().items():
        if key not in INVOCATION_KEYS:
            line = yaml.safe_dump(
                {key: value}, default_flow_style=True, allow_unicode=unicode, width=10**9
            )
            print(f"{line.strip()[1:-1]:<40}  # {resolved.sources[key]}")
    for key, (value, source) in threads.items():
        print(f"# {key}={value:<{39 - len(key)}}# {source}")
    return 0
