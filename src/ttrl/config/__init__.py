"""The settings of a run: `settings` has the keys, `layers` their sources, `checks` their contradictions."""

from ttrl.config.layers import (
    ENVIRONMENT_PREFIX,
    YAML_ERRORS,
    Layers,
    ResolvedConfig,
    read_layers,
    resolve,
    settle,
)
from ttrl.config.settings import (
    INVOCATION_KEYS,
    KEYS,
    Key,
    ReportTo,
    RunConfig,
    key_names,
    keys_of_groups,
    keys_read_by,
)

__all__ = [
    "ENVIRONMENT_PREFIX", "INVOCATION_KEYS", "KEYS", "YAML_ERRORS", "Key", "Layers", "ReportTo",
    "ResolvedConfig", "RunConfig", "key_names", "keys_of_groups", "keys_read_by", "read_layers",
    "resolve", "settle",
]  # fmt: skip
