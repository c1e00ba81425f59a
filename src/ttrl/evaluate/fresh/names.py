"""What `fresh` may name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ttrl.errors import ConfigError
from ttrl.evaluate.fresh.gym import GYM_TASKS

GENERATED, PERTURBED, GYM = "generated", "perturbed", "gym:"


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once.

    Raises:
        ConfigError: one that does not exist; the nearest one is offered.
    """
    known = [GENERATED, PERTURBED, *(GYM + task for task in GYM_TASKS)]
    for name in names:
        if name not in known:
            near = (
                [GYM + name] if GYM + name in known else difflib.get_close_matches(name, known, n=1)
            )
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"fresh={name}: no such questions.{hint} There are {GENERATED}, {PERTURBED} and these tasks "
                f"of reasoning-gym: {', '.join(known[2:])}."
            )
    return tuple(dict.fromkeys(names))


def set_name(name: str) -> str:
    """The set's: "gym:chain_sum" gives "fresh_chain_sum"."""
    return "fresh_" + name.removeprefix(GYM)
