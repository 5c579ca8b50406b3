"""`node remove`, as it is typed: what it refuses, what it asks, and what it leaves to the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.errors import ExitCode, NodeError
from stackcook.operations.remove import Leaving
from stackcook.run.state import State
from stackcook.verify.member import Instance, Member
from tests.fakes import FakeSite, node
from tests.output import data, document

MEMBER = Member(("compute1",), ("s-1",), ("compute1",), (), ("p-1",), ("a-1",))
LEAVING = Leaving(
    node("compute1", "single-compute", 11), True, "running", frozenset(), True, MEMBER
)
WEB = replace(LEAVING, member=replace(MEMBER, instances=(Instance("i", "web", "ACTIVE"),)))
DEAD = replace(LEAVING, state="unreachable")
CLOUD = ["databases", "nova", "neutron", "unregister compute1"]


@pytest.fixture(autouse=True)
def deployed(root: Path, site: FakeSite) -> None:
    """A deploy has begun here."""
    site.chef.known = {"controller", "compute1"}
    site.leaves = {"compute1": LEAVING}
    assert run("converge").exit_code == 0
    site.asked.clear()


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments, prog_name="stackcook")


def remove(*options: str, json: bool = False) -> Result:
    return run("node", "remove", "compute1", *options, *["--json"] * json)


def test_a_node_is_removed(site: FakeSite) -> None:
    result = remove("--yes")
    assert result.exit_code == 0
    assert site.asked == ["disable", "give back compute1", *CLOUD]
    assert "still has compute1: remove it there, or the next deploy adds it again" in result.stderr


def test_as_json(site: FakeSite) -> None:
    result = remove("--yes", json=True)
    found = data(result.stdout)
    steps = [each["step"] for each in found["steps"]]
    assert steps == ["disable", "databases", "nova", "neutron", "nodes"]
    assert found["nodes"]["compute1"]["result"] == "done"
    site.leaves["compute1"] = WEB
    result = remove("--yes", json=True)
    found = document(result.stdout)
    assert (result.exit_code, found["command"]) == (ExitCode.USAGE, "node remove")
    assert found["errors"][0]["what"] == "it has instances: web (ACTIVE)"


def test_nothing_is_done_unless_the_user_agrees(site: FakeSite) -> None:
    result = remove()
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == "cannot ask for confirmation without a terminal; add --yes\n"
    assert site.asked == []


def test_instances_are_deleted_only_if_the_user_says_so(site: FakeSite) -> None:
    site.leaves["compute1"] = WEB
    result = remove("--yes")
    assert result.exit_code == ExitCode.USAGE and "--delete-instances" in result.stderr
    assert site.asked == []
    assert remove("--yes", "--delete-instances").exit_code == 0
    assert site.asked[:2] == ["disable", "delete instances"]


def test_a_dead_host_needs_more_than_a_yes(site: FakeSite) -> None:
    site.leaves["compute1"] = DEAD
    result = remove("--yes")
    assert (result.exit_code, site.asked) == (ExitCode.USAGE, [])
    assert result.stderr.endswith("; add --force\n")
    result = remove("--force")
    assert result.exit_code == 0
    assert site.asked == ["disable", *CLOUD]
    assert "nothing was changed on the host of compute1" in result.stderr


def test_an_unknown_node(site: FakeSite) -> None:
    site.leaves["compute1"] = replace(LEAVING, listed=False, registered=False, member=Member())
    result = remove("--yes")
    assert (result.exit_code, site.asked) == (ExitCode.USAGE, [])
    assert result.stderr == (
        "compute1: neither the manifest nor the cloud has this node; `stackcook verify` lists the"
        " compute nodes that only the cloud has\n"
    )


def test_a_host_that_can_not_be_given_back_stays_in_the_cloud(site: FakeSite) -> None:
    site.errors["give back compute1"] = NodeError("apt is broken", where="compute1")
    result = remove("--yes")
    assert result.exit_code == ExitCode.NODES
    assert site.asked == ["disable", "give back compute1"]
    assert "apt is broken" in result.stderr + result.stdout
    assert "still has compute1" not in result.stderr


def test_where_nothing_is_deployed(root: Path, site: FakeSite) -> None:
    with State(root / "elsewhere" / ".stackcook"):
        pass
    (root / "elsewhere" / "infrastructure.yml").write_text(
        (root / "infrastructure.yml").read_text().replace("key: key", "key: ../key")
    )
    result = run("-f", str(root / "elsewhere" / "infrastructure.yml"), "node", "remove", "compute1")
    assert result.exit_code == ExitCode.USAGE and "nothing is deployed here" in result.stderr
    assert site.asked == []
