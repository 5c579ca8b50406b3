"""The name that was likely meant by one that isn't there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set

FEW = 200
"""As many names are compared one by one; ten thousand by ten thousand would take minutes."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_."


def nearest(word: str, known: Collection[str]) -> str:
    """The one of ``known`` that ``word`` is likely meant to be; empty if it is like none.

    Of more than ``FEW`` names only one that differs in one letter, or in two that changed places.
    """
    if len(known) <= FEW:
        from difflib import get_close_matches  # mistakes are seldom, and it is slow to load

        return next(iter(get_close_matches(word, known, n=1)), "")
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
