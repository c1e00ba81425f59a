import importlib.util
import subprocess
import sys

import pytest

from ttrl.errors import ConfigError
from ttrl.overlays import pins
from ttrl.overlays.pins import VERL

HERE = importlib.util.find_spec("verl") is not None


@pytest.fixture
def verl(monkeypatch):
    """`verl(version, *missing)`: as if that version were installed, without these modules."""

    def arrange(version, *missing):
        monkeypatch.setattr(pins.metadata, "version", lambda name: version)
        monkeypatch.setattr(
            pins.importlib.util, "find_spec", lambda name: None if name in missing else object()
        )

    return arrange


def test_the_pinned_version_passes(verl):
    verl("0.9.1")
    VERL.check()


@pytest.mark.parametrize("version", ["0.9.0", "0.9.1.post1", "1.0.0"])
def test_another_version_is_refused_with_both_and_the_command_that_mends_it(verl, version):
    verl(version)
    with pytest.raises(
        ConfigError, match=rf"verl {version} is installed, wanted 0\.9\.1.*pip install"
    ):
        VERL.check()


def test_what_the_trainer_needs_beside_verl_is_named(verl):
    verl("0.9.1", "transfer_queue")
    with pytest.raises(ConfigError, match=r"without transfer_queue.*pip install"):
        VERL.check()


@pytest.mark.skipif(HERE, reason="verl is installed")
def test_the_launcher_without_verl_ends_with_2_and_one_message():
    command = [sys.executable, "-m", "ttrl.overlays.verl.main", "+ttrl.task=math"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert (
        done.stderr.startswith("ttrl verl: verl is not installed") and "pip install" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_what_needs_no_verl_imports_neither_torch_nor_transformers():
    """So that it works beside the versions that verl pins for its GPU engines."""
    names = (
        "batch_vote",
        "checks",
        "rows",
    )
    code = "import sys, " + ", ".join(f"ttrl.overlays.verl.{name}" for name in names)
    code += "; print(sorted({'torch', 'transformers', 'peft', 'verl', 'ray'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
