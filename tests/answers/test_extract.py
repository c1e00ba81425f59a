"""Completions are hostile input: the last good answer is found, none is guessed, time is linear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.extract import (
    extract_answer,
    extract_boxed,
    extract_last_number,
    extract_marked,
    strip_reasoning,
)

SCRAPS = st.lists(
    st.sampled_from(
        [
            r"\boxed{", r"\fbox {", r"\boxed", "{", "}", "\\", r"\{", r"\}", "$", "5", " ", "\n",
            ".", "<think>", "</think>", "####", "The answer is", "Answer:", "**", "x", "\x00",
            "\ud800", "\u7b54\u6848", "\u662f", "\u3002", "<answer>", "Final Answer\n", r"\[", ",", "/",
            "-", "%", r"\frac{1}{2}", " because",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{3}", "3"),
        (r"\boxed{ 3 }", "3"),
        (r"\boxed {9}", "9"),
        ("\\boxed\n{9}", "9"),
        (r"\fbox{5}", "5"),
        (r"\\boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        (r"\boxed{a \\ b}", r"a \\ b"),
        ("a b c } } \\boxed{3} }", "3"),
    ],
)
def test_a_complete_box_is_an_answer(text, answer):
    assert extract_boxed(text) == answer


def test_the_last_box_wins_and_boxes_are_never_joined():
    assert extract_boxed(r"\boxed{12} ... Corrected: \boxed{-12}") == "-12"
    assert extract_boxed(r"\boxed{1/2} is wrong, \boxed{1/3}") == "1/3"
    assert extract_boxed(r"\boxed{1} \fbox{2}") == "2"


@pytest.mark.parametrize("bad", [r"\boxed{", r"\boxed{4", r"\boxed{}", r"\boxed{ }", r"\boxed{{}}"])
def test_an_open_or_empty_box_is_skipped(bad):
    assert extract_boxed(bad) is None
    assert extract_boxed(r"\boxed{3} then " + bad) == "3"


def test_a_box_left_open_does_not_swallow_a_later_one():
    assert extract_boxed(r"\boxed{ oops. Again: \boxed{4} }") == "4"
    assert extract_boxed(r"\boxed{ oops. Again: \boxed{4}") == "4"


def test_nested_boxes_are_unwrapped():
    assert extract_boxed(r"\boxed{\boxed{3}}") == "3"
    assert extract_boxed(r"\boxed{ \fbox{ \boxed{3} } }") == "3"
    assert extract_boxed(r"\boxed{\boxed{}}") is None


def test_escaped_braces_do_not_close_a_box():
    assert extract_boxed(r"\boxed{3\}") is None
    assert extract_boxed(r"\boxed\{3\}") is None


def test_digits_right_after_the_command_count_and_nothing_else_without_braces():
    assert extract_boxed(r"$\boxed 5$") == "5"
    assert extract_boxed(r"\boxed{1}, no: \boxed 12.") == "12"
    assert extract_boxed(r"\boxed{\boxed 7}") == "7"
    for text in (r"\boxed 5x", r"\boxed 5.2", r"\boxed x", r"\boxed \frac12", r"\boxedtext{5}"):
        assert extract_boxed(text) is None


def test_only_the_end_of_a_huge_text_is_read():
    assert extract_boxed(r"\boxed{3}" + " " * 200_000) is None
    assert extract_boxed(" " * 1_000_000 + r"\boxed{3}") == "3"
    assert extract_boxed(r"\boxed{" + "1" * 200_000 + "}") is None
    assert extract_boxed(r"\boxed{" + "1" * 199_990 + "}") == "1" * 199_990
    assert extract_boxed(r"\boxed{" + "x" * 200_000 + r"\boxed{3} }") == "3"
    assert extract_marked("The answer is 3\n" + "x" * 5_000) is None
    assert extract_marked("The answer is 3\n" + "Answer:\n" * 63) == "3"
    assert extract_marked("The answer is 3\n" + "Answer:\n" * 64) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("16 - 3 = 13\n#### 1,234", "1,234"),
        ("#### -3/4\n", "-3/4"),
        ("#### $18.", "18"),
        ("The answer is 5.", "5"),
        ("the ANSWER IS: 0.5", "0.5"),
        ("Answer: 7\r\nbye", "7"),
        ("**Answer:** 7", "7"),
        ("**Answer**: **7**", "7"),
        ("Final answer: `east`.", "east"),
        ('The answer is "east".', "east"),
        (r"The final answer is $\frac{1}{2}$. I hope it is correct.", r"\frac{1}{2}"),
        ("The answer is 3.5. I hope", "3.5"),
        ("The answer is 0.333...", "0.333..."),
        ("Answer: 4\nNo, wait. The answer is 6", "6"),
        ("Answer: 4 or rather answer: 6", "6"),
        ("The answer is 6\nAnswer:", "6"),
        ("Final Answer: 5", "5"),
        (r"The answer is: \(5\)", r"\(5\)"),
        ("So the answer is $5$.", "5"),
        ("**Answer** \u2014 5", "5"),
        ("Final answer - 5", "5"),
        ("The answer = 5", "5"),
        ("__Answer:__ 5", "5"),
        ('{"answer": 5', "5"),
        ("<answer>5</answer>", "5"),
        ("<answer>\n5\n</answer>", "5"),
        ("The answer is **5** apples.", "5 apples"),
        ("Answer: 2**3**4", "2**3**4"),
        ("The answer is 5, because 2 + 3 is.", "5"),
        (r"The answer is $\frac{1}{2}$ because", r"\frac{1}{2}"),
        ("The answer is not 5. The answer is 6.", "6"),
        ("The answer is 6. Surely the answer is not 5.", "6"),
        (r"The answer is 5. \boxed{", "5"),
    ],
)
def test_a_marked_answer_is_read_from_its_line(text, answer):
    assert extract_marked(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\u7b54\u6848\u662f 5", "5"),
        ("\u7b54\u6848\uff1a5", "5"),
        ("\u7b54\u6848: 5\u3002", "5"),
        ("\u6240\u4ee5\uff0c\u6700\u7ec8\u7b54\u6848\u4e3a\uff1a**5**\u3002", "5"),
        ("**\u7b54\u6848\uff1a** $5$", "5"),
        ("\u7b54\u6848\u5e94\u4e3a5\u3002\u56e0\u4e3a2+3=5", "5"),
        ("\u7b54\u6848\u662f5\uff0c\u56e0\u4e3a2+3=5", "5"),
        ("\u7b54\u6848\u70ba 1.5\u3002", "1.5"),
        (
            "\u7b54\u6848\u662f 6\n\u7b54\u6848\u662f\u5426\u6b63\u786e\uff1f",
            "6",
        ),  # is the answer right?
        ("\u7b54\u6848\u662f 6\n\u7b54\u6848\u4e0d\u662f 5", "6"),  # the answer is not 5
    ],
)
def test_chinese_marks_count(text, answer):
    assert extract_marked(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("**Final Answer**\n5", "5"),
        ("### Final Answer\n\n$5$\n\nThis is it.", "5"),
        ("Answer:\r\n\r\n5", "5"),
        ("The answer is:\n\\[\n\\frac{1}{2}\n\\]", r"\frac{1}{2}"),
        ("The answer is \\[ 5 \\].", "5"),
        ("Answer:\nFirst we add 2 and 3.", None),
        ("Answer:\n1. Add 2 and 3", None),
        ("Answer:\n2 + 3 = 5", None),
        ("Answer:\n\\boxed{", None),
        ("####\n5", None),
    ],
)
def test_the_next_line_is_an_answer_only_if_it_is_a_bare_value(text, answer):
    assert extract_marked(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "", "12", "so we get 3.", "#### Step 3: add", "#### 1. Find the sum", "Answer:\n",
        "answer is .", "the answer isn't 5", "Answer: **", r"Answer: \boxed{",
        r"The answer is \boxed{}", "the answer is not 5", "##### 5", "no answer - 5", r"Answer: \[",
        "the answers are 5 and 6",
    ],
)  # fmt: skip
def test_what_is_not_marked_is_no_answer(text):
    assert extract_marked(text) is None
    assert extract_answer(text, truncated=False) is None


def test_no_last_number_is_guessed():
    assert extract_answer("First 3, then 4, so 7", truncated=False) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("First 3, then 4, so 7", "7"),
        ("so 7.", "7"),
        ("1,234,567 in all", "1,234,567"),
        ("(1,2)", "2"),
        ("it is 3.14.", "3.14"),
        ("it is .5", ".5"),
        ("a ratio of 3/4", "3/4"),
        ("a ratio of 3 / 4!", "3 / 4"),
        (r"so \frac{3}{4}", r"\frac{3}{4}"),
        (r"so -\dfrac{3}{4}$", r"-\dfrac{3}{4}"),
        ("x = -5", "-5"),
        ("10-5", "5"),
        ("-$5", "-$5"),
        ("50%", "50%"),
        (r"$50\%$", r"50\%"),
        ("5 then x2", "5"),
        ("5 on 3/4/2020", "5"),
        ("5 at 3:45", "3"),
        ("5 the 3rd", "5"),
        ("5x", "5"),
        ("2.5e-3 m", "2.5e-3"),
        ("\u51715\u4e2a", "5"),
        ("7" + " " * 5_000, None),
        ("1" * 5_000, None),
        ("none", None),
        ("", None),
    ],
)
def test_the_last_number_is_guessed_on_request(text, number):
    assert extract_last_number(text) == number


def test_a_guess_is_no_answer_where_there_is_a_box_a_mark_or_a_cut():
    assert extract_answer("so 7", truncated=False, last_number=True) == "7"
    assert extract_answer("so 7", truncated=True, last_number=True) is None
    assert extract_answer("The answer is 6. So 7", truncated=False, last_number=True) == "6"
    assert extract_answer(r"\boxed{x} or 7", truncated=False, last_number=True) == "x"
    assert extract_answer("<think>7</think>", truncated=False, last_number=True) is None


def test_a_box_goes_before_a_marked_answer():
    assert extract_answer(r"\boxed{3} So the answer is 4", truncated=False) == "3"


def test_a_truncated_completion_answers_only_with_a_complete_box():
    assert extract_answer("The answer is 5", truncated=True) is None
    assert extract_answer("ok 3. Next, step 3", truncated=True) is None
    assert extract_answer(r"\boxed{1", truncated=True) is None
    assert extract_answer(r"\boxed 12", truncated=True) is None
    assert extract_answer(r"\boxed 5.", truncated=True) is None
    assert extract_answer(r"\boxed 5,", truncated=True) is None
    assert extract_answer(r"\boxed{5}.", truncated=True) == "5"
    assert extract_answer(r"\boxed 12", truncated=False) == "12"
    assert extract_answer(r"\boxed{42} and then 3", truncated=True) == "42"


def test_reasoning_is_no_answer():
    assert strip_reasoning("a<think>b</think>c<think>d</think>e") == "ace"
    assert strip_reasoning("a<think>b") == "a"
    assert strip_reasoning("opened in the prompt</think>c") == "c"
    assert extract_answer(r"<think>\boxed{3}</think>", truncated=False) is None
    assert extract_answer(r"<think>\boxed{3}", truncated=True) is None
    assert extract_answer(r"<think>\boxed{3}</think>\boxed{4}", truncated=False) == "4"


@given(st.text() | SCRAPS, st.booleans(), st.booleans())
def test_any_text_gives_a_stripped_answer_or_none(text, truncated, last_number):
    answer = extract_answer(text, truncated=truncated, last_number=last_number)
    assert answer is None or (answer and answer == answer.strip())


@given(SCRAPS, st.integers())
def test_a_box_at_the_end_is_found_after_any_text_outside_of_reasoning(text, number):
    text = text.replace("<think>", "") + rf" \boxed{{{number}}}"
    assert extract_answer(text, truncated=True) == str(number)


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{", r"\boxed{1}", r"\boxed", r"\boxed 1", "\\boxed   ", "{", "}", "{}", "\\", r"\{",
        "$", " ", "\n", "1", "1.", "answer", "answer is ", "answer:\n", "answer***", "####", "*",
        "<think>", "</think>", "<think></think>", "<", "\u0301\u0316", "\x00", "\ud800",
        "\u7b54\u6848\u662f", "\u7b54\u6848", "final answer\n", "<answer>", "the final ", "**a** ", r"\[",
        ",", "1,000,", "1/", "1 / ", "-", ".1", r"\frac{1}{", "1e", "1%", "because ", "\n\n", "\n#",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_no_time(piece, calls_in):
    text = piece * (1_000_000 // len(piece))

    def read():
        extract_answer(text, truncated=False, last_number=True)
        extract_answer(text, truncated=True)
        extract_boxed(text + "}" * 100_000)
        extract_boxed(r"\boxed{" + text)

    assert calls_in(read) <= len(text)
