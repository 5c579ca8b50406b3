"""From what was found to a manifest: pure, and the same each time."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.scaffold.emit import as_data, as_yaml
from stackcook.scaffold.extract import dependencies_first, sections
from stackcook.scaffold.survey import Cookbook, DataBag, Node, Survey

HERE = IPv4Address("192.0.2.5")

WHOLE = Survey(
    berksfile=True,
    cookbooks=(Cookbook("app", "1.0.0", ("base", "elsewhere")), Cookbook("base")),
    environments=("prod", "sub/qa"),
    roles=("web",),
    data_bags=(DataBag("empty"), DataBag("users", ("al", "bo"), ("bo",))),
    nodes=(
        Node("bare"),
        Node("web1", ("role[web]", "recipe[app::b]"), "prod", HERE),
        Node("web2", ("role[web]",), policy=("web", "lab")),
    ),
)


def test_whole() -> None:
    assert as_yaml(["Head."], sections(WHOLE)) == (
        """\
# Head.

# The cookbooks that Berksfile names come from there.
berksfile:

# Each after those that it depends on; a version is checked against cookbooks/.
cookbooks:
- base:
- app: {version: 1.0.0}

environments:
- prod:
- sub/qa:

roles:
- web:

# users: bo: encrypted already, uploaded as it is.
# `secret: FILE` beside `items` has a bag's items encrypted on their way.
data bags:
- empty:
- users: {items: [al, bo]}

# SSH goes to a node's address, or else to its name, as root and with your own key. Another
# user and key for all of them: a section `options` with `-x USER -i KEY`.
nodes:
- bare:
- 192.0.2.5: {name: web1, run_list: ["role[web]", "recipe[app::b]"], options: -E prod}
- web2: {run_list: ["role[web]"], options: --policy-name web --policy-group lab}
"""
    )


def test_an_address_that_several_nodes_have_is_nobody_s() -> None:
    found = Survey(nodes=(Node("a", address=HERE), Node("b", address=HERE)))
    assert as_data(sections(found)) == {"nodes": [{"a": None}, {"b": None}]}


def test_options_are_quoted_for_the_shell() -> None:
    found = Survey(nodes=(Node("a", environment="x; reboot"), Node("b", policy=("$a", "b c"))))
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
        ({"d": "ab", "a": "b", "b": "a", "c": "d"}, "abdc"),
    ],
)
def test_dependencies_first(needs: dict[str, str], order: str) -> None:
    books = [Cookbook(name, None, tuple(others)) for name, others in needs.items()]
    assert "".join(book.name for book in dependencies_first(books)) == order


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefghi"))))
def test_each_once_in_one_order_and_none_before_its_own(needs: dict[str, set[str]]) -> None:
    books = [Cookbook(name, None, tuple(others)) for name, others in needs.items()]
    ordered = dependencies_first(books)
    assert sorted(book.name for book in ordered) == sorted(needs)
    assert dependencies_first(random.Random(1).sample(books, len(books))) == ordered
    downward = [
        Cookbook(b.name, None, tuple(d for d in b.dependencies if d > b.name)) for b in books
    ]
    done: set[str] = set()
    for book in dependencies_first(downward):  # without a circle
        assert {name for name in book.dependencies if name in needs} <= done
        done.add(book.name)
