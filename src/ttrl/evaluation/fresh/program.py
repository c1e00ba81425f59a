"""Reads and computes the arithmetic behind an answer: a few expressions over numbers, in order.

Python's parser settles precedence and parentheses, and no code is ever compiled or evaluated. It is given
only `+ - * /`, parentheses and, in place of each number, the index of that number, so it never meets what
a text spells. Trees are checked node by node and computed here, exactly. Length, depth, digits and the
size of every value are bounded; there is no power, so values stay small.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LONGEST_CELL = 20_000
LONGEST_EXPRESSION = 300
MOST_DIGITS = 12
MOST_STEPS = 30
DEEPEST = 20
"""Most parentheses and minus signs around one number."""
LARGEST_BITS = 256
"""Most bits of a numerator or denominator, because repeated multiplication would grow without limit."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)|(?P<sign>[-+*/()\u2212\u00d7\u00f7]))"
)
_SIGNS = {"\u2212": "-", "\u00d7": "*", "\u00f7": "/"}
_NAMED = re.compile(r"\s*[A-Za-z]\w{0,10}\s*=(?!=)")
_ANNOTATION = re.compile(r"<<([^<>=]{1,300})=([^<>=]{1,60})>>")
_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_NODES = (ast.Constant, ast.UnaryOp, ast.USub, ast.BinOp, *_OPERATIONS)


class NotAProgram(ValueError):
    """The text holds no program, or the program cannot be computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A number as written in the program; `place` is its index among all numbers of the program."""

    value: Fraction
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One expression, and its result as stated in the text, if any."""

    expression: ast.expr
    """The syntax tree; its constants are the places of the leaves."""
    leaves: tuple[Leaf, ...]
    """The numbers of the expression, in the order of the text."""
    stated: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A sequence of steps; the value of the last one is the answer."""

    steps: tuple[Step, ...]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Returns every number of the program, in the order of the text."""
        return tuple(leaf for step in self.steps for leaf in step.leaves)


def read_program(text: str) -> Program:
    """Reads the program of a cell: `<<a*b=c>>` annotations of a worked solution, else bare expressions.

    Expressions are separated by `;` or a line end and may be named, as in `x = 3 + 4`.

    Raises:
        NotAProgram: anything else.
    """
    if len(text) > LONGEST_CELL:
        raise NotAProgram("too long")
    if annotated := _ANNOTATION.findall(text):
        if len(annotated) != text.count("<<"):
            raise NotAProgram("an annotation that is not understood")
        pieces: list[tuple[str, str | None]] = list(annotated)
    else:
        named = [_NAMED.sub("", part, count=1) for part in re.split(r"[;\n]", text)]
        pieces = [(part, None) for part in named if part.strip()]
    if not 1 <= len(pieces) <= MOST_STEPS:
        raise NotAProgram("no steps, or too many")
    steps: list[Step] = []
    count = 0
    for part, stated in pieces:
        expression, leaves = _read(part, first=count)
        count += len(leaves)
        steps.append(
            Step(
                expression=expression,
                leaves=leaves,
                stated=None if stated is None else _value(stated),
            )
        )
    return Program(steps=tuple(steps))


def has_annotations(text: str) -> bool:
    """Returns whether a worked solution has `<<a*b=c>>` annotations."""
    return _ANNOTATION.search(text[:LONGEST_CELL]) is not None


def compute(expression: ast.expr, numbers: Sequence[Fraction], seen: list[Fraction]) -> Fraction:
    """Returns the value of an expression with `numbers[place]` for each leaf.

    The value of every operation is appended to `seen`.

    Raises:
        NotAProgram: a division by zero, or a value that is too large.
    """
    match expression:
        case ast.Constant(value=int(place)):
            return numbers[place]
        case ast.UnaryOp(operand=operand):
            value = -compute(operand, numbers, seen)
        case ast.BinOp(left=left, op=operation, right=right):
            first, second = compute(left, numbers, seen), compute(right, numbers, seen)
            try:
                value = _OPERATIONS[type(operation)](first, second)
            except ZeroDivisionError:
                raise NotAProgram("a division by zero") from None
        case _:
            raise NotAProgram("more than arithmetic")
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
        raise NotAProgram("a value that is too large")
    seen.append(value)
    return value


def _value(text: str) -> Fraction:
    expression, leaves = _read(text, first=0)
    return compute(expression, [leaf.value for leaf in leaves], [])


def _read(text: str, *, first: int) -> tuple[ast.expr, tuple[Leaf, ...]]:
    """One expression and its leaves, whose places are counted from `first`."""
    if len(text) > LONGEST_EXPRESSION:
        raise NotAProgram("an expression that is too long")
    leaves: list[Leaf] = []
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotAProgram("a sign that is no arithmetic")
        position = match.end()
        if number := match["number"]:
            digits = number.replace(",", "")
            if len(digits) > MOST_DIGITS or not digits.isascii():
                raise NotAProgram("a number that is too long")
            leaf = Leaf(value=Fraction(digits.rstrip(".")), place=first + len(leaves))
            leaves.append(leaf)
            tokens.append(str(leaf.place))
        else:
            tokens.append(_SIGNS.get(match["sign"], match["sign"]))
    _check_depth(tokens)
    try:  # with spaces between, so that two signs are never read as one: ** or //
        tree = ast.parse(" ".join(tokens), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotAProgram("no whole expression") from None
    if not all(isinstance(node, _NODES) for node in ast.walk(tree)):
        raise NotAProgram("more than arithmetic")
    return tree, tuple(leaves)


def _check_depth(tokens: Sequence[str]) -> None:
    """Bounds the nesting before anything recurses over it.

    Raises:
        NotAProgram: more than `DEEPEST`, or a parenthesis that was not opened.
    """
    depths, depth, before = [0], 0, "("
    for token in tokens:
        if token == "(":
            depth += 1
            depths.append(depth)
        elif token == "-" and before in "(+-*/":
            depth += 1
        elif token not in "+-*/":  # a number or a closed parenthesis ends its minus signs
            if token == ")":
                depths.pop()
            if not depths:
                raise NotAProgram("a parenthesis that was not opened")
            depth = depths[-1]
        if depth > DEEPEST:
            raise NotAProgram("nested too deeply")
        before = token
