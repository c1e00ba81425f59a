"""The settings of a run, read from a config.yaml that somebody else may have written."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import yaml

from ttrl.evaluate.report.quantities import mapping
from ttrl.evaluate.report.run_files import MAX_DEPTH, RunFiles

MAX_LENGTH = 200_000
"""Characters of a config that is read. PyYAML takes a second for as many."""


def settings_of(run: RunFiles) -> Mapping[str, Any]:
    """The run's config by key, keys as texts; empty if it cannot be read. Not to be changed."""
    return _settings(run.config)


@functools.lru_cache(maxsize=64)
def _settings(config: str) -> Mapping[str, Any]:
    if len(config) > MAX_LENGTH:
        return {}
    try:
        return mapping(_plain(yaml.load(config, _PlainLoader), MAX_DEPTH))
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError):
        return {}


class _PlainLoader(yaml.SafeLoader):
    """Refuses what ttrl never writes: aliases, which grow without bound, and explicit tags."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "alias or tag", event.start_mark)
        return super().compose_node(parent, index)


def _plain(value: object, room: int) -> object:
    """As JSON has it: keys are texts, and what is no number, text or truth value is one too.

    Raises:
        ValueError: nested deeper than `room`, or a number that is too long to be told.
    """
    if room < 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {str(key): _plain(each, room - 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, room - 1) for each in value]
    if isinstance(value, int) and value.bit_length() > 1000:  # hexadecimal ones may be very long
        raise ValueError("a very large number")
    return value if isinstance(value, str | int | float | None) else str(value)
