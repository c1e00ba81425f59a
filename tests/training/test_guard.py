import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.training.guard import (
    MOST_HALVINGS,
    PATIENCE,
    GuardState,
    decide,
    replay,
    state_after,
)
from ttrl.training.guard_rules import FIRST, KEYS, RECENT, RULES, Above, Below, History, Risen

CALM = {
    "guard/kl": 0.0,
    "guard/repetition": 0.01,
    "guard/across": 0.02,
    "guard/pay_for_label": 1.0,
    "consensus/majority_ratio": 0.6,
    "consensus/no_answer_rate": 0.0,
    "sample/truncated_rate": 0.0,
    "sample/mean_tokens": 45.0,
    "sample/entropy": 0.08,
}


def rows(*, steps=40, **drifts):
    """Calm steps; `kl=lambda step: ...` replaces the signal whose key ends so."""
    found = []
    for step in range(1, steps + 1):
        row = {"step": step, **CALM}
        for name, drift in drifts.items():
            (key,) = [key for key in KEYS if key.endswith(name)]
            row[key] = drift(step)
        found.append(row)
    return found


def history(values, key="guard/kl"):
    state = History()
    for step, value in enumerate(values, 1):
        state = state.with_step({key: value}, step=step)
    return state


def test_a_calm_run_is_left_alone():
    assert replay(rows(steps=300)) == []


@pytest.mark.parametrize(
    ("drift", "signal"),
    [
        ({"kl": lambda step: 0.02 * step}, "kl"),
        ({"pay_for_label": lambda step: 0.0}, "pay"),
        ({"ignored_numbers": lambda step: 0.6}, "ignored"),
        ({"across": lambda step: 0.02 + 0.02 * step}, "across"),
        ({"majority_ratio": lambda step: 0.6 - 0.01 * step}, "agreement"),
        ({"no_answer_rate": lambda step: 0.9}, "no-answer"),
        ({"truncated_rate": lambda step: min(1.0, 0.02 * step)}, "truncated"),
        ({"mean_tokens": lambda step: 45.0 + step}, "long"),
        ({"mean_tokens": lambda step: 45.0 - step}, "short"),
        ({"repetition": lambda step: 0.01 * step}, "repetition"),
        ({"entropy": lambda step: 0.08 + 0.01 * step}, "entropy"),
    ],
)
def test_each_sign_of_collapse_stops_a_run_by_its_name(drift, signal):
    (decision,) = replay(rows(**drift))
    assert decision.action == "stop"
    assert [finding.signal for finding in decision.findings] == [signal]
    assert f"{decision.findings[0].value:.3g}" in decision.reason


def test_above_takes_the_mean_of_its_window():
    rule = Above(signal="s", key="guard/kl", what="KL", window=2, limit=0.1)
    assert rule.look(history([0.3])) is None
    assert rule.look(history([0.3, 0.0, 0.2])) is None  # the mean of the last two is the limit
    assert rule.look(history([0.0, 0.1, 0.2])).value == pytest.approx(0.15)


def test_a_limit_rises_with_the_steps_squared_between_its_lowest_and_highest():
    rule = Above(signal="s", key="guard/kl", what="KL", window=1, limit=0.1, rise=0.01, lowest=0.02)
    assert rule.look(history([0.021])).limit == pytest.approx(0.02)
    assert rule.look(history([0.0, 0.039])) is None
    assert rule.look(history([0.0, 0.041])).limit == pytest.approx(0.04)
    assert rule.look(history([0.0, 0.0, 0.0, 0.0, 0.11])).limit == pytest.approx(0.1)


def test_one_large_value_is_not_enough_where_each_has_to_be_above():
    rule = Above(signal="s", key="guard/kl", what="KL", window=2, limit=0.1, each=True)
    assert rule.look(history([5.0])) is None
    assert rule.look(history([5.0, 0.1])) is None
    assert rule.look(history([0.2, 0.3])).value == pytest.approx(0.2)


def test_below_takes_the_mean_of_its_window():
    rule = Below(signal="s", key="guard/kl", what="pay", window=2, limit=0.25)
    assert rule.look(history([0.0])) is None
    assert rule.look(history([0.0, 0.5])) is None
    assert rule.look(history([0.0, 0.4])).value == pytest.approx(0.2)


def test_risen_compares_with_the_first_steps():
    rule = Risen(signal="s", key="guard/kl", what="x", window=2, by=1.5, factor=True)
    assert rule.look(history([1.0, 1.0])) is None
    assert rule.look(history([1.0, 1.0, 1.4])) is None
    assert rule.look(history([1.0, 1.0, 1.6, 1.6])).limit == pytest.approx(1.5)
    fall = Risen(signal="s", key="guard/kl", what="x", window=2, by=-0.2)
    assert fall.look(history([1.0, 1.0, 0.85, 0.85])) is None
    assert fall.look(history([1.0, 1.0, 0.7, 0.7])).value == pytest.approx(0.7)


def test_warning_names_each_signal_once():
    found = replay(
        rows(kl=lambda step: 0.02 * step, entropy=lambda step: 0.08 + 0.01 * step), mode="warn"
    )
    assert [[f.signal for f in d.findings] for d in found] == [["kl"], ["entropy"]]
    assert {d.action for d in found} == {"warn"} and {d.rate_share for d in found} == {1.0}


def test_slowing_halves_the_rate_a_few_times_and_then_stops():
    found = replay(rows(steps=100, kl=lambda step: 0.02 * step), mode="slow")
    assert [d.action for d in found] == ["slow"] * MOST_HALVINGS + ["stop"]
    assert [d.rate_share for d in found] == [0.5, 0.25, 0.125, 0.125]
    apart = [later.step - earlier.step for earlier, later in pairwise(found)]
    assert apart == [PATIENCE + 1] * MOST_HALVINGS


def test_a_stopped_run_says_why_and_in_what_words():
    state = state_after(rows(kl=lambda step: 0.02 * step)[:5], mode="stop")
    assert state.stopped.startswith("KL to the base")
    (decision,) = replay(rows(kl=lambda step: 0.02 * step))
    assert decision.line.startswith(f"guard       step {decision.step}: the run ends here: KL")
    assert json.loads(json.dumps(decision.to_json()))["signals"][0]["signal"] == "kl"


@given(st.integers(0, 60), st.floats(0.0, 0.2), st.sampled_from(["stop", "warn", "slow"]))
def test_a_state_that_is_stored_goes_on_to_the_same_decisions(cut, slope, mode):
    steps = rows(steps=60, kl=lambda step: slope * step, entropy=lambda step: 0.08 + 0.003 * step)
    whole, broken, decisions = GuardState(), GuardState(), ([], [])
    for i, row in enumerate(steps):
        if i == cut:
            broken = GuardState.from_json(json.loads(json.dumps(broken.to_json())))
        whole, one = decide(whole, row, step=row["step"], mode=mode)
        broken, other = decide(broken, row, step=row["step"], mode=mode)
        decisions[0].append(one)
        decisions[1].append(other)
    assert decisions[0] == decisions[1] and whole == broken


def test_the_memory_of_the_guard_does_not_grow():
    state = state_after(rows(steps=500), mode="warn").to_json()
    for kept, most in (("first", FIRST), ("recent", RECENT)):
        assert max(map(len, state["history"][kept].values())) == most


def test_windows_fit_into_what_is_remembered():
    assert all(rule.window <= min(FIRST, RECENT) for rule in RULES)


def test_before_the_first_step_there_is_nothing_to_put_back():
    assert GuardState.from_json({}) == GuardState()


def test_a_row_without_signals_is_no_sign():
    assert replay([{"step": step, "note": "text"} for step in range(1, 30)]) == []
