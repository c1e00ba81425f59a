"""Settings of studies and sweeps: from lists, commas and YAML; refused where they make no sense."""

import pytest

from ttrl.errors import ConfigError
from ttrl.runs.many import read_settings
from ttrl.runs.studies import StudySettings
from ttrl.runs.sweeps import SweepSettings, points_of


def test_defaults_are_all_arms_and_three_seeds_one_at_a_time() -> None:
    settings = read_settings(StudySettings, {})
    assert settings.arms == ("ttrl", "leakage", "random", "format")
    assert settings.seeds == (0, 1, 2) and settings.jobs == 1


def test_arms_come_in_one_order_whatever_order_they_are_named_in() -> None:
    assert read_settings(StudySettings, {"arms": ["format", "ttrl"]}).arms == ("ttrl", "format")


def test_seeds_may_be_a_list_texts_or_one_number() -> None:
    assert read_settings(StudySettings, {"seeds": ["3", "4"]}).seeds == (3, 4)
    assert read_settings(StudySettings, {"seeds": "3,4"}).seeds == (3, 4)
    assert read_settings(StudySettings, {"seeds": ["3,4", "5"]}).seeds == (3, 4, 5)
    assert read_settings(StudySettings, {"seeds": 7}).seeds == (7,)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"seeds": ["1", "1"]}, "each of them once"),
        ({"seeds": ["-1"]}, "seeds.0='-1'"),
        ({"seeds": []}, "seeds"),
        ({"jobs": "0"}, "jobs='0'"),
        ({"arms": ["random"]}, "ttrl among them"),
        ({"arms": ["ttrl", "magic"]}, "arms.1='magic'"),
    ],
)
def test_settings_without_sense_are_refused_by_name(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_settings(StudySettings, given)


def test_a_grid_is_every_combination_with_the_last_key_fastest() -> None:
    grid = ["temperature=0.6,1.0", "steps=1,2"]
    points = points_of(read_settings(SweepSettings, {"grid": grid}))
    assert [dict(point.values) for point in points] == [
        {"temperature": 0.6, "steps": 1},
        {"temperature": 0.6, "steps": 2},
        {"temperature": 1.0, "steps": 1},
        {"temperature": 1.0, "steps": 2},
    ]
    assert points[0].name == "temperature-0.6_steps-1"


def test_a_list_of_points_stays_as_it_is() -> None:
    given = {"points": [{"temperature": 0.6, "steps": 9}, {"temperature": 1.0}]}
    assert [p.name for p in points_of(read_settings(SweepSettings, given))] == [
        "temperature-0.6_steps-9",
        "temperature-1.0",
    ]


def test_names_of_points_are_safe_as_file_names() -> None:
    given = {"points": [{"model": "../../etc/passwd"}, {"stop": ["</s>", "\n"]}]}
    for point in points_of(read_settings(SweepSettings, given)):
        assert "/" not in point.name and "\n" not in point.name and not point.name.startswith(".")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "either a grid or points"),
        ({"grid": {"steps": [1]}, "points": [{"steps": 1}]}, "either a grid or points"),
        ({"grid": ["steps"]}, "wanted KEY=V,V"),
        ({"grid": {"stepz": [1]}}, "'stepz' is not a key of a run"),
        ({"grid": {"seed": [1, 2]}}, "'seed' cannot be swept"),
        ({"grid": {"steps": []}}, "at least one value"),
        ({"grid": {"steps": list(range(30)), "limit": list(range(30))}}, "got 900 points"),
    ],
)
def test_sweeps_without_sense_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_settings(SweepSettings, given)


def test_a_point_that_is_there_twice_is_refused() -> None:
    settings = read_settings(SweepSettings, {"points": [{"steps": 1}, {"steps": 1}]})
    with pytest.raises(ConfigError, match="steps-1 is there twice"):
        points_of(settings)


def test_points_that_are_spelled_alike_as_file_names_are_numbered() -> None:
    settings = read_settings(SweepSettings, {"points": [{"model": "a/b"}, {"model": "a-b"}]})
    assert [point.name for point in points_of(settings)] == ["model-a-b", "model-a-b-2"]
