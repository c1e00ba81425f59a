"""A completion names a label where an answer is stated, by its folded spelling and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.label import extract_label, folded_text, label_key

MOODS = ("Positive", "Negative", "Very positive")
SCRAPS = st.lists(
    st.sampled_from(
        [
            r"\boxed{", r"\text{", "{", "}", "positive", "Negative", "very", ".", ":", " ", "\n",
            "$", "**", "_", "'", '"', "\\", r"\(", r"\)", "Label:", "The sentiment is", "answer is",
            "because", "<think>", "</think>", "<answer>", "\u6807\u7b7e\uff1a", "\u201c", "\u201d",
            "\x00", "\ud800", "\ufdfa", "\uff30",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip


def label(text, labels=MOODS, truncated=False):
    return extract_label(text, labels=labels, truncated=truncated)


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{Positive}", r"\boxed{\text{positive}.}", r"\boxed{ POSITIVE }", "Label: positive",
        "**Sentiment:** Positive.", "The sentiment is positive.", "The answer is **positive**.",
        "Category: `Positive`", 'Answer: "positive".', "The label is positive. It is kind.",
        "The answer is positive because it is kind", "Answer:\npositive\nIt is kind.",
        "Label: negative\nLabel: positive", "Label: positive\nThe answer is unclear",
        "The label is not negative.\npositive", "It is kind.\n**Positive**", "positive", " Positive. ",
        "<answer>positive</answer>", "\u6807\u7b7e\uff1apositive\u3002", "\u7b54\u6848\u662fpositive",
        "<think>Label: negative</think>positive", "\uff30ositive",
    ],
)  # fmt: skip
def test_a_label_is_given_back_as_listed(text):
    assert label(text) == "Positive"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{fine} Label: positive", "Label: positive or negative", "It is not positive",
        "not positive", "Label: positively kind", "I like the positive mood.", "positive\nor so", "",
        r"Label: \boxed{positive", "The label is not positive.", "Label:",
    ],
)  # fmt: skip
def test_no_label_is_looked_for_inside_of_a_sentence(text):
    assert label(text) is None


def test_the_last_box_decides_and_is_all_that_counts_in_a_cut_text():
    assert label(r"\boxed{positive} \boxed{negative} Label: positive") == "Negative"
    assert label(r"\boxed{positive} and then", truncated=True) == "Positive"
    assert label("Label: positive", truncated=True) is None
    assert label("positive", truncated=True) is None
    assert label(r"<think>\boxed{positive}", truncated=True) is None


def test_a_label_of_several_words_is_not_its_last_one():
    assert label("very\npositive") == "Positive"
    assert label("Label: very  positive") == "Very positive"
    assert label("very positive") == "Very positive"


def test_without_known_labels_a_stated_text_or_a_short_last_line_counts():
    assert label(r"\boxed{fine}", ()) == "fine"
    assert label("Category: sports news. It has a ball.", ()) == "sports news"
    assert label("Answer:\n**sports**\nIt has a ball.", ()) == "sports"
    assert label("It has a ball.\nsports", ()) == "sports"
    assert label("one two three four five", ()) == "one two three four five"
    assert label("one two three four five six", ()) is None
    for text in ("", ".", "Label:", r"Label: \boxed{fine", "sports\nLabel:"):
        assert label(text, ()) is None


def test_labels_of_one_spelling_are_one_label():
    assert label("YES", ("Yes", "yes", "no")) == "Yes"
    assert label("yes", ("", ".", "no")) is None


@pytest.mark.parametrize(
    "spelling",
    ["very positive", "Very  Positive", " VERY\npositive. ", r"\text{very positive}", "$very positive$",
     r"\textbf{\text{very} positive}.", "**very positive**", "`very positive`", '"Very positive."',
     "\u201cvery positive\u201d", r"\(\text{very positive}\)", "\uff36ery positive", "very positive\u3002"],
)  # fmt: skip
def test_every_spelling_of_a_label_has_one_key(spelling):
    assert label_key(spelling) == ("t", "very positive")


def test_different_labels_have_different_keys_and_nothing_has_none():
    spellings = ("a", "b", "a b", "ab", "a.b", "a...", "(a)", "[a]", "a'", "-a", "5", "5.0")
    assert len({label_key(spelling) for spelling in spellings}) == len(spellings)
    for text in ("", " \n", "$$", ".", r"\text{ }", '""'):
        assert label_key(text) is None


def test_long_texts_keep_their_identity_in_bounded_memory():
    for size in (400, 1_001, 100_000):
        key = label_key("a b" * size)
        assert key == label_key(" " + "A  B" * size + "\n")
        assert key != label_key("a b" * size + "c")
        assert len(repr(key)) < 100


@given(st.text() | SCRAPS, st.lists(st.text(max_size=5) | st.sampled_from(MOODS)), st.booleans())
def test_any_text_names_a_known_label_or_none(text, labels, truncated):
    found = label(text, labels, truncated)
    assert found is None or found in labels or (not labels and label_key(found) is not None)


@given(st.text() | SCRAPS)
def test_any_text_has_a_key_or_none_and_folds_once(text):
    folded = folded_text(text)
    assert folded_text(folded) == folded
    assert label_key(text) == label_key(folded)


@given(st.text("abc .,\n"), st.sampled_from(MOODS), st.booleans())
def test_prose_before_a_box_changes_nothing(prose, mood, truncated):
    assert label(rf"{prose}\boxed{{{mood}}}", truncated=truncated) == mood


@pytest.mark.parametrize(
    "piece",
    [
        "answer is ", "label: ", "label:\n", r"\boxed{", r"\text{", r"\text{a}", "$", "$.", "'", '"',
        "**", "_", ". ", " ", "\n", "a", "a ", "\\", r"\(", r"\(.", "\u0301\u0316", "\ufdfa", "\ud800",
        "\u6807\u7b7e\uff1a",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_no_time(piece, calls_in):
    def read(text):
        label(text)
        label(text, ())
        label(text, (text, "b"))
        label_key(text)
        label_key('"' * 200 + text[:600] + '"' * 200)

    for size in (1_000, 1_000_000):
        assert calls_in(lambda size=size: read(piece * (size // len(piece)))) <= 250_000
