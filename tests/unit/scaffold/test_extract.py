"""From what was found to a manifest: pure, and the same each time."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.scaffold.emit import as_data, as_yaml
from stackcook.scaffold.existing import (
    FoundCookbook,
    FoundDataBag,
    FoundNode,
    Survey,
    dependencies_first,
    sections,
)

HERE = IPv4Address("192.0.2.5")

WHOLE = Survey(
    berksfile=True,
    cookbooks=(FoundCookbook("app", "1.0.0", ("base", "elsewhere")), FoundCookbook("base")),
    environments=("prod", "sub/qa"),
    roles=("web",),
    data_bags=(FoundDataBag("empty"), FoundDataBag("users", ("al", "bo"), ("bo",))),
    nodes=(
        FoundNode("bare"),
        FoundNode("web1", ("role[web]", "recipe[app::b]"), "prod", HERE),
        FoundNode("web2", ("role[web]",), policy=("web", "lab")),
    ),
)


def test_whole() -> None:
    assert as_yaml(["Head."], sections(WHOLE)) == (
        """\
# Head.

# Berkshelf resolves the cookbooks of the Berksfile.
berksfile:

# Dependencies come first. A version must match the one in cookbooks/.
cookbooks:
- base:
- app: {version: 1.0.0}

environments:
- prod:
- sub/qa:

roles:
- web:

# users: bo: already encrypted, uploaded unchanged.
# To encrypt the items of a data bag on upload, add `secret: FILE` beside `items`.
data bags:
- empty:
- users: {items: [al, bo]}

# stackcook connects over SSH to the address of a node, or to its name, as root, with your SSH
# key. To use another user and key, add a section `options` with `-x USER -i KEY`.
nodes:
- bare:
- 192.0.2.5: {name: web1, run_list: ["role[web]", "recipe[app::b]"], options: -E prod}
- web2: {run_list: ["role[web]"], options: --policy-name web --policy-group lab}
"""
    )


def test_an_address_that_several_nodes_have_is_nobody_s() -> None:
    found = Survey(nodes=(FoundNode("a", address=HERE), FoundNode("b", address=HERE)))
    assert as_data(sections(found)) == {"nodes": [{"a": None}, {"b": None}]}


def test_options_are_quoted_for_the_shell() -> None:
    found = Survey(
        nodes=(FoundNode("a", environment="x; reboot"), FoundNode("b", policy=("$a", "b c")))
    )
    assert as_data(sections(found))["nodes"] == [
        {"a": {"options": "-E 'x; reboot'"}},
        {"b": {"options": "--policy-name '$a' --policy-group 'b c'"}},
    ]


def test_nothing_of_a_kind_is_no_section() -> None:
    assert as_data(sections(Survey(roles=("a",)))) == {"roles": [{"a": None}]}


def test_a_cheffile_s_cookbooks_are_mentioned() -> None:
    found = sections(Survey(cheffile=True))
    assert "Cheffile" in as_yaml((), found)


@pytest.mark.parametrize(
    "needs, order",
    [
        ({"c": "", "a": "", "b": ""}, "abc"),
        ({"a": "b", "b": "c", "c": ""}, "cba"),
        ({"a": "z", "b": "", "z": ""}, "bza"),
        ({"a": "b", "b": "a", "c": "a"}, "abc"),  # a circle
        ({"a": "a", "b": "x"}, "ab"),  # itself, and what comes from elsewhere
        ({"d": "ab", "a": "b", "b": "a", "c": "d"}, "abcd"),
    ],
)
def test_dependencies_first(needs: dict[str, str], order: str) -> None:
    books = [FoundCookbook(name, None, tuple(others)) for name, others in needs.items()]
    assert "".join(book.name for book in dependencies_first(books)) == order


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefghi"))))
def test_each_once_in_one_order_and_none_before_its_own(needs: dict[str, set[str]]) -> None:
    books = [FoundCookbook(name, None, tuple(others)) for name, others in needs.items()]
    ordered = dependencies_first(books)
    assert sorted(book.name for book in ordered) == sorted(needs)
    assert dependencies_first(random.Random(1).sample(books, len(books))) == ordered
    downward = [
        FoundCookbook(b.name, None, tuple(d for d in b.dependencies if d > b.name)) for b in books
    ]
    done: set[str] = set()
    for book in dependencies_first(downward):  # without a circle
        assert {name for name in book.dependencies if name in needs} <= done
        done.add(book.name)
