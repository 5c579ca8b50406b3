"""``--only``: the sections it names, and what of the repository belongs to them."""

from __future__ import annotations

import pytest

from stackcook.chef.repository.repository import SECTIONS, Repository, parse_sections
from stackcook.errors import UsageError


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        ((), SECTIONS),
        (("roles",), ("roles",)),
        (("data_bags",), ("data bags",)),
        (("data-bags", "data bags"), ("data bags",)),
        (("Roles, cookbooks", "nodes"), ("cookbooks", "roles", "nodes")),
    ],
)
def test_words_name_sections(words: tuple[str, ...], sections: tuple[str, ...]) -> None:
    assert parse_sections(words) == sections


def test_an_unknown_section() -> None:
    with pytest.raises(UsageError, match='unknown section "rules"; did you mean "roles"'):
        parse_sections(["roles,rules"])


@pytest.mark.parametrize("word", ["", " , "])
def test_words_that_name_no_section(word: str) -> None:
    with pytest.raises(UsageError, match="--only: no section is named; use one of cookbooks, "):
        parse_sections([word])


def test_only_what_was_selected_is_left() -> None:
    repository = Repository(roles={"web": {}}, environments={"qa": {}})
    assert repository.select(("roles",)) == Repository(roles={"web": {}})
    assert repository.select(("nodes",)) == Repository()
