"""The figure: XML that holds each group's mean and band where the numbers say."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from ttrl.evaluation.report.arms import Arm
from ttrl.evaluation.report.figure import MAX_STEPS, Axis, figure_svg, fitting_axis
from ttrl.evaluation.report.reading import Run
from ttrl.recording.results import RunResult
from ttrl.recording.shown import Panel

SHARE = Panel(title="Ratio", unit="%", key="a/b", share=True)
AMOUNT = Panel(title="Amount", unit="tokens", key="c/d")


def series(*values: float, key: str = "a/b") -> list[dict[str, Any]]:
    return [{"step": step, key: value} for step, value in enumerate(values, 1)]


def group(*runs: list[dict[str, Any]], name: str = "ttrl", role: Any = "run") -> Arm:
    made = (Run(result=RunResult(), records=tuple(records)) for records in runs)
    return Arm(name=name, role=role, runs=tuple(made))


def paths(svg: str, attribute: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    found = (e for e in root.iter() if e.tag.endswith("path") and e.get(attribute))
    return [e.get("d") or "" for e in found]


def numbers(path: str) -> list[float]:
    return [float(value) for value in re.findall(r"-?[\d.]+", path)]


def test_several_runs_are_their_mean_with_a_band_from_smallest_to_largest():
    svg = figure_svg([group(series(0.0, 0.2), series(1.0, 0.4))], [SHARE])
    (middle,) = paths(svg, "stroke-linejoin")
    (band,) = paths(svg, "fill-opacity")
    # 100 % is at y = 30 and 0 % at y = 164
    assert numbers(middle)[1::2] == [97.0, pytest.approx(164 - 0.3 * 134, abs=0.05)]
    assert numbers(band)[1::2] == [30.0, 110.4, 137.2, 164.0]
    assert "ttrl (2 runs)" in svg and "Lines are means over runs" in svg


def test_one_run_has_no_band_and_a_control_is_dashed():
    svg = figure_svg([group(series(0.1, 0.2)), group(series(0.3, 0.1), role="control")], [SHARE])
    assert not paths(svg, "fill-opacity") and "Lines are means" not in svg
    assert len(paths(svg, "stroke-dasharray")) == 2  # the curve and its place in the legend


def test_panels_that_no_run_recorded_are_left_out_and_gaps_are_skipped():
    broken = [{"step": 1, "c/d": None}, {"step": None, "c/d": 3.0}, {"step": 3, "c/d": 1e300}]
    svg = figure_svg([group(series(0.5, 0.7), broken)], [SHARE, AMOUNT])
    assert ">Ratio<" in svg and ">Amount<" not in svg
    assert "No steps recorded" in figure_svg([group(broken)], [AMOUNT])
    assert "No steps recorded" in figure_svg([])


def test_a_single_step_is_a_dot():
    assert "<circle" in figure_svg([group(series(0.5))], [SHARE])


def test_a_long_run_is_thinned_and_keeps_its_last_step():
    svg = figure_svg([group(series(*[0.5] * (2 * MAX_STEPS + 2)))], [SHARE])
    (middle,) = paths(svg, "stroke-linejoin")
    assert middle.count("L") <= MAX_STEPS and numbers(middle)[-2] == 286  # the right end


@pytest.mark.parametrize("name", ["</svg><script>", "a\x00b", "\ud800", "\"'&<", "x" * 500])
def test_any_name_gives_well_formed_xml(name: str):
    svg = figure_svg([group(series(0.5, 0.6), name=name)], [SHARE])
    ElementTree.fromstring(svg.encode())
    assert "<script" not in svg


def test_ticks_are_round_and_within_the_axis():
    axis = fitting_axis(0.0, 46.2, begin=100, end=0, rounded=True)
    assert axis.ticks == (0, 20, 40, 60) and (axis.low, axis.high) == (0, 60)
    assert axis.at(0) == 100 and axis.at(60) == 0 and axis.at(30) == 50
    assert fitting_axis(1, 60, begin=0, end=1, whole=True).ticks == (20, 40, 60)
    assert fitting_axis(1, 3, begin=0, end=1, whole=True).ticks == (1, 2, 3)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (5, 5), (-1e12, 1e12), (0, 5e-324), (0, 1e-9), (-3, -3)]
)
@pytest.mark.parametrize("whole", [True, False])
def test_any_range_gives_a_usable_axis(low: float, high: float, whole: bool):
    axis: Axis = fitting_axis(low, high, begin=0, end=100, whole=whole, rounded=not whole)
    assert axis.low < axis.high and len(axis.ticks) < 12
    assert 0 <= axis.at(low) <= axis.at(high) <= 100
