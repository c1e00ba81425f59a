"""A letter counts where an answer is stated; articles, variables and two letters are none."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.choice import choice_key, extract_choice, find_options

METALS = ("iron", "a strong acid", "gold", "It is 5 cm.")
SCRAPS = st.lists(
    st.sampled_from(
        [
            r"\boxed{", r"\text{", r"\textbf{(", "{", "}", "(", ")", "A", "B", "C", "I", "a", "c",
            "E", ".", ":", ",", " ", "\n", "$", "**", "_", "\\", r"\(", " - ", "and", " or ",
            "The answer is", "Answer:", "option", "correct choice is", "because", "iron", "gold",
            "a strong acid", "<think>", "</think>", "<answer>", "\u7b54\u6848\u662f", "\uff08",
            "\uff23", "\u3001", "\u6545\u9009", "\x00", "\ud800", "\ufdfa",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip
OPTIONS = st.lists(st.sampled_from([*METALS, "", "A", "c", "c d", "5"]) | SCRAPS, max_size=11)


def choice(text, options=METALS, truncated=False):
    return extract_choice(text, options=options, truncated=truncated)


# The options of a prompt ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ("Q?\n(A) one\n(B) two\n(C) three\n", ("one", "two", "three")),
        ("Q?\nA) one\nB) two\n\nAnswer with a letter.", ("one", "two")),
        ("Q?\r\nA. one\r\nB. two\r\nAnswer:", ("one", "two")),
        ("A: one\nB: two", ("one", "two")),
        ("[A] one\n[B] two", ("one", "two")),
        ("**A.** one\n**B.** two", ("one", "two")),
        ("**A**. one\n**B**. two", ("one", "two")),
        ("**(A)** one\n**(B)** two", ("one", "two")),
        ("**A. one**\n**B. two**", ("one", "two")),
        ("- A) one\n- B) two", ("one", "two")),
        ("> A. one\n> B. two", ("one", "two")),
        ("A)\n  one\nB)\n  two\nAnswer:", ("one", "two")),
        ("A) one\n   and more\nB) two", ("one and more", "two")),
        ("Q? (A) one (B) two (C) three", ("one", "two", "three")),
        ("Q? A) one, B) two, or C) three", ("one", "two", "three")),
        ("Q? A. one; B. two; and C. three", ("one", "two", "three")),
        ("Q?\n(A) 1 (B) 2\n(C) 3 (D) 4\nAnswer:", ("1", "2", "3", "4")),
        ("(A)5(B)6", ("5", "6")),
        ("A) $x^2$\nB) $y$, $z$", ("$x^2$", "$y$, $z$")),
        (r"$\textbf{(A)}\ 5 \qquad\textbf{(B)}\ 6\qquad \textbf{(C)}\ 7$", ("5", "6", "7")),
        ("\uff08A\uff09\u7532\n\uff08B\uff09\u4e59", ("\u7532", "\u4e59")),
        ("A\u3001\u7532\nB\u3001\u4e59", ("\u7532", "\u4e59")),
        ("A\uff0e\u7532 B\uff0e\u4e59", ("\u7532", "\u4e59")),
        ("A) both\nB) f(A) = 5", ("both", "f(A) = 5")),
    ],
)
def test_every_common_form_of_options_is_read(prompt, options):
    assert find_options(prompt) == options


def test_options_go_up_to_j():
    lines = [f"{letter}. text {letter}" for letter in "ABCDEFGHIJKL"]
    options = find_options("\n".join(lines))
    assert options[:9] == tuple(f"text {letter}" for letter in "ABCDEFGHI")
    assert len(options) == 10


def test_the_last_list_counts():
    shots = "Q\nA. a\nB. b\nC. c\nAnswer: A\n\nQ\nA. d\nB. e\nAnswer:"
    assert find_options(shots) == ("d", "e")
    assert find_options("A. a\nB. b\n\nQ? (A) c (B) d (C) e") == ("c", "d", "e")


def test_mentions_of_options_are_not_options():
    prompt = "Q\n(A) one\n(B) two\n(C) both (A) and (B)\n(D) (A) or (B) alone\n"
    assert find_options(prompt) == ("one", "two", "both (A) and (B)", "(A) or (B) alone")
    assert find_options("A) one\nB) two\nC) both (A) and (B)")[2] == "both (A) and (B)"
    assert find_options("Q (A) one (B) not (C) (C) three")[0] == "one"


@pytest.mark.parametrize(
    "prompt",
    ["", "A. only", "B. x\nC. y", "A. x\nC. y", "Is it (A) or (B)?", "(A), (B), and (C)", "(a) x (b) y",
     "A) \nB) ", "Plan A. We go.", "e.g. A.1 and B.1", "f(A) g(B)"],
)  # fmt: skip
def test_what_is_no_list_has_no_options(prompt):
    assert find_options(prompt) == ()


# Boxes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "C", "(C)", r"\text{C}", r"\textbf{(C)}", r"\text{(C)}", "C) text", "C. text", "C: text",
        "c", "(c)", "Option C", r"\text{Option C}", "option (C)", "C.", "C)", "**C**", "$C$",
        r"\mathrm{C}", r"\mathbf{C}", r"\(C\)", "[C]", "{C}", r"\textbf{(C) } 5", "(C) text",
        r"\text{C) text}", r"\textbf{C: } text", "C - text", "\uff23", "\uff08C\uff09",
        "gold", "GOLD.", r"\text{gold}", r"$\text{ Gold }$", "C) gold", "Answer: C",
    ],
)  # fmt: skip
def test_a_box_names_a_letter_or_the_text_of_an_option(content):
    assert choice(rf"\boxed{{{content}}}") == "C"
    assert choice(rf"\boxed{{{content}}}", truncated=True) == "C"
    assert choice_key(content, METALS) == ("c", "C")


@pytest.mark.parametrize(
    "content",
    [
        "5", "E", "AC", "A, C", "A and C", "A/B", "(A)(C)", "(A), (C)", r"\text{A}, \text{C}",
        "C or D", "A strong", "C strong", "C_2", "C^2", "C = 5", "C+", "x", "f(C)", "none",
        "golden", "C) iron", "(x+1)(x-2)", "D-glucose", "CC", "B12",
    ],
)  # fmt: skip
def test_a_box_that_names_no_option_is_no_answer_and_there_is_no_falling_back(content):
    assert choice(rf"The answer is B. \boxed{{{content}}} Answer: B" + "\nB") is None
    assert choice_key(content, METALS) is None


def test_the_last_complete_box_decides():
    assert choice(r"\boxed{A} or \boxed{B}. The answer is C.") == "B"
    assert choice(r"\boxed{A} and \boxed{") == "A"
    assert choice(r"\boxed{B} Note that D is close") == "B"
    assert choice(r"<think>\boxed{B}</think> The answer is C.") == "C"
    assert choice(r"<think>\boxed{B}", truncated=True) is None


def test_the_text_of_an_option_goes_before_a_letter_with_a_text():
    assert choice(r"\boxed{C. elegans}", ("C. elegans", "b", "z")) == "A"
    assert choice(r"\boxed{A base}", ("base", "a base")) == "B"
    assert choice(r"\boxed{a strong acid}") == "B"


def test_what_fits_two_options_names_none():
    assert choice(r"\boxed{5}", ("5", "$5$.", "6")) is None
    assert choice(r"\boxed{c}", ("c", "2c", "3c", "4c")) is None
    assert choice(r"\boxed{C}", ("A", "B", "C", "D")) == "C"


# Marks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "The answer is C", "The answer is C.", "The answer is (C).", "the answer is **C**.",
        "Answer: C", "**Answer: C**", "**Answer:** C", "answer is: C) gold", "answer is c",
        "The correct answer is C because it is.", "The correct option is C", "Option: C",
        "Correct choice is: (C)", "The answer is option C.", "Answer: **Option C**",
        r"The answer is $\text{C}$.", r"The answer is \(\textbf{(C)}\).", 'The answer is "C".',
        "The answer is C, since", "The answer is C: text", "The answer is C - text",
        "The answer is C \u2014 text", "The answer is C It", "Answer: C!", "Answer: C</s>",
        "<answer>C</answer>", "<answer>\nC\n</answer>", "Answer:\nC", "Answer:\n\n**C**\nbecause",
        "The answer is gold", "The answer is Gold. It shines.", "Answer: **gold**", "Answer:\ngold",
        "Answer: C) gold. It shines.", "Answer: c) text", "The answer is the option C",
        "The answer is D. No, the answer is C. It has a longer D",
        "The answer is C. In short, the answer is a base.", "Answer: C\nThe answer is not A.",
        r"The answer is C. \boxed{", "The answer is C, a base.", "The answer is C, A is wrong.",
        "\u7b54\u6848\u662fC", "\u7b54\u6848\uff1aC\u3002", "\u7b54\u6848\u662f\uff1a**C**\u3002",
        "\u7b54\u6848\u4e3a\uff08C\uff09", "\u7b54\u6848\u662f C\uff0c\u56e0\u4e3a",
        "\u7b54\u6848\u662f\u9009\u9879C", "\u6545\u9009\uff1aC\u3002", "\u7b54\u6848\u9009C",
        "\u6b63\u786e\u9009\u9879\u662f C", "\u7b54\u6848\u662fC\u9879", "\u7b54\u6848\uff1a\uff23",
    ],
)  # fmt: skip
def test_a_mark_names_a_letter_that_stands_alone_or_an_option(text):
    assert choice(text) == "C"
    assert choice("I think. A base is B.\n" + text) == "C"
    assert choice(text, truncated=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "The answer is A", "The answer is A.", "answer is a", "answer is a.", "answer is (A) base",
        "answer is (a) base", "The answer is A because", "The answer is A, because", "Answer: A; so",
        "The answer is A: x", "The answer is A) x", "The answer is A. x", "The answer is A - x",
        "**Answer: A**", "Answer: **A** because", "The answer is A as", "The answer is A, since",
        "The answer is A (iron).", "Answer: A is correct", "Answer: A\nA base is",
    ],
)  # fmt: skip
def test_a_letter_a_that_is_no_article_counts(text):
    assert choice(text) == "A"


@pytest.mark.parametrize(
    "text",
    [
        "The answer is a strong base", "Answer: A base is", "The answer is A base", "Answer: A Lewis acid",
        "The answer is a 5", "Answer: **a** base", "The answer is A (strong) acid", "Answer: a so-called",
        "The answer is I think C", "The answer is D-glucose", "The answer is C = 5", "Answer: C + D",
        "Answer: C/2", "The answer is C^2", "The answer is C_2", "The answer is CO",
        "Answer: B12", "The answer is C and D", "Answer: C, D", "Answer: B or C", "Answer: (B), (C)",
        "Answer: (B) and (C)", "Answer: B/C", "Answer: **B** and **C**", "options: B and C",
        "The answer is E", "Answer: (E)", "The answer is C. The answer is E.",
        "The answer is c squared",
        "Is the answer C?", "The answer is C?", "The answer is not C", "The answer isn't C", "Answer:",
        "Answer: (C) iron", "Note that C is best", "One option is C-H", "An answer with C",
        r"Answer: \boxed{C",
        "\u7b54\u6848\u662fC\u3001D", "\u7b54\u6848\u4e0d\u662fC", "\u7b54\u6848\u662f\u5426C",
        "Answer:\nC) x\nD) y", "", "\n", "because of C",
    ],
)  # fmt: skip
def test_articles_variables_and_two_letters_name_nothing(text):
    assert choice(text) is None


def test_a_letter_and_a_word_that_start_another_option_name_nothing():
    assert choice("The answer is B cells, which", ("x", "y", "B cells")) is None
    assert choice("The answer is B cells", ("x", "y", "B cells")) == "C"
    assert choice("The answer is B cells because", ("x", "y", "B cells")) == "C"
    assert choice("The answer is B cells, which", ("x", "B cells", "y")) == "B"


# The last line, unknown options, keys --------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["C", "(C)", "**C**", "C.", "$C$", "Option C", r"\text{C}", "c", "gold", "**Gold.**", "C)\n\n"],
)
def test_a_last_line_of_one_letter_or_one_option_counts(line):
    assert choice("Some words.\n" + line) == "C"


@pytest.mark.parametrize(
    "line", ["I am C", "C) gold", "C is", "x", "E", "I", "A and C", "gold or C"]
)
def test_another_last_line_does_not(line):
    assert choice("Some words.\n" + line) is None


def test_only_the_letters_of_the_options_are_answers():
    assert choice(r"\boxed{C}", ("x", "y")) is None
    assert choice(r"\boxed{D}", ()) == "D"
    assert choice(r"\boxed{E}", ()) is None
    assert choice(r"\boxed{J}", tuple("0123456789")) == "J"
    assert choice("The answer is I.", tuple("0123456789")) == "I"
    assert choice("The answer is I think J", tuple("0123456789")) is None


def test_the_key_is_the_letter():
    assert choice_key("b", ()) == choice_key("(B)", ()) == ("c", "B")
    assert choice_key("gold", METALS) == choice_key("C", METALS) == ("c", "C")
    assert choice_key("It is 5 cm", METALS) == ("c", "D")
    assert choice_key("C", ("c", "b", "a")) == ("c", "C")
    assert choice_key("c", ("c", "b", "a")) is None
    assert choice_key("", METALS) is None
    assert choice_key("gold", ()) is None


@given(st.text() | SCRAPS, OPTIONS, st.booleans())
def test_any_text_names_one_of_the_options_or_none(text, options, truncated):
    letter = choice(text, options, truncated)
    assert letter is None or letter in "ABCDEFGHIJK"[: len(options) or 4]
    assert letter is None or choice_key(letter, options) == ("c", letter)
    choice_key(text, options)


@given(st.text() | SCRAPS)
def test_any_prompt_has_options_or_none(text):
    options = find_options(text)
    assert options == () or 2 <= len(options) <= 10


@given(st.text("ABC abc.,\n()"), SCRAPS, st.booleans())
def test_prose_before_a_box_changes_nothing(prose, content, truncated):
    box = rf"\boxed{{{content}}}"
    if "boxed" not in content and "<" not in content and choice(box, truncated=True) is not None:
        assert choice(prose + box, truncated=truncated) == choice(box)


@given(st.lists(st.from_regex(r"[a-z]+( [a-z0-9]+){0,3}", fullmatch=True), min_size=2, max_size=10))
def test_a_list_is_read_as_it_was_written(texts):
    letters = "ABCDEFGHIJ"
    for form in ("({}) {}", "{}) {}", "{}. {}", "**{}.** {}"):
        lines = [form.format(*pair) for pair in zip(letters, texts, strict=False)]
        assert find_options("Which?\n" + "\n".join(lines) + "\nAnswer:") == tuple(texts)


@pytest.mark.parametrize(
    "piece",
    [
        "answer is ", "answer is A ", "answer: ", "answer:\n", "(A)", "A", "A ", "A. ", "A) ", "A: ",
        "A. x B. ", "(A)(B)", "(A) x (B) y ", "(A)\n(B)\n", "A) x\n", "\\boxed{", r"\boxed{A} ",
        r"\text{", r"\text{A}", r"\textbf{(A)} ", "**", "*", "_", "(", "option ", "the ", "A, ",
        "A and ", " ", "\n", "$", "\\", r"\quad", "}", "\u0301\u0316", "\ufdfa", "\ufeff", "\ud800",
        "\u7b54\u6848\u662f", "\u6545\u9009", "- ", "a.", "because ", "| ",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_no_time(piece, calls_in):
    text = piece * (1_000_000 // len(piece))

    def read():
        choice(text)
        choice(text, truncated=True)
        choice("Answer: " + text)
        choice("Answer: " + text[:900], (text[:900], text))
        choice_key(text, METALS)

    assert calls_in(read) <= len(text)
    assert calls_in(partial(find_options, text[:200_000])) <= 9 * 200_000


@pytest.mark.parametrize(
    "text",
    [
        "The answer is a given.",
        "The answer is a, well, good one",
        "Answer: a - b",
        "The answer is a: x",
    ],
)
def test_a_lower_case_a_in_a_sentence_is_an_article(text):
    assert extract_choice(text, options=["u", "v"], truncated=False) is None
    assert extract_choice("The answer is (a).", options=["u", "v"], truncated=False) == "A"
