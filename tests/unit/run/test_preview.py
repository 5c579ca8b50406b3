"""Which nodes a plan is about, and what is new where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.objects.databags import DataBag
from stackcook.chef.repository.policylock import PolicyLock
from stackcook.chef.repository.repository import Repository
from stackcook.run.preview import chosen, everything
from stackcook.manifest.model import Group, Manifest, Node
from tests.fakes import AT

MANIFEST = Manifest(
    Path("/nowhere/infrastructure.yml"),
    "fake",
    nodes=(Node("a", AT), Node("b", AT), Node("c", AT)),
    groups=(Group(AT, ("a", "b")), Group(AT, ("c",), cluster="lab")),
)
COOKBOOK = Cookbook("apt", {"name": "apt", "version": "1.0.0"}, ())


@pytest.mark.parametrize(
    "sections, wanted, names",
    [
        (("nodes", "clusters"), None, {"a", "b", "c"}),
        (("nodes",), None, {"a", "b"}),
        (("nodes", "clusters"), {"b", "c"}, {"b", "c"}),
        (("clusters",), {"b"}, set()),
        (("roles",), None, set()),
    ],
)
def test_nodes_of_sections(
    sections: tuple[str, ...], wanted: set[str] | None, names: set[str]
) -> None:
    assert chosen(MANIFEST, sections, wanted) == names


def test_everything_is_new_to_an_empty_server() -> None:
    bag = DataBag("users", {"bob": {"id": "bob"}})
    policy = PolicyLock("web", "lab", {}, {"a1": COOKBOOK})
    repository = Repository((COOKBOOK,), {"web": {}}, {"lab": {}}, (bag,), policy)
    found = everything(repository, ("cookbooks", "roles", "data bags"))
    assert [change.label for change in found.cookbooks] == ["cookbook apt 1.0.0"]
    labels = [change.label for change in found.objects]
    assert labels == ["data bag users", "data bag item users/bob", "role web"]
    assert found.policy and (found.policy.label, found.policy.new) == (
        "policy web of group lab",
        True,
    )
