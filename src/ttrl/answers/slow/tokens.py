r"""Filters answers for the slow path: returns tokens, or None if the slow reader should not try.

An answer comes in the spelling of `plain_spelling` and `unwrapped`: no \left, no \dfrac, ° for \circ.

What passes is short, shallow, and made of one-letter variables, numbers, whitelisted commands and
names of functions only. Linear, and no arithmetic. The gate is strict because a product of letters
is a plausible reading of almost any prose: what is not surely mathematics is refused.
"""

from __future__ import annotations

import re

LENGTH_LIMIT = 300
DEPTH_LIMIT = 15
DIGIT_LIMIT = 20
EXPONENT_DIGIT_LIMIT = 3
TOWER_LIMIT = 2
"""Most nested exponents: e^{-x^2} is read, 2^{2^{2^x}} is rejected."""

FUNCTIONS = {
    **{name: name for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{name: name for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch")},
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{f"ar{area}{name}h": f"a{name}h" for name in ("sin", "cos", "tan") for area in ("", "c")},
    **{"exp": "exp", "ln": "log", "log": "log", "lg": "log", "max": "Max", "min": "Min"},
}
"""Names of functions as answers spell them, and as sympy does."""

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho "
    "sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
GREEK = frozenset("\\" + name for name in _GREEK.split())
_SYNONYMS = {r"\cdot": "*", r"\times": "*", r"\div": "/", "**": "^", "√": r"\sqrt"}
_COMMANDS = GREEK.union(
    (rf"\{name}" for name in FUNCTIONS),
    (r"\frac", r"\sqrt", r"\pi", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil"),
)
_WORDS = (
    "am an as at be by cm do dx dy dt du dz ft go he hr if in is it kg km lb me mg mi mL ml mm my "
    "no of oh on or oz pm so to up us we yd Am An As At Be By Do He Hz If In Is It Mr My No Of On Or "
    "So To Up We"
)
_SMALL_WORDS = frozenset(_WORDS.split())
"""Two letters that are no product."""

_UPRIGHT = re.compile(rf"\\(?:operatorname|text|mathop) ?\{{ ?({'|'.join(FUNCTIONS)}|e|i) ?\}}")
_TOKEN = re.compile(
    r"""(?P<space>\s+|~)
      | (?P<command>\\[A-Za-z]+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)
      | (?P<word>[A-Za-z]+)
      | (?P<sign>\*\*|[-+*/^_(){}\[\]|,=°√])
    """,
    re.VERBOSE,
)
_OPEN = frozenset(("(", "[", "{", r"\lfloor", r"\lceil"))
_CLOSE = frozenset((")", "]", "}", r"\rfloor", r"\rceil"))


def tokens_of(answer: str) -> list[str] | None:
    """Returns an answer as numbers, letters, commands (one per function) and signs; None to reject it."""
    if len(answer) > LENGTH_LIMIT:
        return None
    text = _UPRIGHT.sub(_upright, answer)
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match.lastgroup == "space":
            continue
        found = _spelled_alike(match[0], match.lastgroup)
        if found is None:
            return None
        tokens += found
    return tokens if tokens and _within_limits(tokens) else None


def _upright(match: re.Match[str]) -> str:
    return match[1] + " " if len(match[1]) == 1 else rf"\{match[1]} "


def _spelled_alike(token: str, kind: str | None) -> list[str] | None:
    if kind == "word":
        if token in FUNCTIONS or token in ("sqrt", "pi"):
            return ["\\" + token]
        if len(token) == 1 or (len(token) == 2 and token not in _SMALL_WORDS):
            return list(token)
        return None
    token = _SYNONYMS.get(token, token)
    if token.startswith("\\") and token not in _COMMANDS:
        return None
    return [token]


def _within_limits(tokens: list[str]) -> bool:
    """Depth, digits and towers of exponents, before anything is built."""
    is_exponent: list[bool] = []  # of each open bracket
    before = ""
    for token in tokens:
        exponents = sum(is_exponent)
        if token in _OPEN:
            is_exponent.append(before == "^")
            if len(is_exponent) > DEPTH_LIMIT:
                return False
        elif token in _CLOSE:
            if not is_exponent:
                return False
            is_exponent.pop()
        elif token == "^" and exponents >= TOWER_LIMIT:
            return False
        elif token[0].isdigit() or token[0] == ".":
            raised = exponents or before == "^"
            if len(token) > (EXPONENT_DIGIT_LIMIT if raised else DIGIT_LIMIT):
                return False
        before = token
    return not is_exponent
