"""One tree of errors. Every message says where, what was got, what was wanted and how to mend it."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_CONFIG = 2
EXIT_DATA = 3
EXIT_MODEL = 4
EXIT_NUMERICS = 6
EXIT_INTERRUPTED = 130


class TtrlError(Exception):
    """Anything the user can mend. `exit_code` is what the command ends with."""

    exit_code = EXIT_CONFIG


class ConfigError(TtrlError, ValueError):
    """Bad usage, an unknown option, or values that contradict each other."""

    exit_code = EXIT_CONFIG


class DataError(TtrlError, ValueError):
    """A question or answer file that cannot be read as one."""

    exit_code = EXIT_DATA


class ModelError(TtrlError, RuntimeError):
    """A model that cannot be found, loaded or run."""

    exit_code = EXIT_MODEL


class CheckpointError(TtrlError, RuntimeError):
    """A run directory or checkpoint that is missing, broken, of another run, or cannot be written."""

    exit_code = EXIT_MODEL


class NumericsError(TtrlError, ArithmeticError):
    """A loss or gradient that is not finite. Raised before the weights change."""

    exit_code = EXIT_NUMERICS
