"""Which versions of other engines are known to work. Their hooks move between minor versions."""

from __future__ import annotations

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
    below: tuple[int, ...]

    def check(self) -> str:
        """The installed version.

        Raises:
            ConfigError: it is missing, or another one than the adapter was tested with.
        """
        wanted = f"{self.package}>={_spelled(self.at_least)},<{_spelled(self.below)}"
        mend = f"Install it with: pip install 'ttrl[{self.extra}]' (or '{wanted}')."
        try:
            installed = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise ConfigError(f"{self.package} is not installed, wanted {wanted}. {mend}") from None
        if not self.at_least <= _release(installed) < self.below:
            raise ConfigError(
                f"{self.package} {installed} is installed, wanted {wanted}: the adapter uses hooks that move "
                f"between versions. {mend}"
            )
        return installed


TRL = Pin(package="trl", extra="trl", at_least=(1, 16), below=(1, 17))


def _release(version: str) -> tuple[int, ...]:
    """That of a release candidate is the release's; () of what is no version."""
    try:
        return Version(version).release
    except InvalidVersion:
        return ()


def _spelled(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
