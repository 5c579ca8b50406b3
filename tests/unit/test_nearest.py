"""Which name was meant, of few and of very many."""

from __future__ import annotations

import pytest

from stackcook.nearest import FEW, nearest

FILLERS = [f"filler{number}" for number in range(FEW + 1)]


@pytest.mark.parametrize("others", [[], FILLERS], ids=["few", "many"])
@pytest.mark.parametrize(
    "word", ["controler", "contorller", "controllers", "controlle", "ccontroller", "c0ntroller"]
)
def test_a_slip_of_the_finger(word: str, others: list[str]) -> None:
    known = [*others, "controller", "compute"]
    assert nearest(word, known) == nearest(word, frozenset(known)) == "controller"


@pytest.mark.parametrize("others", [[], FILLERS], ids=["few", "many"])
def test_like_none(others: list[str]) -> None:
    assert nearest("xyz", ["controller", *others]) == ""
    assert nearest("", [*others]) == ""
    assert nearest("controller" * 1000, [*others]) == ""


def test_very_many_names_are_not_gone_through_one_by_one() -> None:
    class Names(frozenset[str]):
        def __iter__(self) -> None:
            raise AssertionError("gone through")

    assert nearest("filler1x", Names(FILLERS)) in ("filler1", "filler10", "filler11", "filler12")
