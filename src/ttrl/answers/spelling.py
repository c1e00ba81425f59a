r"""One spelling for what is written the same: unicode, LaTeX synonyms, spaces and wrappers.

Case is kept, since R and r are two variables; only `folded` drops it, for words. Every scan is
linear.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from ttrl.types import AnswerKey

KEY_LIMIT = 400
"""Characters of a spelling that is kept in a key as it is; a longer one is hashed."""
_NFKC_LIMIT = 4_000
"""Characters of a text that is normalised: many marks on one letter take quadratic time."""

# Unicode -------------------------------------------------------------------------------------

_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070\u2071\u2074-\u207f]+")
_LOWERED = re.compile("[\u2080-\u208e]+")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
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
    """One spelling for signs, fractions, commands and spaces.

    NFKC alone would invent numbers: "5" with a raised 2 as 52, "3" with the sign of one half as
    31/2, a circled 1 and a circled 2 as 12. Those are spelled out before it runs.
    """
    if not text.isascii():
        text = _RAISED.sub(lambda run: _script("^", run[0]), text)
        text = _LOWERED.sub(lambda run: _script("_", run[0]), text)
        text = _NOT_ASCII.sub(lambda character: _spelled_out(character[0]), text)
        text = _nfkc(text.translate(_SAME)).translate(_SAME)
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


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _script(mark: str, run: str) -> str:
    plain = _nfkc(run).replace("\u2212", "-")
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


# Wrappers ------------------------------------------------------------------------------------

_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))
_WRAPPER = re.compile(r"\\(?:text|boxed|mathbf|mathit|boldsymbol|bm) ?\{(.*)\}")
_OPTION = re.compile(r"\( ?\\text ?\{ ?([A-Za-z]) ?\} ?\)")
_BRACE = re.compile(r"\\.|[{}]")


def unwrapped(text: str) -> str:
    """Without math delimiters, text commands, markdown and final punctuation around it."""
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
_BARE = re.compile(r"[^\d\\^_=<>+*/|!{}&%°√-]*")
_FUNCTION = re.compile(
    r"\b(?:sin|cos|tan|cot|sec|csc|log|ln|lg|exp|sqrt|lim|gcd|lcm|mod|arc\w+|sinh|cosh|tanh)\b"
)
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_AFTER_DIGIT = re.compile(r"(?<=\d) (?=[A-Za-z])")  # 2 x, but not \sin x
_IDLE_SPACE = re.compile(r" (?=[^\w ])|(?<=[^\w ]) ")


def spelling_key(text: str) -> AnswerKey:
    """("t", ...) for words, whatever their case, and ("s", ...) for unread mathematics.

    Words are runs of two letters or more without an operator or a command beside them: "5 apples"
    is text. Spaces beside punctuation say nothing: (3, 4] is (3,4].
    """
    words = " ".join(_TEXT.sub(r" \1 ", text).replace("$", " ").split())
    if _is_mathematics(words):
        return _bounded("s", _AFTER_DIGIT.sub("", _IDLE_SPACE.sub("", text)))
    words = words.casefold()
    if len(words) <= _NFKC_LIMIT:
        words = _nfkc(words)
    words = _IDLE_SPACE.sub("", " ".join(words.split()))
    if words.endswith(".") and not words.endswith(".."):
        words = words[:-1]
    return _bounded("t", words)


def is_bare_text(text: str) -> bool:
    """Words without a digit, an operator or a command beside them: no is not on."""
    return _BARE.fullmatch(text) is not None and _WORD.search(text) is not None


def _is_mathematics(text: str) -> bool:
    if _MATHEMATICS.search(text) or _FUNCTION.search(text):
        return True
    return not _WORD.search(text) and _LETTER_OR_DIGIT.search(text) is not None


def _bounded(kind: str, text: str) -> AnswerKey:
    return (kind, text) if len(text) <= KEY_LIMIT else (kind, *hashed(text))


def hashed(text: str) -> tuple[str, int]:
    """Stands for a long text: a digest and the length."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.hexdigest(), len(text)
