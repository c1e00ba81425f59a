"""Merges settings. Precedence: defaults < YAML files, left to right < environment < command line.

One flat set of keys: the key `votes_per_question` of a YAML file is the option `--votes-per-question`
and the variable `TTRL_VOTES_PER_QUESTION`.
"""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ttrl.algorithm_settings import ALGORITHM_KEYS, ALGORITHM_SETTINGS
from ttrl.config.checks import check_together
from ttrl.config.settings import INVOCATION_KEYS, KEYS, RunConfig, algorithm_row
from ttrl.errors import ConfigError

ENVIRONMENT_PREFIX = "TTRL_"
YAML_ERRORS = (yaml.YAMLError, RecursionError, ValueError, AttributeError, LookupError)
"""What PyYAML raises for a text that is no YAML: the last three for values such as 2024-13-45 and !!int."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """A valid config with the source of each value."""

    values: RunConfig
    sources: Mapping[str, str]
    given: frozenset[str]
    """Keys that were set; the rest are defaults."""

    def as_dict(self, *, invocation: bool = True) -> dict[str, Any]:
        """Returns plain values by key, as in YAML and JSON."""
        dumped = self.values.model_dump(mode="json", by_alias=True)
        return {k: v for k, v in dumped.items() if invocation or k not in INVOCATION_KEYS}

    def as_yaml(self) -> str:
        """Returns the text of a run directory's `config.yaml`, which repeats the run to the same bits."""
        return str(
            yaml.safe_dump(self.as_dict(invocation=False), sort_keys=False, allow_unicode=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """All settings from all sources, before they are checked."""

    merged: Mapping[str, Any]
    sources: Mapping[str, str]
    """The source of each key in `merged`."""
    own: frozenset[str]
    """Keys that were set by more than a preset."""
    beside: Mapping[str, Any]
    """Values of keys that belong to the command, not to a run."""


def resolve(
    command_line: Mapping[str, Any], *, environment: Mapping[str, str] | None = None
) -> ResolvedConfig:
    """Merges the layers and returns the validated config.

    Args:
        command_line: only what was given, by key; values may be strings.
        environment: `os.environ` when left out.

    Raises:
        ConfigError: an unknown key (the nearest name is offered), a bad value, a contradiction, a bad file.
    """
    return settle(read_layers(command_line, environment=environment))


def settle(layers: Layers, *, below: Mapping[str, Any] | None = None) -> ResolvedConfig:
    """Validates layers and returns the resolved config.

    Args:
        below: values that all layers lie on instead of defaults: those of a run that is resumed.

    Raises:
        ConfigError: a bad value, or a contradiction.
    """
    sources = dict(layers.sources)
    merged = {k: v for k, v in (below or {}).items() if v is not None} | dict(layers.merged)
    # A preset serves all algorithms, and a run that is resumed may be asked for another by mistake.
    for key in ALGORITHM_KEYS - algorithm_row(merged).keys() - layers.own:
        merged.pop(key, None)
        sources.pop(key, None)
    for key, value in merged.items():
        if isinstance(value, bool) and not KEYS[key].is_switch:
            raise ConfigError(f"{sources[key]}: {key}={value}: wanted a value, not yes or no.")
    try:
        config = RunConfig(**merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None
    check_together(config, sources)
    return ResolvedConfig(
        values=config,
        given=frozenset(sources),
        sources={key: sources.get(key) or _default_of(key, config) for key in KEYS},
    )


def read_layers(
    command_line: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    command_keys: Collection[str] = (),
    source: str = "command line",
) -> Layers:
    """Reads YAML files, environment and command line; each file is read once, since it may be a pipe.

    Args:
        command_keys: further keys that the command reads itself, by the same precedence.
        source: what messages call the place where `command_line` was given.

    Raises:
        ConfigError: an unknown key, or a bad file.
    """
    environment = os.environ if environment is None else environment
    merged: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    sources: dict[str, str] = {}
    own: set[str] = set()

    def lay(values: Mapping[str, Any], source: str, *, preset: bool = False) -> None:
        for key, value in values.items():
            if key in command_keys:
                beside[key] = value
                continue
            if key not in KEYS:
                raise ConfigError(_unknown(key, source, (*KEYS, *command_keys)))
            merged[key] = value
            sources[key] = source
            if not preset:
                own.add(key)

    from_environment = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    files = command_line.get("config") or from_environment.get("config") or ()
    if isinstance(files, str):
        files = tuple(part for part in files.split(",") if part)
    for file in files:
        for path, values in _read_with_includes(file, ()):
            lay(values, path, preset=_is_preset(path))
    lay(from_environment, "environment")
    lay(command_line, source)
    if files:
        merged["config"] = files
    return Layers(merged=merged, sources=sources, own=frozenset(own), beside=beside)


def _default_of(key: str, config: RunConfig) -> str:
    if key not in ALGORITHM_KEYS:
        return "default"
    read = key in ALGORITHM_SETTINGS[config.algorithm]
    return f"default of {config.algorithm}" if read else f"not read by {config.algorithm}"


def _read_with_includes(file: str, above: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The file's values, after those of the files that its own `config` key names."""
    if any(os.path.realpath(file) == os.path.realpath(other) for other in above):
        raise ConfigError(f"config file {file} includes itself ({' > '.join((*above, file))}).")
    values = _read_yaml(file)
    included = values.get("config") or ()
    names = [included] if isinstance(included, str) else included
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"config file {file}: config={included!r}: wanted a file or a list of files."
        )
    layers = []
    for name in names:
        beside = Path(file).parent / name
        inner = str(beside) if beside.exists() else name
        layers += _read_with_includes(inner, (*above, file))
    return [*layers, (file, values)]


def _preset(name: str) -> Traversable:
    return importlib.resources.files("ttrl") / "presets" / f"{name}.yaml"


def _is_preset(file: str) -> bool:
    """Built in; a file of that name wins."""
    return not Path(file).exists() and file.isidentifier() and _preset(file).is_file()


def _read_yaml(file: str) -> dict[str, Any]:
    try:
        text = (_preset(file) if _is_preset(file) else Path(file)).read_text("utf-8")
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {file} cannot be read: {error}.") from None
    except YAML_ERRORS as error:
        raise ConfigError(f"config file {file} is not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(
            f"config file {file} holds a {type(values).__name__}; wanted lines like 'steps: 40'."
        )
    return values


def _unknown(key: str, source: str, known: Sequence[str]) -> str:
    """In the spelling of where it was found."""

    def spelled(name: str) -> str:
        if source == "environment":
            return ENVIRONMENT_PREFIX + name.upper()
        return "--" + name.replace("_", "-") if source == "command line" else name

    near = difflib.get_close_matches(key.replace("-", "_"), known, n=1, cutoff=0.5)
    hint = f" Did you mean {spelled(near[0])}?" if near else ""
    return f"{source}: unknown key {spelled(key)!r}.{hint} `ttrl config` lists every key."


def _near(got: object, choices: str) -> str:
    """Asks for the nearest of the choices, which stand in quotes."""
    near = difflib.get_close_matches(str(got), re.findall(r"'([^']*)'", choices), n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else "config"
        got = problem.get("input")
        near = _near(got, str(problem.get("ctx", {}).get("expected", "")))
        place = sources.get(key, "default")
        lines.append(f"{place}: {key}={got!r}: {problem['msg'].lower()}.{near}")
    return "\n".join(lines) + "\n`ttrl config` shows every key with its value and source."
