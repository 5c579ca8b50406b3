"""A plan as people read it and as JSON holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.chef.sync.changes import Difference
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import Manifest, Node
from stackcook.operations.deploy import deploy_plan
from stackcook.operations.shared import Facts
from stackcook.report.plan import data, render
from stackcook.run.preview import Creation, Deletion, Preview, Removal
from tests.fakes import AT, node

STATE = Path("/nowhere/.stackcook")
CLOUD = Node(
    "web01", AT, ("role[web]",), "lab", provider="ec2", options=parse("-f m1 -P 'se cret' -Kkey")
)


def lines(preview: Preview) -> list[str]:
    return render(preview).plain.splitlines()


def planned(*nodes: Node, **facts: object) -> Preview:
    """The preview of a deploy of these nodes."""
    manifest = Manifest(Path("/nowhere/infrastructure.yml"), "fake", nodes=nodes)
    made = deploy_plan(manifest, Facts(**facts))  # type: ignore[arg-type]
    return Preview("http://chef", creation=Creation(plan=made, nodes=nodes))


def node_lines(preview: Preview) -> list[str]:
    """The lines of the stages, without the steps for the whole deployment."""
    found = lines(preview)
    return found[found.index("stage all") : found.index("finally")]


@pytest.mark.parametrize(
    "made, wanted",
    [
        (
            node("a", "web", 7),
            "a  10.0.115.7  create the machine, install the Chef client,"
            " register it with the Chef server, converge role[web] in lab",
        ),
        (
            replace(node("a", "web", 7), run_list=(), environment="_default"),
            "a  10.0.115.7  create the machine, install the Chef client,"
            " register it with the Chef server, converge an empty run list",
        ),
        (
            replace(node("a", "web", 7), policy_name="web", policy_group="lab"),
            "a  10.0.115.7  create the machine, install the Chef client,"
            " register it with the Chef server, converge policy web of lab",
        ),
        (
            replace(CLOUD, provider="windows_ssh", host="win1"),
            "web01  win1  knife bootstrap win1 -o ssh -f m1 -P **** -K**** -N web01 -E lab"
            " -r 'role[web]'",
        ),
    ],
)
def test_a_node(made: Node, wanted: str) -> None:
    assert node_lines(planned(made)) == ["stage all", f"  {wanted}"]


def test_a_node_that_is_there() -> None:
    preview = planned(node("a", "web", 7), machines={"a": "running"}, registered={"a"})
    assert node_lines(preview)[1] == "  a  10.0.115.7  converge role[web] in lab"


def test_a_node_that_is_done() -> None:
    preview = planned(node("a", "web", 7), machines={"a": "running"}, done=frozenset({"a"}))
    what = "already converged by the deploy that this one resumes"
    assert node_lines(preview)[1] == f"  a  10.0.115.7  {what}"


def test_the_steps_around_the_nodes() -> None:
    found = lines(planned(node("a", "web", 7)))
    assert found[:9] == [
        "first",
        "  check        read and check the Chef repository",
        "  secrets      generate the passwords and keys that are missing",
        "  network      set up the network of the machines",
        "  chef server  start the Chef server, or check that it responds",
        "  machines     create a",
        "  findings     show what preflight has found, and stop if a node is not ready",
        "  upload       upload what differs from the Chef repository",
        "  run lists    set the run lists, environments and addresses that differ from "
        "the manifest",
    ]
    assert found[-2:] == [
        "  save         wait until the Chef server has saved its data",
        "  verify       check that the cloud works, also with instances if it has an external"
        " network and an image `test`",
    ]


def test_a_clouds_node_shows_knifes_command_without_its_secrets() -> None:
    command = "knife ec2 server create -f m1 -P **** -K**** -N web01 -E lab -r 'role[web]'"
    assert node_lines(planned(CLOUD)) == ["stage all", f"  web01  ec2  {command}"]
    steps = data(planned(CLOUD))["steps"]
    assert [each["does"] for each in steps if each["step"] == "bootstrap"] == [command]


def test_commands_of_knife_come_last_without_their_secrets() -> None:
    last = ("knife ssh 'name:a' uptime --ssh-password=x", "knife status --secret-file keys/secret")
    preview = Preview(None, creation=Creation(Difference((), (), ()), commands=last))
    assert lines(preview) == [
        "no Chef server is running, so everything is shown as new",
        "  unchanged  0",
        "commands of the section `knife`",
        "  knife ssh 'name:a' uptime --ssh-password=****",
        "  knife status --secret-file keys/secret",
    ]


def test_deletion() -> None:
    removals = (Removal(node("b", "web", 8), True, True), Removal(node("a", "web", 7), False, True))
    preview = Preview("http://chef", Deletion(removals, ("role web", "data bag db"), STATE))
    assert lines(preview) == [
        "`stackcook destroy` would delete",
        "  delete     machine and node and client b",
        "  delete     node and client a",
        "  delete     /nowhere/.stackcook with passwords, keys and the embedded Chef server",
        "`stackcook upload --delete` would delete from http://chef",
        "  delete     role web",
        "  delete     data bag db",
    ]
    assert data(preview)["delete"] == {
        "nodes": [
            {"name": "b", "machine": True, "registered": True, "host": False},
            {"name": "a", "machine": False, "registered": True, "host": False},
        ],
        "objects": ["role web", "data bag db"],
        "state": "/nowhere/.stackcook",
    }
    assert lines(Preview(None, Deletion())) == ["nothing to delete"]
