"""The command line is made from the config: each key is an option of the commands that read it."""

from __future__ import annotations

import argparse
import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn, get_args

from ttrl.algorithm_settings import ALGORITHM_SETTINGS, readers_of
from ttrl.config import KEYS, Key, keys_read_by
from ttrl.errors import ConfigError


class _Parser(argparse.ArgumentParser):
    """Errors rise as ConfigError instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}. See {self.prog} --help.")


def make_parser(
    command: str,
    summary: str,
    *,
    usage: str = "[OPTION ...]",
    epilog: str = "Every option is also a key of the YAML files of --config and a TTRL_... variable.",
) -> argparse.ArgumentParser:
    """Returns a parser with an option for each key that the command reads.

    What was not given does not appear in its result. An option that the command adds replaces one of the
    same name, so that it can describe a key in its own words.
    """
    parser = _Parser(
        prog=f"ttrl {command}",
        description=summary,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=34, width=100),
        usage=f"ttrl {command} {usage}",
        epilog=epilog,
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    sections: dict[str, Any] = {}
    for key in map(KEYS.__getitem__, keys_read_by(command)):
        if key.group not in sections:
            sections[key.group] = parser.add_argument_group(key.group)
        _add_option(sections[key.group], key)
    return parser


def _add_option(section: Any, key: Key) -> None:
    flag, text = "--" + key.name.replace("_", "-"), key.help.replace("%", "%%")
    if key.is_switch:
        section.add_argument(flag, dest=key.name, action="store_true", help=text)
    elif key.is_list:
        section.add_argument(flag, dest=key.name, nargs="+", metavar="TEXT", help=text)
    else:
        shown = f" [{key.default}]" if key.default is not None else _own_defaults(key.name)
        metavar = _metavar(key.annotation)
        section.add_argument(flag, dest=key.name, metavar=metavar, help=text + shown)


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    """Returns the given options by config key.

    Raises:
        ConfigError: an option that does not exist; the nearest one is named.
    """
    values, unknown = parser.parse_known_args(arguments)
    given = vars(values)
    if unknown and unknown[0].startswith("--"):
        raise ConfigError(_unknown_option(parser, unknown[0].removeprefix("--").partition("=")[0]))
    if unknown:
        raise ConfigError(
            f"unexpected argument {unknown[0]!r}; options are written --name value. "
            f"See {parser.prog} --help."
        )
    return given


def _unknown_option(parser: argparse.ArgumentParser, name: str) -> str:
    """The nearest option of this command, or the command whose option it is."""
    spelled = name.replace("_", "-")
    options = [flag for action in parser._actions for flag in action.option_strings]
    if spelled.replace("-", "_") in KEYS and f"--{spelled}" not in options:
        hint = "It is an option of ttrl train."
    elif near := difflib.get_close_matches(f"--{spelled}", options, n=1, cutoff=0.5):
        hint = f"Did you mean {near[0]}?"
    else:
        hint = f"See {parser.prog} --help."
    keys = " `ttrl config` lists every key." if "--config" in options else ""
    return f"command line: unknown key '--{name}'. {hint}{keys}"


def _own_defaults(key: str) -> str:
    """Defaults of the algorithms that read the key: the most frequent one, then the others by name."""
    readers = readers_of(key)
    if not readers:
        return ""
    defaults = {name: ALGORITHM_SETTINGS[name][key] for name in readers}
    usual = Counter(defaults.values()).most_common(1)[0][0]
    others = [f"{name} {value}" for name, value in defaults.items() if value != usual]
    listed = "; ".join([str(usual), *others])
    few = len(readers) < len(ALGORITHM_SETTINGS) - 1
    return f" [{listed}] ({', '.join(readers)} only)" if few else f" [{listed}]"


def _metavar(annotation: Any) -> str:
    if literals := get_args(annotation):
        if all(isinstance(value, str) for value in literals):
            return "{" + ",".join(literals) + "}"
        return _metavar(literals[0])
    return {int: "N", float: "X"}.get(annotation, "TEXT")
