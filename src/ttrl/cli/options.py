"""The command line is made from the config: each key is an option, and values are checked in one place."""

from __future__ import annotations

import argparse
import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NoReturn, get_args, get_origin

from ttrl.algorithm_settings import ALGORITHM_SETTINGS, readers_of
from ttrl.config import RunConfig, group_of, key_names
from ttrl.errors import ConfigError

EVAL_GROUPS = ("Model", "Questions", "Consensus", "Sampling", "Evaluation", "Run")
REWARD_KEYS = frozenset(
    {
        "reward",
        "similarity_threshold",
        "confidence_temperature",
        "selective_share",
        "selective_margin",
        "selective_negative",
        "selective_entropy",
    }
)
NOT_FOR_EVAL = REWARD_KEYS | {
    "temperature",
    "top_p",
    "top_k",
    "resume",
    "report_to",
    "checkpoint_every",
    "base_evaluations",
}
"""Keys of those groups that only training reads."""


class _Parser(argparse.ArgumentParser):
    """Errors rise as ConfigError instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}. See {self.prog} --help.")


def make_parser(
    command: str,
    summary: str,
    *,
    groups: Sequence[str] | None = None,
    without: Collection[str] = (),
) -> argparse.ArgumentParser:
    """A parser with one option per config key; nothing that was not given appears in its result."""
    parser = _Parser(
        prog=f"ttrl {command}",
        description=summary,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=34, width=100),
        usage=f"ttrl {command} [OPTION ...]",
        epilog="Every option is also a key of the YAML files of --config and a TTRL_... variable.",
        allow_abbrev=False,
    )
    sections: dict[Any, Any] = {}
    for name, field in RunConfig.model_fields.items():
        group = group_of(field)
        if name in without or (groups is not None and group not in groups):
            continue
        section = sections.setdefault(group, parser.add_argument_group(group))
        key = field.alias or name
        flag = "--" + key.replace("_", "-")
        text = str(field.description).replace("%", "%%")
        if field.annotation is bool:
            section.add_argument(flag, dest=key, action="store_true", help=text)
        elif get_origin(field.annotation) is tuple:
            section.add_argument(flag, dest=key, nargs="+", metavar="TEXT", help=text)
        else:
            shown = f" [{field.default}]" if field.default is not None else _own_defaults(key)
            section.add_argument(
                flag, dest=key, metavar=_metavar(field.annotation), help=text + shown
            )
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    """What was given, by config key.

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
    if spelled.replace("-", "_") in key_names() and f"--{spelled}" not in options:
        hint = "It is an option of ttrl train."
    elif near := difflib.get_close_matches(f"--{spelled}", options, n=1, cutoff=0.5):
        hint = f"Did you mean {near[0]}?"
    else:
        hint = f"See {parser.prog} --help."
    keys = " `ttrl config` lists every key." if "--config" in options else ""
    return f"command line: unknown key '--{name}'. {hint}{keys}"


def _own_defaults(key: str) -> str:
    """Those of the algorithms that read the key: the most frequent one, then who has another."""
    readers = readers_of(key)
    if not readers:
        return ""
    defaults = {name: ALGORITHM_SETTINGS[name][key] for name in readers}
    usual = Counter(defaults.values()).most_common(1)[0][0]
    others = [f"{name} {value}" for name, value in defaults.items() if value != usual]
    told = "; ".join([str(usual), *others])
    few = len(readers) < len(ALGORITHM_SETTINGS) - 1
    return f" [{told}] ({', '.join(readers)} only)" if few else f" [{told}]"


def _metavar(annotation: Any) -> str:
    if literals := get_args(annotation):
        if all(isinstance(value, str) for value in literals):
            return "{" + ",".join(literals) + "}"
        return _metavar(literals[0])
    return {int: "N", float: "X"}.get(annotation, "TEXT")
