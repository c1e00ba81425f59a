"""Runs and evaluations as values: what the commands do, without their command line."""

from ttrl.runs.start import evaluate, report, train

__all__ = ["evaluate", "report", "train"]
