"""Finds the prime factors of numbers whose factors are small, or all but one."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

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
