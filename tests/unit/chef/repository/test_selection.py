"""``--only``: the sections it names, and what of the repository belongs to them."""

from __future__ import annotations

import pytest

from stackcook.chef.repository.repository import Repository
from stackcook.chef.repository.selection import SECTIONS, parse_sections, select
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


def test_a_word_that_names_none_is_said() -> None:
    with pytest.raises(UsageError, match='"rules" is no section; did you mean "roles"'):
        parse_sections(["roles,rules"])


def test_only_what_was_selected_is_left() -> None:
    repository = Repository(roles={"web": {}}, environments={"qa": {}})
    assert select(repository, ("roles",)) == Repository(roles={"web": {}})
    assert select(repository, ("nodes",)) == Repository()
