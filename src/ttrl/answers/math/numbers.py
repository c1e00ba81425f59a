r"""Reads plain numbers by regular expressions alone: exactly, and much faster than parsing.

    ("n", 1, 2)        a number in lowest terms: 0.5, 1/2, \frac12, 5e-1; decimals are exact
    ("n%", 50, 1)      a percentage: 50% is neither 50 nor 0.5

`quick_key` takes an answer as it was spelled by the model, `number_key` its plain spelling.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import gcd, isqrt

from ttrl.types import AnswerKey

_TRIAL_LIMIT = 10_000
_BIT_LIMIT = 512
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
_PROVEN_BELOW = 3_317_044_064_679_887_385_961_981
"""Where the Miller-Rabin test with these witnesses is a proof (Sorenson and Webster, 2015)."""


class UnknownFactors(Exception):
    """The number has two or more large prime factors, which are not searched for."""


@lru_cache(maxsize=4_000)
def factors(number: int) -> tuple[tuple[int, int], ...]:
    """Returns the primes of a positive number with their exponents, smallest first.

    Raises:
        UnknownFactors: what is left after the primes below 10,000 is no prime and no square of one.
    """
    if number.bit_length() > _BIT_LIMIT:
        raise UnknownFactors
    found = []
    rest = number
    for prime in _SMALL_PRIMES:
        if prime * prime > rest:
            break
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        if count:
            found.append((prime, count))
    if rest > 1:
        found.append(_large_prime(rest))
    return tuple(found)


def _large_prime(rest: int) -> tuple[int, int]:
    """Rest = prime^count, without small factors."""
    root = isqrt(rest)
    count = 1
    if root * root == rest:
        rest, count = root, 2
    if rest < _TRIAL_LIMIT**2 or _is_prime(rest):
        return rest, count
    raise UnknownFactors


def _is_prime(number: int) -> bool:
    if number >= _PROVEN_BELOW:
        return False
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for witness in _WITNESSES:
        value = pow(witness, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def _primes_below(limit: int) -> list[int]:
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for n in range(2, isqrt(limit) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return [n for n in range(limit) if sieve[n]]


_SMALL_PRIMES = _primes_below(_TRIAL_LIMIT)


LENGTH_LIMIT = 400
"""Most characters of a number."""
BIT_LIMIT = 4096
"""Most bits of a numerator or denominator."""
_EXPONENT_LIMIT = 1232
"""Largest power of ten within BIT_LIMIT."""

_QUICK = re.compile(
    r"\s*+([+-]?)(?:(\d++)/(\d++)|\\[dt]?frac\{(\d++)\}\{(\d++)\}|(\d++)(?:\.(\d*+))?|\.(\d++))\s*+",
    re.ASCII,
)

_PLAIN = r"(?:(?:\d+|(?!0)\d{1,3}(?:,\d{3})+)(?:\.\d*)?|\.\d+)"
_SPACED = r"(?!0)\d{1,3}(?: \d{3})+(?:\.\d*)?"
_ARGUMENT = rf"(?:\{{ ?([+-]? ?(?:{_PLAIN}|{_SPACED})) ?\}}|(\d))"

_LEFT_HAND_SIDE = re.compile(r"[^\W\d_] ?= ?")
_SIGN = re.compile(r"([+-]?) ?\$? ?")
_DECIMAL = re.compile(rf"{_PLAIN}|{_SPACED}", re.ASCII)
_FRAC = re.compile(rf"\\frac ?{_ARGUMENT} ?{_ARGUMENT}", re.ASCII)
_SLASH = re.compile(rf"({_PLAIN}) ?/ ?([+-]? ?{_PLAIN})", re.ASCII)  # not 1 234/5: may be mixed
_MIXED = re.compile(
    r"(\d+|(?!0)\d{1,3}(?:,\d{3})+)"
    r"(?: (?!\d{3}/)(\d+)/(\d+)| ?\\frac ?(?:\{ ?(\d+) ?\}|(\d)) ?(?:\{ ?(\d+) ?\}|(\d)))",
    re.ASCII,
)
_POWER_OF_TEN = re.compile(
    rf"({_PLAIN})[eE]([+-]?\d+)"
    rf"|(?:({_PLAIN}) ?(?:\\times|\\cdot|\*) ?)?10 ?\^ ?(?:\{{ ?([+-]? ?\d+) ?\}}|([+-]?\d+))",
    re.ASCII,
)
_REPEATING = re.compile(
    r"(\d*)\.(\d*?)(?:\\overline ?\{ ?(?P<block>\d+) ?\}"
    r"|\\(?:overline|dot) ?(?:\{ ?(?P<digit>\d) ?\}|(?P<bare>\d))|(?:\.{3,}| ?\\ldots))",
    re.ASCII,
)
_THREE_TIMES = 3


def is_digits(text: str) -> bool:
    """Returns whether a text consists of digits 0 to 9; isdigit also accepts \u2776, which int does not."""
    return text.isascii() and text.isdigit()


def quick_key(answer: str) -> AnswerKey | None:
    """Returns the key of an ASCII integer, decimal or quotient of integers, else None."""
    if len(answer) > LENGTH_LIMIT:
        return None
    number = _QUICK.fullmatch(answer)
    if number is None:
        return None
    sign, above, below, frac_above, frac_below, whole, part, bare_part = number.groups()
    if whole and not part:
        value = int(whole)
        return "n", -value if sign == "-" else value, 1
    if whole or bare_part:
        part = part or bare_part
        return _lowest_terms(sign, int((whole or "") + part), 10 ** len(part))
    divisor = int(below or frac_below)
    return _lowest_terms(sign, int(above or frac_above), divisor) if divisor else None


def _lowest_terms(sign: str, above: int, below: int) -> AnswerKey:
    shared = gcd(above, below)
    above //= shared
    return "n", -above if sign == "-" else above, below // shared


def number_key(text: str) -> AnswerKey | None:
    """Returns the key of a number, a percentage or a variable that is set to one, else None."""
    if len(text) > LENGTH_LIMIT:
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
        return decimal(text)
    if quotient := _FRAC.fullmatch(text) or _SLASH.fullmatch(text):
        above, below = (decimal(part) for part in quotient.groups() if part is not None)
        return above / below if below else None
    if mixed := _MIXED.fullmatch(text):
        whole, above, below = (decimal(part) for part in mixed.groups() if part is not None)
        return whole + above / below if 0 < above < below else None
    if product := _POWER_OF_TEN.fullmatch(text):
        factor = decimal(product[1] or product[3] or "1")
        exponent = int((product[2] or product[4] or product[5]).replace(" ", ""))
        if abs(exponent) <= _EXPONENT_LIMIT:
            power = Fraction(10 ** abs(exponent))
            value = factor * power if exponent >= 0 else factor / power
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            return value if bits <= BIT_LIMIT else None
    if repeating := _REPEATING.fullmatch(text):
        return _repeating(repeating)
    return None


def decimal(text: str) -> Fraction:
    """Returns the exact value of a signed decimal, with or without separators of thousands."""
    digits = text.lstrip("+- ").replace(",", "").replace(" ", "")
    whole, _, part = digits.partition(".")
    value = Fraction(int(whole + part), 10 ** len(part))
    return -value if text.startswith("-") else value


def _repeating(number: re.Match[str]) -> Fraction | None:
    r"""0.1\overline{6}, or 0.1666...: dots after a block that occurs three times running.

    Blocks of several lengths may end the same digits (0.211121112111...): then nothing is read,
    unless they say the same.
    """
    whole, part, block = (
        number[1] or "0",
        number[2],
        number["block"] or number["digit"] or number["bare"],
    )
    if block:
        return _with_period(whole, part, block)
    lengths = range(1, len(part) // _THREE_TIMES + 1)
    blocks = [part[-n:] for n in lengths if part.endswith(part[-n:] * _THREE_TIMES)]
    values = {_with_period(whole, part, block) for block in blocks}
    return values.pop() if len(values) == 1 else None


def _with_period(whole: str, part: str, block: str) -> Fraction:
    tail = Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(part))
    return Fraction(int(whole + part), 10 ** len(part)) + tail
