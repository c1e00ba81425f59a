import json
import math

from ttrl.recording.trackers.fan_out import flat_summary


def test_numbers_of_sets_are_named_by_their_path_and_texts_are_left_out():
    result = {
        "name": "r",
        "steps": 3,
        "sets": {"heldout": {"final": {"avg@4": 0.5, "avg@4_ci": [0.25, 1], "voted": True}}},
        "stopped": "all steps done",
    }
    assert flat_summary(result) == {
        "steps": 3.0,
        "sets/heldout/final/avg@4": 0.5,
        "sets/heldout/final/avg@4_ci/low": 0.25,
        "sets/heldout/final/avg@4_ci/high": 1.0,
    }


def test_lists_that_are_no_interval_and_missing_values_are_left_out():
    assert flat_summary({"k": [1, 2], "a_ci": [None, 1], "b_ci": [1, 2, 3], "c": None}) == {
        "a_ci/high": 1.0
    }


def test_every_value_is_a_finite_number_that_json_holds():
    flat = flat_summary({"a": {"b": {"c": 1}}, "d": 2**40})
    assert json.loads(json.dumps(flat)) == {"a/b/c": 1.0, "d": 2.0**40}
    assert all(math.isfinite(value) for value in flat.values())
