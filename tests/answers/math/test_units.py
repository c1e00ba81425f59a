"""Spellings of one unit join, different units never do."""

from __future__ import annotations

import pytest

from ttrl.answers.key import answer_key
from ttrl.answers.math.units import canonical_unit


@pytest.mark.parametrize(
    ("unit", "spellings"),
    [
        ("cm", "cm|centimeter|centimeters|centimetre|Centimetres|CM|cm."),
        ("cm^2", "cm^2|cm ^ { 2 }|square cm|sq cm|sq. cm|cm squared|square centimeters"),
        ("m^3", "m^3|cubic meters|cubic metre|cu m"),
        ("km/h", "km/h|km / hr|kph|kmh|km per hour|kilometers per hour|kilometres/hour"),
        ("mi/h", "mph|miles per hour|mi/h|mi/hr|MPH"),
        ("m/s^2", "m/s^2|meters per second squared|m per s^2"),
        ("g/cm^3", "g/cm^3|grams per cubic centimeter"),
        ("1/h", "per hour"),
        ("dollar/h", "dollars per hour"),
        ("%", "percent|%|per cent"),
        ("", "degrees|degree|deg"),
        ("°C", "°C|degrees Celsius|celsius"),
        ("unit^2", "square units|sq units|units^2"),
        ("in", "in|in.|inch|inches"),
    ],
)
def test_spellings_of_one_unit(unit, spellings):
    for spelling in spellings.split("|"):
        assert canonical_unit(spelling) == unit, spelling


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "apples", "cm cm", "cm m", "square", "per", "/", "/h", "m/", "m//s", "m/s/s", "^2",
        "cm^4", "cm^22", "square cm^2", "% per hour", "degrees^2", "cm apples", ".", "MM", "2", "°/h",
    ],
)  # fmt: skip
def test_what_is_no_unit(text):
    assert canonical_unit(text) is None


def test_a_measure_keeps_value_and_unit():
    assert answer_key(r"864 \mbox{ inches}^2") == ("u", ("n", 864, 1), "in^2")
    assert answer_key(r"5.4 \text{ cents}") == ("u", ("n", 27, 5), "cent")
    surd = ("e", ((("3", 1, 2),), 2, 1))
    assert answer_key(r"2\sqrt3\text{ cm}") == answer_key("2√3 cm") == ("u", surd, "cm")


def test_a_letter_is_its_unit_after_a_number_and_a_variable_elsewhere():
    assert answer_key("1 m") == answer_key(r"1\text{ m}") == ("u", ("n", 1, 1), "m")
    assert answer_key("m") == ("e", ((("m", 1, 1),), 1, 1))
    assert answer_key("5 m/s") == answer_key(r"\frac{5m}{s}") == ("u", ("n", 5, 1), "m/s")
    assert answer_key("0 m") != answer_key("0")


def test_a_noun_that_is_no_unit_makes_text():
    assert answer_key("5 apples") == answer_key(r"5\text{ Apples}.") == ("t", "5 apples")


def test_currency_signs_say_nothing_and_currency_words_do():
    assert answer_key("$5") == answer_key(r"\$5") == ("n", 5, 1)
    assert answer_key("5 dollars") == answer_key("5 dollar") == ("u", ("n", 5, 1), "dollar")
