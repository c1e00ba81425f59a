"""Equal answers have equal keys, different ones different keys, whatever the spelling."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.key import answer_key

HALF = ("n", 1, 2)
NUMBERS = st.integers(-(10**30), 10**30)
SCRAPS = st.lists(
    st.sampled_from(
        [
            "1", "0", "23", "-", "+", ".", ",", "/", " ", "%", r"\%", "$", r"\$", "e", "x", "=",
            "^", "{", "}", "10", r"\frac", r"\dfrac", r"\text{", r"\(", r"\)", "**", "`", "\\",
            r"\,", r"\!", "{,}", r"\times", "\u00bd", "\u00b2", "\u2212", "\u2460", "\uff15",
            "\u0663", "\x00", "\ud800",
        ]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    "spelling",
    [
        "0.5", ".5", "+0.50", "00.5", "1/2", "2/4", "1 / 2", "-1/-2", "5e-1", "5E-01", "0.5.",
        "$0.5$", r"\frac{1}{2}", r"\dfrac{1}{2}", r"\tfrac12", r"\frac 12", r"\frac1{2}",
        r"\frac{1}2", r"\frac{ 1 }{ 2 }", r"-\frac{-1}{2}", r"\frac{0.25}{.5}", r"$\frac{1}{2}$.",
        r"\(\frac12\)", r"\[ \frac12 \]", r"\text{1/2}", r"\mathrm{0.5}", r"**\textbf{1/2}**",
        "`0.5`", "x=0.5", r"x = \frac{1}{2}", r"$y=.5$", "\u00bd", "1\u20442", "\uff10.\uff15",
        r"5 \times 10^{-1}", r"5\cdot10^{-1}", "5\u00d710\u207b\u00b9", "$0.50", r"\$0.50",
    ],
)  # fmt: skip
def test_every_spelling_of_one_half_has_one_key(spelling):
    assert answer_key(spelling) == HALF


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("5", 5), ("5.", 5), ("5.0", 5), ("007", 7), ("-0", 0), ("+5", 5), ("\u22125", -5),
        ("- 5", -5), ("\uff11\uff12", 12), ("\u0663", 3), ("\u20135", -5), ("**73**", 73),
        ("$5", 5), (r"\$5", 5), ("-$5", -5), (r"-\$5", -5), ("$-5", -5), (r"$\$5$", 5), ("5$", 5),
        ("x=5", 5), ("X = -5", -5), ("\u03b8=5", 5), (r"x=\$5", 5), (r"\text{5}", 5),
        (r"\text{x=5}", 5), ("0/7", 0), ("14/2", 7), (r"-\frac{4}{2}", -2), (r"\frac{-4}{2}", -2),
        (r"\frac{4}{-2}", -2), ("-4/2", -2), ("4/-2", -2), (r"\frac{270}9", 30),
        (r"\frac{1,200}{2}", 600), (r"5\ ", 5), ("5\u3002", 5),
    ],
)  # fmt: skip
def test_integers_are_read_with_signs_wrappers_and_left_hand_sides(spelling, value):
    assert answer_key(spelling) == ("n", value, 1)


@pytest.mark.parametrize(
    "spelling",
    [
        "1,234", "1{,}234", r"1\,234", r"1{,}\!234", r"1,\!234", r"1,\! 234", "1 234", "1\u00a0234",
        "1\u202f234", "1,234.", "1,234.0", "1234", r"\$1,234.00", r"1\;234",
    ],
)  # fmt: skip
def test_separators_of_thousands_are_dropped(spelling):
    assert answer_key(spelling) == ("n", 1234, 1)


def test_long_groups_need_one_separator_and_threes():
    assert answer_key(r"11,\! 111,\! 111,\! 100") == ("n", 11111111100, 1)
    assert answer_key("1,234,567.5") == ("n", 2469135, 2)
    for text in ("1,23", "1,2345", "1234,567", "0,123", "1,234 567", "1 23", "12 3456", "1, 234"):
        key = answer_key(text)
        assert key is not None and key[0] == "t"


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("1e3", 1000), ("1E+3", 1000), ("-1.5e3", -1500), (r"1.5\times10^{3}", 1500),
        (r"1.5 \times 10^3", 1500), ("1.5*10^3", 1500), ("1.5\u00d710\u00b3", 1500),
        ("10^{12}", 10**12), ("10^12", 10**12), ("1e400", 10**400),
    ],
)  # fmt: skip
def test_scientific_notation_is_exact(spelling, value):
    assert answer_key(spelling) == ("n", value, 1)


@pytest.mark.parametrize(
    "bomb",
    [
        "1e401", "1e-401", "1e999999999", "10^{401}", r"5\times10^{99999999999}", "9**9**9**9",
        "1000000!", "9^{9^{9^9}}", "1e" + "9" * 390,
    ],
)  # fmt: skip
def test_numbers_too_large_to_write_stay_text(bomb):
    key = answer_key(bomb)
    assert key is not None and key[0] == "t"


def test_percent_is_neither_the_number_nor_its_hundredth():
    assert answer_key("50%") == answer_key(r"$50 \%$") == answer_key("50.0%.") == ("n%", 50, 1)
    assert answer_key(r"\frac{1}{2}\%") == ("n%", 1, 2)
    assert len({answer_key("50%"), answer_key("50"), answer_key("0.5")}) == 3


@pytest.mark.parametrize("text", ["1/0", r"\frac{1}{0}", "0/0", r"-\frac{5}{0.0}", "1/0%"])
def test_a_zero_denominator_is_text(text):
    key = answer_key(text)
    assert key is not None and key[0] == "t"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("52_8", "52"), ("52_8", "52_9"), ("52\u2088", "528"), ("5\u00b2", "52"),
        ("10\u2075", "105"), ("3\u00bd", "31/2"), ("\u2460\u2461", "12"), ("5\u2460", "51"),
        ("no", "on"), ("BAC", "CAB"), ("east", "seat"), (r"10\,000", "0"),
        ("0.0000001", "0.0000004"), ("5%", "5"), ("5%", "0.05"), ("1,1,2", "1,2,2"),
        ("(1,2)", "1,2"), ("(1,2)", "[1,2]"), ("5 cm", "5 m"), ("3:45", "1/15"),
        ("10^{30}+0.5", "10^{30}"), ("2 1/2", "21/2"), ("3 1/2", "2"), ("1 234/5", "1234/5"),
        (r"1\frac{4}{5}", "14/5"), (r"\frac123", r"\frac{1}{23}"), (r"\frac123", "1/2"),
        ("1/3", "0.3333"), ("1/3", "0.333..."), ("0.333", "0.333..."), (r"0.\overline{3}", "0.3"),
        ("x=5", "f(x)=5"), ("xy=5", "5"), ("x=y", "y"), ("1e3", "1e"), ("--5", "5"), ("(5)", "-5"),
        ("123456789012345678", "123456789012345679"), (r"\text{a} b \text{c}", "a} b \\text{c"),
        ("1.234,56", "1,234.56"), ("~5", "5"),
    ],
)  # fmt: skip
def test_different_answers_are_kept_apart(one, other):
    assert answer_key(one) is not None
    assert answer_key(one) != answer_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\text{Evelyn}", "evelyn."), (r"\text{ no }", "No"), (r"\textbf{(C)}", "(c)"),
        ("(3, 4]", "( 3,4 ]"), ("a  b\n c", "A b c"), (r"\dfrac{\pi}{2}", r"$\frac{\pi}{2}$"),
        ("x\u00b2", "x^2"), ("10\u207b\u00b3 m", "10^{-3} m"), ("\ufb01ve", "five"),
        ("2\u03c0", "2\u03c0 "), (r"2 \pi", r"2\pi"), ("p\u2212q", "p - q"), ("1/0", "1 / 0"),
    ],
)  # fmt: skip
def test_texts_are_equal_by_their_folded_spelling(one, other):
    key = answer_key(one)
    assert key is not None and key[0] == "t"
    assert key == answer_key(other)


@pytest.mark.parametrize(
    "text", ["", " \n\t\u00a0", "$$", ".", r"\text{}", r"$\text{ }$.", r"\(\)"]
)
def test_nothing_said_has_no_key(text):
    assert answer_key(text) is None


def test_integers_of_400_digits_are_numbers_and_longer_ones_are_hashed():
    assert answer_key("9" * 400) == ("n", 10**400 - 1, 1)
    assert answer_key("0" * 399 + "7") == ("n", 7, 1)
    key = answer_key("9" * 401)
    assert key is not None and key[0] == "t" and len(repr(key)) < 100
    assert key != answer_key("9" * 402)


def test_long_texts_keep_their_identity_in_bounded_memory():
    for size in (401, 999, 1001, 100_000):
        key = answer_key("a b" * size)
        assert key == answer_key(" " + "A  B" * size + "\n")
        assert key != answer_key("a b" * size + "c")
        assert len(repr(key)) < 100


def test_a_label_is_its_own_answer():
    """The published code reads the bare label again and finds its last number."""
    assert answer_key(r"\frac{3}{4}") == ("n", 3, 4)
    assert answer_key("t^2") == ("t", "t^2")
    assert answer_key("and") == ("t", "and")


@given(NUMBERS, NUMBERS.filter(bool), st.integers(1, 10**6))
def test_equal_fractions_have_equal_keys(above, below, factor):
    value = Fraction(above, below)
    key = ("n", value.numerator, value.denominator)
    above, below = above * factor, below * factor
    assert answer_key(f"{above}/{below}") == key
    assert answer_key(rf"\frac{{{above}}}{{{below}}}") == key
    assert answer_key(rf"-\dfrac{{{-above}}}{{ {below} }}") == key


@given(NUMBERS, st.integers(0, 40))
def test_decimals_are_exact(digits, places):
    value = Fraction(digits, 10**places)
    text = f"{abs(digits):0{places + 1}d}"
    text = f"{'-' if digits < 0 else ''}{text[: len(text) - places]}.{text[len(text) - places :]}"
    key = ("n", value.numerator, value.denominator)
    assert answer_key(text) == answer_key(text + "0") == key
    assert answer_key(f"{digits}e-{places}") == key
    assert answer_key(rf"{digits} \times 10^{{-{places}}}") == key


@given(NUMBERS)
def test_every_way_to_group_an_integer_gives_it_back(number):
    grouped = f"{number:,}"
    for separator in (",", "{,}", r"\,", " ", r",\!", ""):
        assert answer_key(grouped.replace(",", separator)) == ("n", number, 1)


@given(st.text() | SCRAPS)
def test_any_text_has_a_key_or_none_and_keys_can_be_counted(text):
    key = answer_key(text)
    assert key is None or {key: 1}[answer_key(text)] == 1  # type: ignore[index]
    assert key is None or (key[0] in ("n", "n%", "t") and len(repr(key)) < 5_000)


@given(st.text(max_size=100) | SCRAPS)
def test_wrappers_and_spaces_around_an_answer_change_nothing(text):
    key = answer_key(text)
    assert answer_key(f" ${text}$\n") == key
    assert answer_key(f"\u00a0{text}\t") == key


@pytest.mark.parametrize(
    "piece",
    [
        "1", "1,", "1,000", " 1", "1/", ".", "-", "{", "}", "\\", "$", r"\$", "**", "`", r"\text{",
        r"\(", r"\frac", r"\frac{1}", "e1", "10^", "%", "x=", "\u00bd", "\u00b2", "\u0301\u0316",
        "\ufdfa", "\u2460", "\x00", "\ud800", " ", "! ", "\u00df",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_keyed_in_no_time(piece):
    start = time.perf_counter()
    for size in (400, 1_000, 1_000_000):
        answer_key(piece * (size // len(piece)))
        answer_key("$" + piece * (size // len(piece)) + "}" * 200)
    assert time.perf_counter() - start < 2
