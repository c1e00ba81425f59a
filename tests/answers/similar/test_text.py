"""ROUGE by hand, against rouge-score, and on what rouge-score cannot read."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl.answers.similar.text import (
    CHARACTER_LIMIT,
    TOKEN_LIMIT,
    text_similarity,
    tokenize,
)


def rouge_tokenize(text):
    """The tokens of rouge-score without stemming."""
    return re.findall("[a-z0-9]+", text.lower())


MEASURES = ("rouge-l", "rouge-1", "rouge-2")
WORDS = st.lists(
    st.sampled_from(
        [
            "the", "The", "cat", "sat", "on", "a", "mat", ".", ",", "7", "-", "x_1", "caf\u00e9",
            "A\u0301", "\u732b",
        ]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=20), max_size=6)
CHINESE = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002"


def pair(one: str, other: str, **options) -> float:
    return float(text_similarity([one, other], **options)[0, 1])


@pytest.mark.parametrize(
    ("one", "other", "rouge_l", "rouge_1", "rouge_2"),
    [
        ("the cat sat", "the cat ran", 2 / 3, 2 / 3, 1 / 2),
        ("the cat sat", "the cat sat", 1, 1, 1),
        ("the cat sat", "THE CAT SAT", 1, 1, 1),
        ("a b c d", "d c b a", 1 / 4, 1, 0),
        ("a b c d", "a c", 2 * 2 / 6, 2 * 2 / 6, 0),
        ("a a a", "a", 2 * 1 / 4, 2 * 1 / 4, 0),  # clipped: the second text has one "a" to share
        ("a a a", "a a", 2 * 2 / 5, 2 * 2 / 5, 2 * 1 / 3),
        ("a b", "c d", 0, 0, 0),
        ("a", "a", 1, 1, 0),  # one token has no bigram
        ("", "", 0, 0, 0),
        ("", "a b", 0, 0, 0),
        ("x = 1 + 2", "x = 1 - 2", 4 / 5, 4 / 5, 1 / 2),
    ],
)
def test_similarity_by_hand(one, other, rouge_l, rouge_1, rouge_2):
    found = [pair(one, other, measure=measure) for measure in MEASURES]
    assert found == pytest.approx([rouge_l, rouge_1, rouge_2], abs=1e-15)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat's 2nd mat.", ["the", "cat", "'", "s", "2nd", "mat", "."]),
        ("x_1+=2", ["x_1", "+", "=", "2"]),
        (CHINESE, list(CHINESE)),
        ("GPT\u662f2\u4e2a", ["gpt", "\u662f", "2", "\u4e2a"]),
        ("\ud55c\uad6d\uc5b4", ["\ud55c", "\uad6d", "\uc5b4"]),
        ("\u304b\u306a\u30ab\u30ca", ["\u304b", "\u306a", "\u30ab", "\u30ca"]),
        ("\u0e44\u0e17\u0e22", ["\u0e44", "\u0e17", "\u0e22"]),
        ("\u041c\u0418\u0420 \u0434\u0430", ["\u043c\u0438\u0440", "\u0434\u0430"]),
        ("\uff21\uff22\uff11 \ufb01n STRA\u00dfE", ["ab1", "fin", "strasse"]),
        ("e\u0301te\u0301", ["\u00e9t\u00e9"]),
        (" \t\n\u3000", []),
    ],
)  # fmt: skip
def test_tokens_are_words_marks_and_characters_of_unspaced_scripts(text, tokens):
    assert tokenize(text) == tokens


def test_chinese_agrees_with_itself_and_partly_with_a_variant():
    assert pair(CHINESE, CHINESE) == 1
    assert pair(CHINESE, CHINESE.replace("\u597d", "\u51b7")) == 6 / 7
    assert pair(CHINESE, CHINESE, tokenizer=rouge_tokenize) == 0


def test_half_width_and_composed_spellings_are_equal():
    assert pair("\uff11 + \uff12", "1 + 2") == 1
    assert pair("caf\u00e9 noir", "CAFE\u0301 noir") == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_same_numbers_as_rouge_score(measure):
    scoring = pytest.importorskip("rouge_score.rouge_scorer")
    name = measure.replace("-", "").replace("l", "L")
    scorer = scoring.RougeScorer([name], use_stemmer=False)

    @settings(deadline=None, max_examples=150)
    @given(WORDS | st.text(max_size=30), WORDS | st.text(max_size=30))
    def agrees(one, other):
        theirs = scorer.score(one, other)[name].fmeasure
        ours = pair(one, other, measure=measure, tokenizer=rouge_tokenize)
        assert ours == pytest.approx(theirs, abs=1e-12)

    agrees()


@given(TEXTS, st.sampled_from(MEASURES), st.randoms(use_true_random=False))
def test_symmetric_in_range_and_free_of_order(texts, measure, random):
    similarity = text_similarity(texts, measure=measure)
    assert similarity.shape == (len(texts), len(texts)) and similarity.dtype == np.float64
    assert (similarity == similarity.T).all()
    assert ((similarity >= 0) & (similarity <= 1)).all()
    has_units = [len(tokenize(text)) >= (2 if measure == "rouge-2" else 1) for text in texts]
    assert np.diagonal(similarity).tolist() == [float(has) for has in has_units]
    order = random.sample(range(len(texts)), len(texts))
    shuffled = text_similarity([texts[i] for i in order], measure=measure)
    assert (shuffled == similarity[np.ix_(order, order)]).all()


def test_only_the_first_tokens_and_characters_count():
    words = [f"w{i}" for i in range(TOKEN_LIMIT)]
    assert pair(" ".join([*words, "one"]), " ".join([*words, "other"])) == 1
    assert pair(" ".join(["one", *words]), " ".join(["other", *words])) < 1
    assert pair("a b" + " " * CHARACTER_LIMIT + "c", "a b") == 1


@pytest.mark.parametrize(
    "text",
    [
        "a " * 500_000, "-" * 10**6, "a\u0301\u0327" * 300_000, "\u0301\u0327" * 500_000,
        "\ufdfa" * 10**6, "\x00\ud800" * 500_000, "\u4e00" * 10**6,
    ],
)  # fmt: skip
def test_a_megabyte_is_cheap(text, calls_in):
    texts = [text, text + "b", "b" + text]
    assert text_similarity(texts)[0, 1] == 1
    assert calls_in(lambda: text_similarity(texts)) <= 10_000
    assert len(tokenize(text[:60_000])) >= 1
    assert calls_in(lambda: tokenize(text[:60_000])) <= 1_000
