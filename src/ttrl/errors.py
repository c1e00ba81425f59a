"""Defines one tree of errors. Every message says where, what was got, what was wanted and how to fix it."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_CONFIG = 2
EXIT_DATA = 3
EXIT_MODEL = 4
EXIT_GUARD = 5
"""The guard ended the run; its results are there."""
EXIT_NUMERICS = 6
EXIT_INTERRUPTED = 130


class TtrlError(Exception):
    """An error that the user can fix. `exit_code` is the exit code of the command."""

    exit_code = EXIT_CONFIG


class ConfigError(TtrlError, ValueError):
    """Usage is wrong: an unknown option, a bad value, or values that contradict each other."""

    exit_code = EXIT_CONFIG


class DataError(TtrlError, ValueError):
    """A question or answer file cannot be read, or does not fit the model."""

    exit_code = EXIT_DATA


class ModelError(TtrlError, RuntimeError):
    """A model cannot be found, loaded or run."""

    exit_code = EXIT_MODEL


class CheckpointError(TtrlError, RuntimeError):
    """A run directory or checkpoint is missing, broken, of another run, or cannot be written."""

    exit_code = EXIT_MODEL


class NumericsError(TtrlError, ArithmeticError):
    """A loss or gradient is not finite. Raised before the weights change."""

    exit_code = EXIT_NUMERICS
