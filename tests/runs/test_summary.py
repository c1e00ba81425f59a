import pytest

from ttrl.recording.results import RunResult
from ttrl.runs.summary import summary_lines

COSTS = {"wall_seconds": 1.0, "sampled_tokens": 2, "peak_rss_bytes": 2**30}


@pytest.mark.parametrize(
    ("stopped", "steps", "line"),
    [
        ("all steps done", 60, "all steps done (after 60 steps)."),
        ("guard: KL 0.2 (limit 0.1)", 1, "guard: KL 0.2 (limit 0.1) (after 1 step)."),
    ],
)
def test_a_run_ends_with_the_reason_and_the_number_of_its_steps(stopped, steps, line):
    first, *_ = summary_lines(RunResult(stopped=stopped, steps=steps, costs=COSTS, weights="w"))
    assert first.strip() == line
