"""Ranges of numbers in names and addresses: ``compute[01-80]`` stands for 80 names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import product

MOST = 10_000
"""The most names that one text may stand for."""

_BRACKETS = re.compile(r"\[([^][]*)\]")
_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*)", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


class RangeError(ValueError):
    """A range that is wrong: what it is, and in ``remedy`` what to do."""

    remedy = "write numbers between the brackets, such as [01-80] or [1-4,7]"


class TooMany(RangeError):
    """A range of more than ``MOST`` names."""

    remedy = "use several smaller ranges"


def is_range(text: str) -> bool:
    """Whether the text has a range, or a bracket that can only be a mistake in one."""
    return "[" in text or "]" in text


def expand(text: str) -> tuple[str, ...]:
    """What the text stands for, in order; without a range, the text itself.

    With several ranges, the last one changes fastest. Numbers are as wide as the first of their
    range if that begins with a zero: ``[08-11]`` is 08, 09, 10, 11. Raises RangeError for a range
    that isn't one of numbers, and for more than ``MOST`` names.
    """
    fixed, inner = _split(text)
    choices = [[*_numbers(numbers)] for numbers in inner]
    _check_size(text, math.prod(map(len, choices)))
    return tuple("".join(map("".join, zip(fixed, (*chosen, "")))) for chosen in product(*choices))


def collapse(names: Iterable[str]) -> Iterator[str]:
    """The names with ranges for numbers that follow each other: the opposite of :func:`expand`."""
    run: list[re.Match[str]] = []

    def shown() -> str:
        first, last = run[0], run[-1]
        number = first[2] if first is last else f"[{first[2]}-{last[2]}]"
        return f"{first[1]}{number}{first[3]}"

    for name in names:
        match = _NUMBERED.fullmatch(name)
        if run and match and _follows(run[-1], match):
            run.append(match)
            continue
        if run:
            yield shown()
        run = [match] if match else []
        if not match:
            yield name
    if run:
        yield shown()


def _follows(before: re.Match[str], match: re.Match[str]) -> bool:
    """Whether only the number differs, and is one more, as :func:`expand` writes it."""
    next_ = f"{int(before[2]) + 1:0{len(before[2])}}"
    return match[1] == before[1] and match[3] == before[3] and match[2] == next_


def _split(text: str) -> tuple[list[str], list[str]]:
    """What is around the brackets, and what is between them."""
    fixed, inner = (parts := _BRACKETS.split(text))[::2], parts[1::2]
    if any(is_range(part) for part in fixed):
        raise RangeError(f'"{text}" has a bracket without its other one')
    return fixed, inner


def _numbers(inner: str) -> Iterator[str]:
    """The numbers of one pair of brackets."""
    for part in inner.split(","):
        match = _NUMBERS.fullmatch(part)
        if not match:
            raise RangeError(f"[{inner}] is not a range of numbers")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise RangeError(f"[{inner}] ends before it begins")
        _check_size(f"[{inner}]", last - first + 1)
        width = len(match[1]) if match[1].startswith("0") else 0
        yield from (f"{number:0{width}}" for number in range(first, last + 1))


def _check_size(text: str, size: int) -> None:
    if size > MOST:
        raise TooMany(f'"{text}" stands for {size:,} names, which is more than {MOST:,}')
