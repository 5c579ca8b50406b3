"""The known name that an unknown one is likely meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Set

FEW = 200
"""More names than this are not compared one by one: that would take minutes for 10,000."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_."


def nearest(word: str, known: Collection[str]) -> str:
    """The one of ``known`` that ``word`` is likely meant to be; empty if none is similar.

    Of more than ``FEW`` names only one that differs in one letter, or in two swapped ones.
    """
    if len(known) <= FEW:
        return next(iter(difflib.get_close_matches(word, known, n=1)), "")
    names = known if isinstance(known, (Set, Mapping)) else frozenset(known)
    return next((name for name in _one_letter_off(word) if name in names), "")


def _one_letter_off(word: str) -> Iterator[str]:
    for at in range(len(word) + 1 if len(word) <= 100 else 0):
        before, letter, after = word[:at], word[at : at + 1], word[at + 1 :]
        for other in _LETTERS:
            yield before + other + letter + after
            yield before + other + after
        yield before + after
        yield before + after[:1] + letter + after[1:]
