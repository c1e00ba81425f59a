r"""Parses tokens into a sympy expression and rejects anything ambiguous.

    \sin 2x\cos y   sin(2x) cos(y): a bare argument is one factor and the letters after it
    \sin(x)^2       (sin x)^2;  \sin x^2 is sin(x^2), \sin^2 x is (sin x)^2, \sin^{-1} x is arcsin x
    \sin x(y+1)     refused, as are \ln x/2 (but \ln 2/\ln 3 is a quotient), 1/2x, 2\frac12, x2 and f(x)
    \log x, \lg x   to base 10; \ln x to base e
    30°             pi/6, inside of a trigonometric function only
    \sqrt[3]{-8}    -2, as is (-8)^{1/3}: odd roots of real numbers are real

Variables are real numbers, but for z and w. e is Euler's number, i the imaginary unit. Only the worker
imports this file: it imports sympy.
"""

from __future__ import annotations

from typing import Any

import sympy

from ttrl.answers.slow.tokens import FUNCTIONS, GREEK

POWER_BITS = 20_000
"""Most bits of a number that a power may give."""
EXPONENT_LIMIT = 10_000

Expression = Any  # sympy has no types

_CLOSING = {"(": ")", "{": "}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}
_TRIGONOMETRIC = frozenset((r"\sin", r"\cos", r"\tan", r"\cot", r"\sec", r"\csc"))  # of an angle
_FUNCTIONS = frozenset("\\" + name for name in FUNCTIONS)
_FUNCTION_LETTERS = frozenset([*"fghFGHPQ", r"\phi", r"\varphi", r"\psi", r"\Phi", r"\Psi"])
_DIFFERENCES = frozenset(("d", r"\delta", r"\Delta"))
_CONSTANTS = {"e": sympy.E, "i": sympy.I, r"\pi": sympy.pi}
_END = ""


class UnclearAnswer(ValueError):
    """The tokens have no reading, or more than one, or one that is too large."""


def expression_of(tokens: list[str]) -> Expression:
    """Returns the only reading of the tokens.

    Raises:
        UnclearAnswer: there is none.
    """
    return _Reader(tokens).whole()


def real_power(base: Expression, exponent: Expression) -> Expression:
    """Raises the base to the exponent; odd roots of real numbers are real, other powers are principal."""
    if exponent.is_Rational:
        if abs(exponent) > EXPONENT_LIMIT or (base.is_zero and exponent <= 0):
            raise UnclearAnswer("no such power")
        bits = base.p.bit_length() + base.q.bit_length() if base.is_Rational else 1
        if bits * abs(exponent) > POWER_BITS:
            raise UnclearAnswer("large power")
        is_odd_root = exponent.q > 1 and exponent.q % 2 == 1
        if is_odd_root and base.free_symbols and base.is_real:
            return RealRoot(base, exponent.q) ** exponent.p
        if is_odd_root and base.is_negative:
            size = sympy.Abs(base) ** exponent
            return -size if exponent.p % 2 else size
    return base**exponent


class RealRoot(sympy.Function):  # type: ignore[misc]  # sympy has no types
    """The odd root of a real number, which has the sign of the number. It is one to one."""

    is_real = True

    @classmethod
    def eval(cls, base: Expression, degree: Expression) -> Expression:
        """Evaluates the root of powers of the degree and of numbers."""
        outside, inside = sympy.Integer(1), sympy.Integer(1)
        for factor in sympy.Mul.make_args(base):
            if factor.is_Rational:
                root = abs(factor) ** (1 / degree)
                outside *= root if factor > 0 else -root
            elif factor.is_Pow and factor.exp.is_Integer and not factor.exp % degree:
                outside *= factor.base ** (factor.exp / degree)
            else:
                inside *= factor
        if outside == 1:
            return None
        return outside * (cls(inside, degree) if inside != 1 else 1)


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.bare_end = -1  # where the last bare argument of a function ended
        self.angles = 0  # open arguments of trigonometric functions
        self.bars = 0  # open |

    def whole(self) -> Expression:
        is_equation = self.tokens[1:2] == ["="] and self._is_variable(self.tokens[0])
        self.at = 2 if is_equation else 0
        expression = self._sum()
        if self._next() != _END or (is_equation and expression.free_symbols):
            raise UnclearAnswer("not one value")  # x = 3 is 3, but y = 3x is no value
        return expression

    def _next(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else _END

    def _take(self, expected: str | None = None) -> str:
        token = self._next()
        if token == _END or (expected is not None and token != expected):
            raise UnclearAnswer(f"{expected} expected")
        self.at += 1
        return token

    @staticmethod
    def _is_number(token: str) -> bool:
        return token[:1].isdigit() or token[:1] == "."

    @staticmethod
    def _is_variable(token: str) -> bool:
        return (len(token) == 1 and token.isalpha() and token not in _CONSTANTS) or token in GREEK

    def _begins_factor(self) -> bool:
        token = self._next()
        if token == "|":
            return not self.bars
        return token != _END and token not in "+-*/^_)]},=" and token not in _CLOSING.values()

    # Sums, products, powers

    def _sum(self) -> Expression:
        total = sympy.Integer(0)
        sign = self._take() if self._next() in ("+", "-") else "+"
        while True:
            term = self._product()
            total = total - term if sign == "-" else total + term
            if self._next() not in ("+", "-"):
                return total
            sign = self._take()

    def _product(self) -> Expression:
        value = factor = self._power()
        divided = False
        while True:
            token = self._next()
            is_bare = self.at == self.bare_end
            if token in ("*", "/"):
                if is_bare and self._next(1) not in _FUNCTIONS:
                    raise UnclearAnswer("where the argument of the function ends")
                self._take()
                factor = self._power()
                value = value * factor if token == "*" else value / factor
                divided = token == "/"
            elif self._begins_factor():
                after_number = self._is_number(self._next(-1))
                if divided or self._is_number(token):
                    raise UnclearAnswer("1/2x or x2")
                if is_bare and (token not in _FUNCTIONS or token.startswith(r"\ar")):
                    raise UnclearAnswer("where the argument of the function ends")
                if token == "(" and self._is_called(factor):
                    raise UnclearAnswer("f(x)")
                factor = self._power()
                if after_number and token == r"\frac" and factor.is_Rational:
                    raise UnclearAnswer("a mixed number")
                value *= factor
            else:
                return value

    @staticmethod
    def _is_called(factor: Expression) -> bool:
        """Whether a bracket after it holds an argument and no factor: f, f_1 and phi."""
        return bool(factor.is_Symbol) and factor.name.partition("_")[0] in _FUNCTION_LETTERS

    def _power(self) -> Expression:
        base = self._atom()
        if self._next() == "°":
            self._take()
            return self._angle(base)
        if self._next() != "^" or self.at == self.bare_end:
            return base
        self._take()
        exponent = self._exponent()
        if self._next() == "^":
            raise UnclearAnswer("a^b^c")
        if self._next() == "(" and base.is_Symbol and (exponent == -1 or self._is_called(base)):
            raise UnclearAnswer("the inverse of a function")
        return real_power(base, exponent)

    def _exponent(self) -> Expression:
        if self._next() == "-" and (self._is_number(self._next(1)) or len(self._next(1)) == 1):
            self._take()
            return -self._atom()
        if self._next() in _FUNCTIONS:
            raise UnclearAnswer("a function without braces as an exponent")
        group = self._group()
        return self._atom() if group is None else group

    def _angle(self, degrees: Expression) -> Expression:
        if not self.angles:
            raise UnclearAnswer("degrees outside of a trigonometric function")
        return degrees * sympy.pi / 180

    # What a power is made of

    def _atom(self) -> Expression:
        token = self._take()
        if self._is_number(token):
            return sympy.Rational(token)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if self._is_variable(token):
            return self._variable(token)
        if token == "(":
            return self._until(")")
        if token == "|":
            return sympy.Abs(self._between_bars())
        if token == r"\lfloor":
            return sympy.floor(self._until(r"\rfloor"))
        if token == r"\lceil":
            return sympy.ceiling(self._until(r"\rceil"))
        if token == r"\frac":
            starts = self._arguments_ahead()
            if len(starts) == 2 and all(map(self._begins_difference, starts)):
                raise UnclearAnswer("a derivative")
            above, below = self._argument(), self._argument()
            if below.is_zero:
                raise UnclearAnswer("division by zero")
            return above / below
        if token == r"\sqrt":
            return self._root()
        if token in _FUNCTIONS:
            return self._function(token)
        raise UnclearAnswer(f"{token} begins nothing")

    def _arguments_ahead(self) -> list[int]:
        """Where the two arguments of a fraction begin, if both are in braces."""
        depth, starts = 0, []
        for at in range(self.at, len(self.tokens)):
            if self.tokens[at] == "{":
                if depth == 0:
                    starts.append(at + 1)
                depth += 1
            elif self.tokens[at] == "}":
                depth -= 1
            if (depth == 0 and self.tokens[at] != "}") or len(starts) == 2:
                break
        return starts

    def _begins_difference(self, at: int) -> bool:
        """dx, delta y: a letter after one of these signs."""
        return self.tokens[at] in _DIFFERENCES and self.tokens[at + 1 : at + 2] != ["}"]

    def _variable(self, token: str) -> Expression:
        name = token
        if self._next() == "_":
            self._take()
            braced = self._next() == "{"
            if braced:
                self._take()
            index = self._take()
            if not (index.isalnum() and len(index) == 1) and not (braced and index.isdigit()):
                raise UnclearAnswer("subscript")
            if braced:
                self._take("}")
            name = f"{token}_{{{index}}}"
        return sympy.Symbol(name, real=True if token not in "zw" else None)

    def _group(self) -> Expression | None:
        """What stands in braces, where a command or a power asks for it; elsewhere 2{3} looks like 23."""
        if self._next() != "{":
            return None
        self._take()
        return self._until("}")

    def _until(self, closing: str) -> Expression:
        bars, self.bars = self.bars, 0
        value = self._sum()
        self._take(closing)
        self.bars = bars
        return value

    def _between_bars(self) -> Expression:
        self.bars += 1
        value = self._sum()
        self._take("|")
        self.bars -= 1
        return value

    def _argument(self) -> Expression:
        r"""Braces, or the next digit or letter, as in TeX: \frac12 is a half."""
        token = self._next()
        if token == "{":
            self._take()
            return self._until("}")
        if token.isdigit() and len(token) > 1:
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        elif not (token.isdigit() or token in _CONSTANTS or self._is_variable(token)):
            raise UnclearAnswer("argument")
        return self._atom_alone()

    def _atom_alone(self) -> Expression:
        token = self._take()
        if token.isdigit():
            return sympy.Integer(token)
        return _CONSTANTS.get(token) or sympy.Symbol(
            token, real=True if token not in "zw" else None
        )

    def _root(self) -> Expression:
        index = 2
        if self._next() == "[":
            self._take()
            degree = self._take()
            self._take("]")
            if not degree.isdigit() or not 2 <= int(degree) <= 99:
                raise UnclearAnswer("degree of a root")
            index = int(degree)
        if self._next() == "(":  # sqrt(2)
            self._take()
            radicand = self._until(")")
        else:
            radicand = self._argument()
        return real_power(radicand, sympy.Rational(1, index))

    # Functions

    def _function(self, command: str) -> Expression:
        base, power = None, 1
        if self._next() == "_" and command == r"\log":
            self._take()
            base = self._argument()
        if self._next() == "^":
            self._take()
            power = self._power_of_function()
        name = FUNCTIONS[command[1:]]
        if power == -1:
            if name not in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"):
                raise UnclearAnswer("inverse")
            return getattr(sympy, f"a{name}")(self._operand())
        self.angles += command in _TRIGONOMETRIC
        arguments = self._operands() if name in ("Max", "Min") else [self._operand()]
        self.angles -= command in _TRIGONOMETRIC
        if name == "log" and command != r"\ln":
            return (
                self._logarithm(arguments[0], sympy.Integer(10) if base is None else base) ** power
            )
        return getattr(sympy, name)(*arguments) ** power

    def _power_of_function(self) -> int:
        braced = self._next() == "{"
        if braced:
            self._take()
        negative = self._next() == "-"
        if negative:
            self._take()
        digit = self._take()
        if braced:
            self._take("}")
        if digit not in ("1", "2", "3", "4", "5", "6", "7", "8", "9") or (
            negative and digit != "1"
        ):
            raise UnclearAnswer("power of a function")
        return -1 if negative else int(digit)

    @staticmethod
    def _logarithm(argument: Expression, base: Expression) -> Expression:
        if base.is_zero or base == 1:
            raise UnclearAnswer("base of a logarithm")
        return sympy.log(argument, base)

    def _operands(self) -> list[Expression]:
        self._take("(")
        bars, self.bars = self.bars, 0
        found = [self._sum()]
        while self._next() == ",":
            self._take()
            found.append(self._sum())
        self._take(")")
        self.bars = bars
        return found

    def _operand(self) -> Expression:
        if self._next() == "(":
            self._take()
            return self._until(")")
        group = self._group()
        if group is not None:
            self.bare_end = self.at
            return group
        first = self._next()
        if first == _END or first in "+-*/^_":
            raise UnclearAnswer("argument")
        operand = self._power()
        if first not in _FUNCTIONS:
            while self._is_variable(self._next()) or self._next() in _CONSTANTS:
                operand *= self._power()
        self.bare_end = self.at
        return operand
