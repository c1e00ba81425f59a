"""Runs, evaluations, studies and probes as values: what the commands do, without their command line."""
