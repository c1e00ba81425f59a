from __future__ import annotations

from importlib import metadata

import pytest

from ttrl.errors import ConfigError
from ttrl.overlays.pins import TRL, Pin

PIN = Pin(package="some-engine", extra="some", at_least=(1, 16), below=(1, 17))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """`installed("1.2")`: that version is there; None: the package is missing."""

    def arrange(version: str | None) -> None:
        def found(package: str) -> str:
            assert package == "some-engine"
            if version is None:
                raise metadata.PackageNotFoundError(package)
            return version

        monkeypatch.setattr(metadata, "version", found)

    return arrange


@pytest.mark.parametrize("version", ["1.16", "1.16.0", "1.16.12", "1.16.0.dev0", "1.16.1+cu130"])
def test_the_tested_versions_pass(installed, version: str) -> None:
    installed(version)
    assert PIN.check() == version


@pytest.mark.parametrize(
    "version", ["1.15.9", "1.17", "1.17.0rc1", "2.0", "0.16.5", "1", "unknown"]
)
def test_another_version_is_refused_with_both_and_the_command_that_mends_it(
    installed, version: str
) -> None:
    installed(version)
    with pytest.raises(ConfigError) as refused:
        PIN.check()
    message = str(refused.value)
    assert message.startswith(
        f"some-engine {version} is installed, wanted some-engine>=1.16,<1.17:"
    )
    assert "pip install 'ttrl[some]'" in message


def test_a_missing_engine_is_told_with_the_command_that_installs_it(installed) -> None:
    installed(None)
    with pytest.raises(
        ConfigError, match=r"some-engine is not installed.*pip install 'ttrl\[some\]'"
    ):
        PIN.check()


def test_the_pin_of_trl_is_that_of_the_extra(pytestconfig: pytest.Config) -> None:
    import tomllib

    extras = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text("utf-8"))
    (line,) = [
        line
        for line in extras["project"]["optional-dependencies"][TRL.extra]
        if line.startswith(f"{TRL.package}>")
    ]
    low, high = (".".join(map(str, version)) for version in (TRL.at_least, TRL.below))
    assert line == f"{TRL.package}>={low},<{high}"
