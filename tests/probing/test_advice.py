"""Settings that the probe would choose, from hand-made numbers."""

from dataclasses import replace

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import resolve
from ttrl.probing.draw import Draws, voted
from ttrl.probing.signals import measure
from ttrl.probing.trial import Trial
from ttrl.probing.verdict import advise

MATH = get_task("math")
CALM = Trial(learning_rate=2e-4, moved=0.001, agreement=(0.5, 0.5), labels_kept=1.0)


def config(**given):
    return resolve({k: str(v) for k, v in given.items()}, environment={}).values


@pytest.fixture
def advice(make_group):
    """`advice("1 1 2 3", settings=..., trial=..., changes=...)`: on four questions with these votes."""

    def make(answers: str, *, settings=None, trial=CALM, **changes):
        texts = ["" if a == "-" else rf"\boxed{{{a}}}" for a in answers.split()]
        groups = [make_group(texts, id=id) for id in "abcd"]
        votes = voted(groups, task=MATH, config=config())
        draws = Draws(votes=votes, labels=votes, sharp=votes, changed=[[]] * 4, vote_seconds=1.0)
        signals = replace(measure(draws, task=MATH, tie_seed=0), **changes)
        return advise(signals, trial, votes, config(max_tokens=20, **(settings or {})))

    return make


def test_a_clear_lead_needs_fewer_votes(advice) -> None:
    found = advice("1 1 1 1 1 1 1 2", across=0.0, settings={"trained_per_question": 8})
    assert found.settings == {"votes_per_question": 8}
    assert "instead of 64" in found.lines[0]


@pytest.mark.parametrize(
    ("settings", "enough"),
    [
        ({}, 32),  # 32 are trained on
        ({"trained_per_question": 40}, None),  # the next offered is the 64 that are set
        ({"trained_per_question": 8, "votes": "adaptive"}, 16),  # adaptive_first is 16
        ({"trained_per_question": 8, "votes": "adaptive", "adaptive_first": 33}, None),
        ({"trained_per_question": 8, "adaptive_first": 33}, 8),  # which fixed votes do not read
    ],
)
def test_no_fewer_votes_are_advised_than_the_config_allows(advice, settings, enough) -> None:
    found = advice("1 1 1 1 1 1 1 2", across=0.0, settings=settings)
    assert found.settings == ({} if enough is None else {"votes_per_question": enough})
    config(max_tokens=20, **(settings | found.settings))  # is accepted


def test_a_small_lead_needs_more_votes(advice) -> None:
    # 3 of 8 against 2 of 8, less half a vote: a lead of 1/16 with a variance of 0.56: 0.8 needs
    # (0.84 / (1/16))^2 x 0.56 = 101 votes, and 128 are the next that are offered
    settings = {"votes_per_question": 32, "trained_per_question": 32}
    assert advice("1 1 1 2 2 3 4 5", across=0.0, settings=settings).settings == {
        "votes_per_question": 128
    }


def test_votes_stay_as_they_are_where_they_suit(advice) -> None:
    settings = {"votes_per_question": 128}
    assert advice("1 1 1 2 2 3 4 5", across=0.0, settings=settings).settings == {}


def test_leads_that_cannot_be_told_from_ties_ask_for_nothing(advice) -> None:
    assert advice("1 1 2 2 3 4 5 6", across=0.0, sharp_within=0.0).settings == {}


def test_scattered_votes_that_agree_at_a_lower_temperature_ask_for_it(advice) -> None:
    found = advice("1 1 1 1 1 1 1 1", across=0.0, within=0.05, sharp_within=0.4, unanimous=0.0)
    assert found.settings["temperature"] == 0.6
    hot = {"temperature": 3}
    found = advice("1 1 1 1", settings=hot, across=0.0, within=0.0, sharp_within=0.4, unanimous=0.0)
    assert found.settings["temperature"] == 1.0


def test_cut_votes_ask_for_longer_ones_and_short_ones_for_shorter(advice) -> None:
    assert advice("1 1", truncated=0.2, across=0.0).settings["max_tokens"] == 40
    # 1.25 x 7 = 8.75, up to a multiple of 8
    assert advice("1 1", longest_tokens=7.0, across=0.0).settings["max_tokens"] == 16


def test_a_policy_that_moved_too_far_asks_for_a_lower_rate(advice) -> None:
    far = replace(CALM, moved=0.15)
    found = advice("1 1 1 1", trial=far, across=0.0, settings={"learning_rate": 2e-3})
    # a quarter of 0.015 over 0.15: a 40th
    assert found.settings["learning_rate"] == pytest.approx(5e-5)
    broke = Trial(learning_rate=1.0, skipped="loss is nan", broke=True)
    assert advice("1 1", trial=broke, across=0.0).settings["learning_rate"] == pytest.approx(2e-5)


def test_what_no_setting_mends_is_said(advice) -> None:
    found = advice("1 1 2 2", ignored_numbers=0.5, across=0.0)
    assert any("a stronger model" in line for line in found.lines)
    assert any("Harder questions" in line for line in advice("1 1 1 1", across=0.0).lines)


@pytest.mark.parametrize("moved", [1e9, float("inf")])
def test_however_far_it_moved_the_rate_stays_a_rate(advice, moved) -> None:
    far = replace(CALM, moved=moved)
    found = advice("1 1 1 1", trial=far, across=0.0, settings={"learning_rate": 2e-3})
    assert found.settings["learning_rate"] == pytest.approx(2e-5)
