r"""Normalises spellings: unicode, LaTeX synonyms, spaces and wrappers.

Case is kept, since R and r are two variables; only words drop it, where it says nothing. Every
scan is linear.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from itertools import groupby

from ttrl.types import AnswerKey

KEY_LIMIT = 400
"""Longest spelling, in characters, that a key contains as it is; a longer one is hashed."""
_NFKC_LIMIT = 4_000
"""Characters of a text that is normalised: many marks on one letter take quadratic time."""

# Unicode -------------------------------------------------------------------------------------

_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_SCRIPTS = {"<super>": "^", "<sub>": "_"}
_VULGAR = "\u00bc-\u00be\u2150-\u215f\u2189"
_RANGE = re.compile(  # no dash that is a minus: leading, after a letter or after an exponent
    rf"(?<![\w^.,:/])(\d[\d.,:/]*+ ?[{_VULGAR}]?|[{_VULGAR}])( ?[%\u00b0$]?) ?[\u2012\u2013]"
    rf"(?= ?\\?\$?[\d.{_VULGAR}])"
)
_SMALL_GREEK = (
    "alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon chi psi "
    "omega"
)
_CAPITAL_GREEK = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
_GREEK = {
    **dict(zip("αβγδζηθικλμνξρστυχψω", _SMALL_GREEK.split(), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΦΨΩ", _CAPITAL_GREEK.split(), strict=True)),
    "ε": "varepsilon", "ϵ": "epsilon", "φ": "varphi", "ϕ": "phi", "ϑ": "vartheta", "π": "pi",
}  # fmt: skip
_SYMBOLS = {
    "×": "times", "·": "cdot", "⋅": "cdot", "∙": "cdot", "÷": "div", "±": "pm", "∓": "mp",
    "∞": "infty", "∪": "cup", "∩": "cap", "∈": "in", "∉": "notin", "≤": "le", "≥": "ge",
    "⩽": "le", "⩾": "ge", "≠": "ne", "≈": "approx", "∅": "emptyset", "⌀": "emptyset",
    "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "⟨": "langle", "⟩": "rangle",
    "〈": "langle", "〉": "rangle", "…": "ldots", "⋯": "ldots", "∖": "setminus",
}  # fmt: skip
_KEPT_APART = {
    **{letter: rf"\{name} " for letter, name in (_GREEK | _SYMBOLS).items()},
    **{letter: rf"\mathbb{{{plain}}}" for letter, plain in zip("ℝℤℚℕℂ", "RZQNC", strict=True)},
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63", "-"),
    **dict.fromkeys("\u2044\u2215", "/"),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff", ""),
    **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad", ""),
    **dict.fromkeys("º˚", "°"),
    **dict.fromkeys("′’", "'"),
    "∗": "*", "∣": "|", "∛": r"\sqrt[3]√", "∜": r"\sqrt[4]√", "\u3002": ".", "µ": r"\mu ",
}  # fmt: skip
_SAME = str.maketrans(_KEPT_APART)
"""Read before NFKC, which would make an R of the sign of the reals, and after it as well."""

# LaTeX ---------------------------------------------------------------------------------------

_COMMAND = re.compile(r"\\(?:[A-Za-z]+|[^A-Za-z])")
_SAME_COMMAND = {
    **dict.fromkeys((r"\dfrac", r"\tfrac", r"\cfrac"), r"\frac"),
    **dict.fromkeys((r"\dbinom", r"\tbinom"), r"\binom"),
    **dict.fromkeys((r"\leq", r"\leqslant", r"\leqq"), r"\le"),
    **dict.fromkeys((r"\geq", r"\geqslant", r"\geqq"), r"\ge"),
    **dict.fromkeys((r"\lvert", r"\rvert", r"\vert", r"\mid"), "|"),
    **dict.fromkeys((r"\dots", r"\cdots", r"\dotsc", r"\dotsb"), r"\ldots"),
    **dict.fromkeys((r"\textrm", r"\textnormal", r"\mathrm", r"\mbox", r"\textup"), r"\text"),
    **dict.fromkeys((r"\textbf", r"\textit", r"\textsf", r"\texttt", r"\mathsf"), r"\text"),
    **dict.fromkeys((r"\left", r"\right", r"\middle", r"\big", r"\Big", r"\bigg", r"\Bigg"), ""),
    **dict.fromkeys((r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\biggl", r"\biggr"), ""),
    **dict.fromkeys((r"\,", r"\;", r"\:", r"\>", r"\ ", r"\quad", r"\qquad", r"\enspace"), " "),
    **dict.fromkeys((r"\displaystyle", r"\textstyle", r"\thinspace", r"\hfill"), " "),
    r"\!": "", r"\neq": r"\ne", r"\lt": "<", r"\gt": ">", r"\lbrace": r"\{", r"\rbrace": r"\}",
    r"\varnothing": r"\emptyset", r"\degree": "°", r"\textdegree": "°", r"\%": "%", r"\$": "$",
    r"\bar": r"\overline", r"\ast": "*", r"\fbox": r"\boxed", r"\lbrack": "[", r"\rbrack": "]",
}  # fmt: skip
_SEPARATOR = r"(?:\{,\}(?: ?\\!)* ?|,(?: ?\\!)+ ?)"
_THOUSANDS = re.compile(rf"(?<![\d.,}}])(?!0)\d{{1,3}}(?:{_SEPARATOR}\d{{3}})+(?!\d)")
_SEPARATORS = re.compile(_SEPARATOR)
_NOTHING_LEFT = re.compile(r"\\(?:left|right) ?\.")
_CIRCLE = re.compile(r" ?\^ ?(?:\{ ?\\circ ?\}|\\circ(?![A-Za-z]))")
_TEMPERATURE = re.compile(r"° ?(?:\\text ?\{ ?([CF]) ?\}|([CF])(?![^\W_]))")
_UNIT_FRACTION = re.compile(r"\\frac ?\{ ?\\text ?\{([^{}]*)\} ?\} ?\{ ?\\text ?\{([^{}]*)\} ?\}")
_HARD_SPACE = re.compile(r"(?<=[\w}])~(?=[\w\\])|(?<=\{)~(?=[A-Za-z])")
_PLUS_MINUS = re.compile(r"\+ ?/ ?-")


def plain_spelling(text: str) -> str:
    """Normalises the spelling of signs, fractions, commands and spaces.

    NFKC alone would invent numbers: "5" with a raised 2 as 52, "3" with the sign of one half as
    31/2, a circled 1 and a circled 2 as 12. Those are spelled out before it runs. An en dash
    between two numbers is the word "to": it makes a range, not a difference.
    """
    if not text.isascii():
        text = _compatible(text)
    if "\\" in text:
        text = _THOUSANDS.sub(lambda number: _SEPARATORS.sub("", number[0]), text)
        text = _NOTHING_LEFT.sub("", text)
        text = _COMMAND.sub(lambda command: _SAME_COMMAND.get(command[0], command[0]), text)
        text = _CIRCLE.sub("°", text)
        text = _UNIT_FRACTION.sub(r"\\text{\1/\2}", text)
    elif "{,}" in text:
        text = _THOUSANDS.sub(lambda number: _SEPARATORS.sub("", number[0]), text)
    if "°" in text:
        text = _TEMPERATURE.sub(lambda mark: rf"\text{{°{mark[1] or mark[2]}}}", text)
    if "~" in text:
        text = _HARD_SPACE.sub(" ", text)
    if "+" in text:
        text = _PLUS_MINUS.sub(r"\\pm ", text)
    return " ".join(text.split())


def _compatible(text: str) -> str:
    if "\u2013" in text or "\u2012" in text:
        text = _RANGE.sub(r"\1\2 to ", text)
    text = _NOT_ASCII.sub(_spelled_out_run, text)
    return _nfkc(text.translate(_SAME)).translate(_SAME)


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _spelled_out_run(run: re.Match[str]) -> str:
    parts = []
    for mark, part in groupby(run[0], key=_mark):
        if mark:
            plain = _nfkc("".join(part)).replace("\u2212", "-")
            parts.append(mark + plain if len(plain) == 1 else f"{mark}{{{plain}}}")
        else:
            parts += map(_spelled_out, part)
    return "".join(parts)


def _mark(character: str) -> str:
    """^ or _ for what is raised or lowered: 2 with a raised x is no 2x."""
    if character in _KEPT_APART:  # the ordinal sign that stands for degrees
        return ""
    return _SCRIPTS.get(unicodedata.decomposition(character).partition(" ")[0], "")


def _spelled_out(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    kind = unicodedata.decomposition(character).partition(" ")[0]
    plain = _nfkc(character)
    above, _, below = plain.partition("\u2044")
    if kind == "<fraction>" and below:
        return rf"\frac{{{above}}}{{{below}}}"
    if kind not in ("", "<wide>", "<font>") and any(c.isdigit() for c in plain):
        return f" {plain} "
    return character


# Wrappers ------------------------------------------------------------------------------------

_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))
_WRAPPER = re.compile(r"\\(?:text|boxed|mathbf|mathit|boldsymbol|bm) ?\{(.*)\}")
_OPTION = re.compile(r"\( ?\\text ?\{ ?([A-Za-z]) ?\} ?\)")
_BRACE = re.compile(r"\\.|[{}]")


def unwrapped(text: str) -> str:
    """Removes math delimiters, text commands, markdown and final punctuation around the answer."""
    before = None
    while text != before:
        before = text
        text = text.strip(" $").rstrip(" $\\,;")
        if text.endswith(".") and not text.endswith(".."):  # 0.333... is not 0.333
            text = text[:-1]
        for opening, closing in _PAIRS:
            inner = text[len(opening) : -len(closing)]
            if text == opening + inner + closing and closing not in inner:
                text = inner
        if (wrapper := _WRAPPER.fullmatch(text)) and _balanced(wrapper[1]):
            text = wrapper[1]
        elif option := _OPTION.fullmatch(text):
            text = option[1]
    return text


def _balanced(text: str) -> bool:
    depth = 0
    for token in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth < 0:
            return False
    return depth == 0


# Answers that are compared by their spelling --------------------------------------------------

_TEXT = re.compile(r"\\text ?\{([^{}]*)\}")
_MATHEMATICS = re.compile(r"\\[A-Za-z]|[\^_=<>+*|{}&°√]")
_WORD = re.compile(r"[^\W\d_]{2,}|\A[^\W\d_](?: [^\W\d_])+\Z")
_RUN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SHORTEST_WORD = 3
"""Letters of a word whose case says nothing."""
_SHORT_WORDS = "a b c d no on in up or if is it at by to so we he me my us"
_FOLDED = frozenset(_SHORT_WORDS.split())
"""Shorter ones: the letters of options, and words."""
_PAIRED = re.compile(r"(?:(.)\1)+")
"""AABB is not aabb: a genotype."""
_BARE = re.compile(r"[^\d\\^_=<>+*/|!{}&%°√-]*")
_FUNCTION = re.compile(
    r"\b(?:sin|cos|tan|cot|sec|csc|log|ln|lg|exp|sqrt|lim|gcd|lcm|mod|arc\w+|sinh|cosh|tanh)\b"
)
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_AFTER_DIGIT = re.compile(r"(?<=\d) (?=[A-Za-z])")  # 2 x, but not \sin x
_IDLE_SPACE = re.compile(r" (?=[^\w ])|(?<=[^\w ]) ")


def spelling_key(text: str) -> AnswerKey:
    """Returns the key of a spelling: ("t", ...) for words, folded, and ("s", ...) for unread mathematics.

    Words are runs of two letters or more without an operator or a command beside them: "5 apples"
    is text. Spaces beside punctuation say nothing: (3, 4] is (3,4].
    """
    words = " ".join(_TEXT.sub(r" \1 ", text).replace("$", " ").split())
    if _is_mathematics(words):
        return _bounded("s", _AFTER_DIGIT.sub("", _IDLE_SPACE.sub("", text)))
    if not words.isascii() and len(words) <= _NFKC_LIMIT:
        words = _compatible(words)
    words = _RUN.sub(_folded, words)
    words = _IDLE_SPACE.sub("", " ".join(words.split()))
    if words.endswith(".") and not words.endswith(".."):
        words = words[:-1]
    return _bounded("t", words)


def _folded(run: re.Match[str]) -> str:
    """A run of letters without its case, unless its case may matter: Mg, CO, AaBb, E."""
    letters = run[0]
    folded = letters.casefold()
    if len(letters) < _SHORTEST_WORD:
        formula = run.string[run.end() : run.end() + 1].isdigit()  # NO2 and No2
        return folded if folded in _FOLDED and not formula else letters
    if folded == letters:
        return letters
    title = letters[0].isupper() and letters[1:].islower()
    one_case = title or letters.isupper() or letters.islower()
    cased = letters.isascii() or sum(c != c.swapcase() for c in letters) >= _SHORTEST_WORD
    return folded if one_case and cased and not _PAIRED.fullmatch(letters) else letters


def is_bare_text(text: str) -> bool:
    """Returns whether the text is only words, without digits, operators or commands: no is not on."""
    return _BARE.fullmatch(text) is not None and _WORD.search(text) is not None


def _is_mathematics(text: str) -> bool:
    if _MATHEMATICS.search(text) or _FUNCTION.search(text):
        return True
    return not _WORD.search(text) and _LETTER_OR_DIGIT.search(text) is not None


def _bounded(kind: str, text: str) -> AnswerKey:
    return (kind, text) if len(text) <= KEY_LIMIT else (kind, *hashed(text))


def hashed(text: str) -> tuple[str, int]:
    """Returns a digest and the length, in place of a long text."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.hexdigest(), len(text)
