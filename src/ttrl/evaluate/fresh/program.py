"""The arithmetic behind an answer: a few expressions over numbers, one step after the other.

Read by an own small grammar and computed exactly; nothing is evaluated. `+ - * /`, parentheses and a
minus sign, with bounds on length, depth and digits. There is no power, so values stay small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

LONGEST_CELL = 20_000
LONGEST_EXPRESSION = 300
MOST_DIGITS = 12
MOST_STEPS = 30
DEEPEST = 20
LARGEST_BITS = 256
"""Of a numerator or denominator: results that multiply each other would grow without end."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)|(?P<sign>[-+*/()\u2212\u00d7\u00f7]))"
)
_SIGNS = {"\u2212": "-", "\u00d7": "*", "\u00f7": "/"}
_NAMED = re.compile(r"\s*[A-Za-z]\w{0,10}\s*=(?!=)")
_ANNOTATION = re.compile(r"<<([^<>=]{1,300})=([^<>=]{1,60})>>")

Operation = Literal["+", "-", "*", "/"]


class NotAProgram(ValueError):
    """The text is none, or it cannot be computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A number as it is written; `place` counts the numbers of the whole program from 0."""

    value: Fraction
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Two expressions under an operation. A minus sign alone is 0 - x."""

    operation: Operation
    left: Expression
    right: Expression


Expression = Leaf | Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One expression, and what the text says that it comes to, if it says so."""

    expression: Expression
    stated: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Steps; the value of the last one is the answer."""

    steps: tuple[Step, ...]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every number, in the order of the text."""
        return tuple(leaf for step in self.steps for leaf in leaves_of(step.expression))


def leaves_of(expression: Expression) -> Iterator[Leaf]:
    """Its numbers from left to right, without the 0 of a minus sign."""
    if isinstance(expression, Leaf):
        if expression.place >= 0:
            yield expression
    else:
        yield from leaves_of(expression.left)
        yield from leaves_of(expression.right)


def read_program(text: str) -> Program:
    """The program of a cell: `<<a*b=c>>` annotations of a worked solution, else bare expressions.

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
        parser = _Parser(part, first=count)
        expression = parser.whole()
        count = parser.count
        steps.append(Step(expression=expression, stated=None if stated is None else _value(stated)))
    return Program(steps=tuple(steps))


def has_annotations(text: str) -> bool:
    """Whether a worked solution carries `<<a*b=c>>`."""
    return _ANNOTATION.search(text[:LONGEST_CELL]) is not None


def compute(expression: Expression, numbers: Sequence[Fraction], seen: list[Fraction]) -> Fraction:
    """Its value with `numbers` in the places of its leaves; `seen` gets the value of every operation.

    Raises:
        NotAProgram: a division by zero, or a value that is too large.
    """
    if isinstance(expression, Leaf):
        return numbers[expression.place] if expression.place >= 0 else expression.value
    left = compute(expression.left, numbers, seen)
    right = compute(expression.right, numbers, seen)
    match expression.operation:
        case "+":
            value = left + right
        case "-":
            value = left - right
        case "*":
            value = left * right
        case "/":
            if right == 0:
                raise NotAProgram("a division by zero")
            value = left / right
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
        raise NotAProgram("a value that is too large")
    seen.append(value)
    return value


def _value(text: str) -> Fraction:
    expression = _Parser(text, first=0).whole()
    return compute(expression, [leaf.value for leaf in leaves_of(expression)], [])


class _Parser:
    """Recursive descent over tokens; the depth of recursion is bounded by `DEEPEST`."""

    def __init__(self, text: str, *, first: int) -> None:
        if len(text) > LONGEST_EXPRESSION:
            raise NotAProgram("an expression that is too long")
        self.tokens = list(_tokens(text))
        self.position = 0
        self.count = first

    def whole(self) -> Expression:
        value = self.sum(0)
        if self.position != len(self.tokens):
            raise NotAProgram("something after the expression")
        return value

    def sum(self, depth: int) -> Expression:
        value = self.product(depth)
        while (sign := self.peek()) == "+" or sign == "-":
            self.position += 1
            value = Node(operation=sign, left=value, right=self.product(depth))  # type: ignore[arg-type]
        return value

    def product(self, depth: int) -> Expression:
        value = self.factor(depth)
        while (sign := self.peek()) == "*" or sign == "/":
            self.position += 1
            value = Node(operation=sign, left=value, right=self.factor(depth))  # type: ignore[arg-type]
        return value

    def factor(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise NotAProgram("nested too deeply")
        token = self.peek()
        self.position += 1
        if token == "-":
            zero = Leaf(value=Fraction(0), place=-1)
            return Node(operation="-", left=zero, right=self.factor(depth + 1))
        if token == "(":
            value = self.sum(depth + 1)
            if self.peek() != ")":
                raise NotAProgram("a parenthesis that is not closed")
            self.position += 1
            return value
        if token is None or not (token[0].isdigit() or token[0] == "."):
            raise NotAProgram("a number is missing")
        self.count += 1
        return Leaf(value=Fraction(token.rstrip(".")), place=self.count - 1)

    def peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None


def _tokens(text: str) -> Iterator[str]:
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
            yield digits
        else:
            yield _SIGNS.get(match["sign"], match["sign"])
