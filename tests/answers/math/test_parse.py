"""How mathematics is read, and where nothing is read because it may mean two things."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.key import answer_key
from ttrl.answers.math.structures import mathematics_key
from ttrl.answers.math.terms import Unreadable
from ttrl.answers.math.tokens import tokenize
from ttrl.data.tables import read_rows

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-2^2", "-4"), ("(-2)^2", "4"), ("2^{-1}", "1/2"), ("2^-1", "1/2"), ("6/2/3", "1"),
        ("6/2*3", "9"), ("2-3-4", "-5"), (r"\frac{1}{2}/3", "1/6"), ("2(3)", "6"), ("(2)(3)", "6"),
        ("2x(x+1)", "2x^2+2x"), ("x(x+1)", "x^2+x"), ("x^2y", r"y \cdot x^2"), ("xy^2+0", "xyy+0"),
        (r"\frac{x}{y}", "x/y"), (r"\frac12x^2", r"0.5 \cdot x \cdot x"), (r"\sqrt2x", r"x\sqrt{2}"),
        (r"\frac\pi2", r"\frac{\pi}{2}"), (r"2\cdot-3", "-6"), ("-1/-2", "1/2"), ("a_1a_2", "a_2a_1"),
        (r"3\cdot\frac12", "3/2"), (r"\frac{1}{2}\cdot 2\frac12", "5/4"), ("x^{2}x^{-2}", "1"),
        (r"\pi(r+1)", r"\pi r+\pi"), (r"\sqrt{50}-\sqrt{8}", r"3\sqrt2"), ("e^2/e", "e+0"),
        (r"\sqrt[3]{-27}", "-3"), (r"\sqrt{-4}", "2i"), (r"\sqrt{\pi^2}", r"\pi"), ("0^5", "0"),
        (r"\sqrt{\frac{9}{4}}", "3/2"), (r"4^{-3/2}", "1/8"), ("(-4)^{1/2}", "2i"),
    ],
)  # fmt: skip
def test_expressions_mean_what_they_mean_in_print(text, same):
    assert mathematics_key(text) == mathematics_key(same)


@pytest.mark.parametrize(
    "text",
    [
        "", "1/2x", "x/2y", "1/2(x+1)", r"1/2\sqrt3", "2 3", "x2", "(x+1)2", r"\sqrt{2}3", "2^3^2",
        "--5", "2+-3", "2--3", "f(2)", "f(x+1)", "x(2)", "y(x)", "f^{-1}(x)", r"\phi(12)", "P(1)",
        r"\frac123", r"\frac1", r"2\frac", r"2\frac{1}",
        "2^", "x^n", "e^x", "i^{1/2}", "(-8)^{1/3}", r"\sqrt{x^2}", "0^0",
        r"\sqrt{xy}", r"\sqrt{-x}", r"\sqrt{1+x}", "1/0", "1/(x-x)", "x'", "3!!", "2^3!", "x!", "1.5!",
        "(1,2", "1,2)", "{1", "(1}", "1 234/5", "2e3x", "abcd+1", "2 cats", "pir+1", r"2\frac32",
        "1.5 1/2", "2 3/2", "2 1/2x", "2 1/2^2", "x<y", "1<2", "1=1", "x=y=5", "x<1, x>2", "x>1 and x<2",
        "[5,2]", r"x>\pm2", "x>5>y", "1<x>0", r"1\pm2\pm3", "x=1, y=2, 3", ",", "1,", "1,,2", "1 or", "()",
        "|1",
        r"\sin x", r"\{x | x>2\}", r"\text{cm}", "1+2 apples", "5 cm + 3 m", "9" * 401, "x_ab", "x^2_1",
        r"\begin{cases}1&2\end{cases}", r"\begin{pmatrix}1\end{bmatrix}", r"2\begin{pmatrix}1\end{pmatrix}",
        r"y=\pm x", r"2x=\pm4", r"\pm x=2", "2{3}", "{2}3", "{2}{3}", r"3{\frac12}", r"{3}\frac12",
        "3{1+2}", "x{2}", "{2x}^2", r"\frac12{3}", "x=0 or y=0", "[1,2] or [3,4]", "x=1, y=2, x=3",
        r"\frac{dy}{dx}", "dy/dx", "d/dx", r"\frac{x\,dy}{dx}", "ABC", "2ABC=1", "T^{-1}(x)", "10–20",
        r"(1,2)+3", r"(1,2)\cap(0,3)", r"x \in \mathbb{R}", "√2x", "2x=3x=x",
    ],
)  # fmt: skip
def test_what_is_doubtful_is_not_read(text):
    with pytest.raises(Unreadable):
        mathematics_key(text)


def test_digits_after_a_fraction_command_stand_alone():
    assert tokenize(r"\frac123").tokens == [r"\frac", "1", "2", "3"]
    assert tokenize(r"\frac{12}34").tokens == [r"\frac", "{", "12", "}", "3", "4"]
    assert tokenize(r"\sqrt[12]34").tokens == [r"\sqrt", "[", "12", "]", "3", "4"]
    assert tokenize(r"\frac{\sqrt23}{45}6").tokens[2:] == [
        r"\sqrt", "2", "3", "}", "{", "45", "}", "6",
    ]  # fmt: skip


def test_thousands_are_joined_outside_of_brackets_only():
    assert tokenize("1,234x").tokens == ["1234", "x"]
    assert tokenize("1,234,56").tokens == ["1", ",", "234", ",", "56"]
    assert tokenize("1, 234").tokens == ["1", ",", "234"]
    assert tokenize("(1,234)").tokens == ["(", "1", ",", "234", ")"]
    assert tokenize(r"\frac{1,234}{5}").tokens[1:4] == ["{", "1234", "}"]


def test_structures_hold_the_keys_of_their_entries():
    one, two = ("n", 1, 1), ("n", 2, 1)
    assert mathematics_key("(1,2]") == ("tup", "(", "]", one, two)
    assert mathematics_key(r"(-\infty,1]") == ("tup", "(", "]", ("inf", -1), one)
    assert mathematics_key(r"((1,2),\{1\})") == (
        "tup", "(", ")", ("tup", "(", ")", one, two), ("set", one),
    )  # fmt: skip
    assert mathematics_key(r"(\pm1,2)") == mathematics_key("(1,2),(-1,2)")
    assert mathematics_key(r"\begin{pmatrix}1\\2\end{pmatrix}") == ("mat", (one,), (two,))
    assert mathematics_key("1:2") == ("colon", one, two)
    assert mathematics_key(r"\{1\}\cup(1,2)")[0] == "cup"


@given(st.integers(-50, 50), st.integers(1, 9), st.sampled_from(["x", "r", r"\theta"]))
def test_spaces_between_tokens_say_nothing(number, power, name):
    tight = rf"\frac{{{number}{name}^{{{power}}}+1}}{{3}}-(\sqrt{{5}}+{name})\pi"
    spaced = (
        rf"\frac {{ {number} {name} ^ {{ {power} }} + 1 }} {{ 3 }} - ( \sqrt {{ 5 }} + {name} ) \pi"
    )
    assert answer_key(tight) == answer_key(spaced) == answer_key(spaced.replace(" ", r"\,"))


def gold_answers() -> list[str]:
    answers = []
    for name in ("math500.jsonl", "aime24.json", "amc.json"):
        if not (FOLDER / name).is_file():
            pytest.skip(f"{FOLDER / name} is not here: it lies beside the repository, not in it")
        answers += [str(row["answer"]) for row in read_rows(str(FOLDER / name)).rows]
    return answers


def test_published_answers_are_read_and_boxes_and_spaces_change_nothing():
    answers = gold_answers()
    assert len(answers) == 613
    for answer in answers:
        assert answer_key(rf"$\boxed{{ {answer} }}$ .") == answer_key(answer) is not None
    assert {a for a in answers if (answer_key(a) or "")[0] == "s"} == {r"\cot x"}


def test_published_answers_that_share_a_key_are_equal():
    """Checked by hand: degrees, currency, decimals, orders and spaces only."""
    spellings: dict[object, set[str]] = {}
    for answer in gold_answers():
        if not answer.removesuffix(".0").lstrip("-").isdigit():
            spellings.setdefault(answer_key(answer), set()).add(answer)
    shared = sorted(sorted(same) for same in spellings.values() if len(same) > 1)
    assert shared == [
        ["-2,1", "1,-2"],
        [r"2 \sqrt{5}", r"2\sqrt{5}"],
        [r"36^\circ", r"\$36"],
        [r"\frac14", r"\frac{1}{4}"],
    ]
