"""A plan as people read it and as JSON holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.chef.sync.changes import Difference
from stackcook.run.outlook import Creation, Deletion, Outlook
from stackcook.run.plan import Facts, Removal, plan
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.report.plan import data, render
from tests.fakes import AT, node

STATE = Path("/nowhere/.stackcook")
CLOUD = Node(
    "web01", AT, ("role[web]",), "lab", provider="ec2", options=parse("-f m1 -P 'se cret' -Kkey")
)


def lines(outlook: Outlook, kind: MachineKind = MachineKind.VAGRANT) -> list[str]:
    return render(outlook, kind).plain.splitlines()


def planned(*nodes: Node, **facts: object) -> Outlook:
    manifest = Manifest(Path("/nowhere/infrastructure.yml"), "fake", nodes=nodes)
    made = plan(manifest, Facts(**facts))  # type: ignore[arg-type]
    return Outlook("http://chef", creation=Creation(plan=made))


@pytest.mark.parametrize(
    "made, wanted",
    [
        (node("a", "web", 7), "a  10.0.115.7  make the machine, bootstrap with role[web] in lab"),
        (
            replace(node("a", "web", 7), run_list=(), environment="_default"),
            "a  10.0.115.7  make the machine, bootstrap with an empty run list",
        ),
        (
            replace(node("a", "web", 7), policy_name="web", policy_group="lab"),
            "a  10.0.115.7  make the machine, bootstrap with policy web of lab",
        ),
        (
            replace(CLOUD, provider="windows_ssh", host="win1"),
            "web01  win1  bootstrap with role[web] in lab",
        ),
    ],
)
def test_a_node(made: Node, wanted: str) -> None:
    assert lines(planned(made))[:2] == ["stage all", f"  {wanted}"]


def test_a_node_that_is_there() -> None:
    outlook = planned(node("a", "web", 7), machines={"a": "running"}, registered={"a"})
    assert lines(outlook)[1] == "  a  10.0.115.7  converge role[web] in lab"


def test_a_clouds_node_shows_knifes_command_without_its_secrets() -> None:
    command = "knife ec2 server create -f m1 -P **** -K**** -N web01 -E lab -r 'role[web]'"
    assert lines(planned(CLOUD)) == [
        "stage all",
        "  web01  ec2  bootstrap with role[web] in lab",
        f"    {command}",
    ]
    assert data(planned(CLOUD))["stages"][0]["nodes"][0]["command"] == command


def test_commands_of_knife_come_last_without_their_secrets() -> None:
    last = ("knife ssh 'name:a' uptime --ssh-password=x", "knife status --secret-file keys/secret")
    outlook = Outlook(None, creation=Creation(Difference((), (), ()), last=last))
    assert lines(outlook) == [
        "no Chef server is running: everything is new",
        "  unchanged  0",
        "last",
        "  knife ssh 'name:a' uptime --ssh-password=****",
        "  knife status --secret-file keys/secret",
    ]


def test_deletion() -> None:
    removals = (Removal(node("b", "web", 8), True, True), Removal(node("a", "web", 7), False, True))
    outlook = Outlook("http://chef", Deletion(removals, ("role web", "data bag db"), STATE))
    assert lines(outlook) == [
        "`stackcook destroy` takes away",
        "  gone       machine and node and client b",
        "  gone       node and client a",
        "  gone       /nowhere/.stackcook with passwords, keys and the embedded Chef server",
        "`stackcook upload --delete` takes from http://chef",
        "  gone       role web",
        "  gone       data bag db",
    ]
    assert data(outlook)["delete"] == {
        "nodes": [
            {"name": "b", "machine": True, "registered": True},
            {"name": "a", "machine": False, "registered": True},
        ],
        "objects": ["role web", "data bag db"],
        "state": "/nowhere/.stackcook",
    }
    assert lines(Outlook(None, Deletion())) == ["there is nothing to delete"]
