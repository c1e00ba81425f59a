"""Runs, evaluations, studies and probes as values: what the commands do, without their command line."""

from ttrl.runs.probes import probe
from ttrl.runs.start import evaluate, report, train
from ttrl.runs.studies import study
from ttrl.runs.sweeps import sweep

__all__ = ["evaluate", "probe", "report", "study", "sweep", "train"]
