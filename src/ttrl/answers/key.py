r"""The canonical key of an answer: two answers are equal exactly when their keys are equal.

Equality is then symmetric, transitive and independent of order, and a vote is a count of keys.

    ("n", 1, 2)        a number in lowest terms: 0.5, 1/2, \frac12, 5e-1; decimals are exact
    ("n%", 50, 1)      a percentage: 50% is neither 50 nor 0.5
    ("t", "east")      anything else, by its folded spelling
    ("t", hash, size)  a long one, so that memory stays bounded

Nothing is evaluated, no float is involved, and limits come before arithmetic.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from fractions import Fraction

from ttrl.types import AnswerKey

KEY_LIMIT = 400
"""Characters of a number or a text that is kept as it is."""
SPELLING_LIMIT = 1_000
"""Characters of an answer whose spelling is worked on; longer ones are only squeezed and folded."""
EXPONENT_LIMIT = 400


def answer_key(answer: str) -> AnswerKey | None:
    """The key of an answer, or None if it says nothing. Never raises, whatever the string."""
    squeezed = " ".join(answer.split())
    if len(squeezed) > SPELLING_LIMIT:
        return _text_key(squeezed.casefold())
    text = _unwrapped(_plain_spelling(squeezed))
    if not text:
        return None
    return _number_key(text) or _text_key(text)


# One spelling for what is written the same ---------------------------------------------------

_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070-\u207f]+")
_LOWERED = re.compile("[\u2080-\u208e]+")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
        **dict.fromkeys("\u2044\u2215", "/"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
        **dict.fromkeys("\u00b7\u22c5", r"\cdot "),
        "\u00d7": r"\times ",
        "\u3002": ".",
    }
)
_LATEX = (
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r",\\! ?|\{,\}"), ","),  # 1,\!234 and 1{,}234
    (re.compile(r"(?<!\\)\\!"), ""),
    (re.compile(r"(?<!\\)\\[,;: ]"), " "),
    (re.compile(r"\\([$%])"), r"\1"),
)
_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it)|mbox) ?\{(.*)\}")
_BRACE = re.compile(r"\\.|[{}]")


def _plain_spelling(text: str) -> str:
    """Folded by NFKC and case, with one spelling for signs, fractions and spaces.

    NFKC alone would invent numbers: "5" with a raised 2 as 52, "3" with the sign of one half as
    31/2, a circled 1 and a circled 2 as 12. Those are spelled out before it runs.
    """
    if not text.isascii():
        text = _RAISED.sub(lambda run: _script("^", run[0]), text)
        text = _LOWERED.sub(lambda run: _script("_", run[0]), text)
        text = _NOT_ASCII.sub(lambda character: _spelled_out(character[0]), text)
        text = _nfkc(_nfkc(text).casefold()).translate(_SAME)
    text = text.casefold()
    for pattern, spelling in _LATEX:
        text = pattern.sub(spelling, text)
    return " ".join(text.split())


def _unwrapped(text: str) -> str:
    """Without math delimiters, text commands, markdown and one final period around it."""
    before = None
    while text != before:
        before = text
        text = text.strip(" $").rstrip(" $\\")
        if text.endswith(".") and not text.endswith(".."):  # 0.333... is not 0.333
            text = text[:-1]
        for opening, closing in _PAIRS:
            inner = text[len(opening) : -len(closing)]
            if text == opening + inner + closing and closing not in inner:
                text = inner
        if (wrapper := _TEXT.fullmatch(text)) and _balanced(wrapper[1]):
            text = wrapper[1]
    return text


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _script(mark: str, run: str) -> str:
    plain = _nfkc(run)
    return mark + plain if len(plain) == 1 else f"{mark}{{{plain}}}"


def _spelled_out(character: str) -> str:
    kind = unicodedata.decomposition(character).partition(" ")[0]
    plain = _nfkc(character)
    above, _, below = plain.partition("\u2044")
    if kind == "<fraction>" and below:
        return rf"\frac{{{above}}}{{{below}}}"
    if kind not in ("", "<wide>", "<font>") and any(c.isdigit() for c in plain):
        return f" {plain} "
    return character


def _balanced(text: str) -> bool:
    depth = 0
    for token in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth < 0:
            return False
    return depth == 0


# Numbers -------------------------------------------------------------------------------------

_PLAIN = r"(?:(?:\d+|(?!0)\d{1,3}(?:,\d{3})+)(?:\.\d*)?|\.\d+)"
_SPACED = r"(?!0)\d{1,3}(?: \d{3})+(?:\.\d*)?"
_ARGUMENT = rf"(?:\{{ ?([+-]? ?(?:{_PLAIN}|{_SPACED})) ?\}}|(\d))"

_LEFT_HAND_SIDE = re.compile(r"[^\W\d_] ?= ?")
_SIGN = re.compile(r"([+-]?) ?\$? ?")
_DECIMAL = re.compile(rf"{_PLAIN}|{_SPACED}")
_FRAC = re.compile(rf"\\frac ?{_ARGUMENT} ?{_ARGUMENT}")
_SLASH = re.compile(rf"({_PLAIN}) ?/ ?([+-]? ?{_PLAIN})")  # 1 234/5 may be a mixed number
_POWER_OF_TEN = re.compile(
    rf"({_PLAIN})e([+-]?\d+)"
    rf"|(?:({_PLAIN}) ?(?:\\times|\\cdot|\*) ?)?10 ?\^ ?(?:\{{ ?([+-]? ?\d+) ?\}}|([+-]?\d+))"
)


def _number_key(text: str) -> AnswerKey | None:
    if len(text) > KEY_LIMIT:
        return None
    if left := _LEFT_HAND_SIDE.match(text):
        text = text[left.end() :]
    number = text.removesuffix("%")
    value = _number(number.rstrip())
    if value is None:
        return None
    return "n" if number == text else "n%", value.numerator, value.denominator


def _number(text: str) -> Fraction | None:
    sign = _SIGN.match(text)
    if sign is None:
        return None
    value = _unsigned(text[sign.end() :])
    return -value if value is not None and sign[1] == "-" else value


def _unsigned(text: str) -> Fraction | None:
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    if quotient := _FRAC.fullmatch(text) or _SLASH.fullmatch(text):
        above, below = (_decimal(part) for part in quotient.groups() if part is not None)
        return above / below if below else None
    if product := _POWER_OF_TEN.fullmatch(text):
        factor = _decimal(product[1] or product[3] or "1")
        exponent = int((product[2] or product[4] or product[5]).replace(" ", ""))
        if abs(exponent) <= EXPONENT_LIMIT:
            power = Fraction(10 ** abs(exponent))
            return factor * power if exponent >= 0 else factor / power
    return None


def _decimal(text: str) -> Fraction:
    """Exact value of a signed decimal, with or without separators of thousands."""
    digits = text.lstrip("+- ").replace(",", "").replace(" ", "")
    whole, _, part = digits.partition(".")
    value = Fraction(int(whole + part), 10 ** len(part))
    return -value if text.startswith("-") else value


# Everything else -----------------------------------------------------------------------------

_IDLE_SPACE = re.compile(r" (?=[^\w ])|(?<=[^\w ]) ")


def _text_key(text: str) -> AnswerKey:
    """Spaces beside punctuation say nothing: (3, 4] is (3,4]."""
    text = _IDLE_SPACE.sub("", text)
    if len(text) <= KEY_LIMIT:
        return "t", text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return "t", digest.hexdigest(), len(text)
