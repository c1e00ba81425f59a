import subprocess
import sys

import ttrl


def test_public_names_are_sorted_and_there():
    assert ttrl.__all__ == sorted(ttrl.__all__)
    assert all(hasattr(ttrl, name) for name in ttrl.__all__)


def test_importing_the_package_and_its_command_line_does_not_import_torch():
    code = "import sys, ttrl, ttrl.cli.main, ttrl.cli.options; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
