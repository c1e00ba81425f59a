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


def test_runs_are_functions_whatever_was_imported_before():
    code = (
        "import ttrl, ttrl.runs.start, ttrl.training.loop, ttrl.evaluation.metrics\n"
        "names = ('train', 'evaluate', 'probe', 'study', 'sweep', 'report', 'vote')\n"
        "print({type(getattr(ttrl, name)).__name__ for name in names})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'function'}"
