"""Whether the verl that is installed is the one that this adapter was made for."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version

from ttrl.errors import ConfigError

VERL = "0.9.1"
NEEDED = ("transfer_queue", "ray", "hydra")
"""What verl's trainer imports and its bare package does not bring, and what brings it up."""
REMEDY = "docs/verl.md says how to install it on GPUs; without any: pip install 'ttrl[verl]'"


def check_install() -> None:
    """Looks at what is installed without importing it: verl takes seconds.

    Raises:
        ConfigError: verl is missing, of another version, or without what its trainer needs.
    """
    try:
        found = version("verl")
    except PackageNotFoundError:
        raise ConfigError(f"verl is not installed, wanted verl {VERL}. {REMEDY}") from None
    if found != VERL:
        raise ConfigError(
            f"verl {found} is installed, wanted {VERL}: the adapter uses parts of its trainer that change "
            f"from version to version. {REMEDY}"
        )
    for module in NEEDED:
        if importlib.util.find_spec(module) is None:
            raise ConfigError(
                f"verl {found} is installed without {module}, which its trainer needs. {REMEDY}"
            )
