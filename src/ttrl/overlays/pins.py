"""Pins the versions of other engines that are known to work, since their hooks move between versions."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata

from packaging.version import InvalidVersion, Version

from ttrl.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One engine and the versions that the adapter was tested with."""

    package: str
    extra: str
    at_least: tuple[int, ...]
    below: tuple[int, ...] | None = None
    """None allows `at_least` alone, to the letter."""
    needs: tuple[str, ...] = ()
    """Modules that its trainer imports and its bare package does not bring."""
    guide: str = ""
    """Where to read how it is installed, if that takes more than pip."""

    def check(self) -> str:
        """Looks at what is installed without importing it, since engines take seconds; returns the version.

        Raises:
            ConfigError: it is missing, another version than the adapter was tested with, or without a module
                that it needs.
        """
        mend = self.guide or (
            f"Install it with: pip install 'ttrl[{self.extra}]' (or '{self.wanted}')."
        )
        try:
            installed = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise ConfigError(
                f"{self.package} is not installed, wanted {self.wanted}. {mend}"
            ) from None
        if not self._allows(installed):
            raise ConfigError(
                f"{self.package} {installed} is installed, wanted {self.wanted}: the adapter uses hooks that "
                f"move between versions. {mend}"
            )
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                raise ConfigError(
                    f"{self.package} {installed} is installed without {module}, which its trainer needs. "
                    f"{mend}"
                )
        return installed

    @property
    def wanted(self) -> str:
        """Returns the versions as pip would be told, or the only one."""
        if self.below is None:
            return _spelled(self.at_least)
        return f"{self.package}>={_spelled(self.at_least)},<{_spelled(self.below)}"

    def _allows(self, installed: str) -> bool:
        if self.below is None:
            return installed == self.wanted
        try:
            release = Version(installed).release  # that of a release candidate is the release's
        except InvalidVersion:
            return False
        return self.at_least <= release < self.below


TRL = Pin(package="trl", extra="trl", at_least=(1, 16), below=(1, 17))
VERL = Pin(
    package="verl",
    extra="verl",
    at_least=(0, 9, 1),
    needs=("transfer_queue", "ray", "hydra"),
    guide="docs/verl.md says how to install it on GPUs; without any: pip install 'ttrl[verl]'",
)


def _spelled(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
