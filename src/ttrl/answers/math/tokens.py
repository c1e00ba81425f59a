r"""Cuts an answer into tokens, strings whose first characters say what they are.

    12  0.5  1 234     numbers          \pi  \frac         commands
    x  cm  apples      runs of letters  "cm               the content of \text{cm}
    <= >= ( { ^ ...    signs            \begin pmatrix     an environment
    &&  ||             the words and, or

Thousands are joined and the digits after a fraction command taken apart, as TeX does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ttrl.answers.math.numbers import is_digits
from ttrl.answers.math.terms import Unreadable

LENGTH_LIMIT = 400
TOKEN_LIMIT = 200
DEPTH_LIMIT = 40

_TOKEN = re.compile(
    r"""(?P<gap>[ $]+)
      | (?P<number>
            (?<!,)(?!0)\d{1,3}(?:[ ]\d{3})++(?![\d/,]|[ ]/)(?:\.\d+)?    # 10 000, not 1 234/5
          | \d++(?:\.\d*+)?
          | \.\d++
        )(?P<exponent>[eE](?=[+-]?\d))?                           # 2e-1 or 2e - 1?
      | \\text[ ]?\{(?P<text>[^{}]*)\}
      | \\(?P<environment>begin|end)[ ]?\{[ ]?(?P<name>[A-Za-z]+)[ ]?\}
      | (?P<row>\\\\)(?:[ ]?\[[ ]?[\d.]+[ ]?(?:pt|em|ex|mm)[ ]?\])?
      | (?P<letters>[^\W\d_]+)
      | (?P<other>\\[A-Za-z]+|\\.|\*\*|<=|>=|.)
    """,
    re.VERBOSE | re.ASCII,
)
_SAME = {
    r"\le": "<=", r"\ge": ">=", r"\times": "*", r"\cdot": "*", r"\div": "/", "**": "^",
    r"\and": "&&", r"\land": "&&", r"\or": "||", r"\lor": "||", r"\boxed": "", r"\,": "",
}  # fmt: skip
_WORDS = {"and": "&&", "or": "||", "inf": r"\infty", "infinity": r"\infty", "pi": r"\pi",
          "Pi": r"\pi", "sqrt": "√"}  # fmt: skip
_CLOSING = {
    "(": (")", "]"), "[": (")", "]"), "{": ("}",), r"\{": (r"\}",), r"\langle": (r"\rangle",)
}  # fmt: skip
_CLOSERS = frozenset(closer for closers in _CLOSING.values() for closer in closers)
_ARGUMENTS = {r"\frac": 2, r"\binom": 2, r"\sqrt": 1}
_THOUSANDS = re.compile(r"(?!0)\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_GROUP = re.compile(r"\d{3}(?:\.\d*)?", re.ASCII)


class Tokens(NamedTuple):
    """The tokens of an answer."""

    tokens: list[str]
    spaced: list[bool]
    """Whether a space precedes each token."""
    closing: dict[int, int]
    """Index of the closing bracket by index of the opening one."""


def tokenize(text: str) -> Tokens:
    """Cuts a plain spelling into tokens.

    Raises:
        Unreadable: it is too long, too deep, unbalanced or not in ASCII but for √ and °.
    """
    if len(text) > LENGTH_LIMIT:
        raise Unreadable
    tokens: list[str] = []
    spaced: list[bool] = []
    space = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "gap":
            space = True
            continue
        if kind == "number":
            token = match["number"].replace(" ", "")
        elif kind == "text":
            word = match["text"].strip()
            token = _WORDS.get(word.casefold(), '"' + word)
            if not word:
                space = True
                continue
        elif kind == "name":
            token = rf"\{match['environment']} {match['name']}"
        elif kind == "letters":
            token = _WORDS.get(match[0], match[0])
        elif kind == "row":
            token = "\\\\"
        elif kind == "other":
            token = _SAME.get(match[0], match[0])
            if not token:
                continue
        else:
            raise Unreadable
        tokens.append(token)
        spaced.append(space)
        space = False
        if len(tokens) > TOKEN_LIMIT:
            raise Unreadable
    if "," in tokens:
        tokens, spaced = _with_thousands(tokens, spaced)
    if not _ARGUMENTS.keys().isdisjoint(tokens):
        tokens, spaced = _with_single_digits(tokens, spaced)
    return Tokens(tokens, spaced, _brackets(tokens))


def _with_single_digits(tokens: list[str], spaced: list[bool]) -> tuple[list[str], list[bool]]:
    r"""\frac12 with 1 and 2 as tokens, as TeX takes them."""
    kept: list[str] = []
    kept_spaced: list[bool] = []
    wanted = 0
    outer: list[int] = []
    for token, space in zip(tokens, spaced, strict=True):
        pieces = [token]
        if token in _ARGUMENTS:
            wanted = _ARGUMENTS[token]
        elif token in _CLOSING:
            outer.append(wanted - (wanted > 0 and token == "{"))
            wanted = 0
        elif token in _CLOSERS:
            wanted = outer.pop() if outer else 0
        elif wanted and is_digits(token[0]):
            pieces = [*token[:wanted], *filter(None, [token[wanted:]])]
            wanted = max(wanted - len(token), 0)
        elif wanted:
            wanted -= 1
        kept += pieces
        kept_spaced += [space] + [False] * (len(pieces) - 1)
    return kept, kept_spaced


def _with_thousands(tokens: list[str], spaced: list[bool]) -> tuple[list[str], list[bool]]:
    """1,234 as one number, but in brackets as two: (1,234) is a point.

    Raises:
        Unreadable: a bracket like (1,000) or (1,234, 5,678), which may mean either.
    """
    kept: list[str] = []
    kept_spaced: list[bool] = []
    opened: list[list[bool]] = []  # per bracket that separates: has it 1,234, and has it "1, 2"?
    braces: list[bool] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        end = place + 1
        if token in _CLOSING:
            braces.append(token != "{")
            opened.append([False, False])
        elif token in _CLOSERS and braces:
            braces.pop()
            if all(opened.pop()):
                raise Unreadable
        elif token == "," and opened and end < len(tokens) and spaced[end]:
            opened[-1][1] = True
        elif is_digits(token[0]):
            while (
                end + 1 < len(tokens)
                and tokens[end] == ","
                and is_digits(tokens[end + 1][0])
                and not spaced[end]
                and not spaced[end + 1]
            ):
                end += 2
            if braces and braces[-1]:
                groups = [t for t in tokens[place + 2 : end : 2] if _GROUP.fullmatch(t)]
                if any(group[0] == "0" for group in groups):
                    raise Unreadable
                opened[-1][0] |= bool(groups)
                end = place + 1
            elif _THOUSANDS.fullmatch(number := "".join(tokens[place:end])):
                token = number.replace(",", "")
            else:
                kept += tokens[place : end - 1]
                kept_spaced += spaced[place : end - 1]
                place, token = end - 1, tokens[end - 1]
        kept.append(token)
        kept_spaced.append(spaced[place])
        place = end
    return kept, kept_spaced


def _brackets(tokens: list[str]) -> dict[int, int]:
    """Raises Unreadable where brackets do not match or are too deep."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for place, token in enumerate(tokens):
        if token in _CLOSING or token.startswith("\\begin "):
            opened.append(place)
            if len(opened) > DEPTH_LIMIT:
                raise Unreadable
        elif token in _CLOSERS or token.startswith("\\end "):
            if not opened:
                raise Unreadable
            start = opened.pop()
            begin = tokens[start]
            wanted = _CLOSING.get(begin) or ("\\end " + begin.removeprefix("\\begin "),)
            if token not in wanted:
                raise Unreadable
            closing[start] = place
    if opened:
        raise Unreadable
    return closing
