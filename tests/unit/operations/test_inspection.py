"""All nodes are looked at before one is changed: what is found, shown, ignored, and stops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap.base import Look, Registration
from stackcook.bootstrap.findings import IGNORABLE, KINDS, NodeFinding, of_error, rows
from stackcook.bootstrap.needs import Need, Wanted
from stackcook.bootstrap.preflight import read
from stackcook.console.board import Board
from stackcook.errors import ChefServerError, ExitCode, NodeError, UsageError
from stackcook.manifest.model import Amount, FailureBudget, MachineKind, Manifest, Node
from stackcook.operations.converge import converge
from stackcook.operations.deploy import deploy, preflight
from stackcook.operations.runner import Settings
from stackcook.remote.base import Host, Unreachable
from stackcook.retry import Backoff
from stackcook.run.events import Event, Findings, StepDone, StepRetried
from tests.fakes import AT, FakeBootstrap, FakeSite, two_stages

AT_ONCE = Settings(backoff=Backoff((0, 0, 0)))
GOOD = {
    "host": "NODE",
    "id": "debian",
    "version": "13",
    "release": "Debian 13",
    "client": "yes",
    "time": "1000",
    "memory": "2097152",
    "free /": "9999999",
    "free /var": "9999999",
    "server": "reached",
}
FULL = {"free /": "1000"}


class Hosts(FakeBootstrap):
    """Nodes whose hosts print what ``said`` adds to, or replaces in, what a good one prints."""

    def __init__(self, asked: list[str]) -> None:
        super().__init__(asked)
        self.said: dict[str, dict[str, str]] = {}

    def look(self, node: Node, host: Host) -> Look:
        found = super().look(node, host)
        lines = {**GOOD, "host": node.name, **self.said.get(node.name, {})}
        facts = read("\n".join(f"{k}={v}" for k, v in lines.items()), "http://chef", 1000.0)
        return replace(found, text=str(facts), facts=facts)


class Cloud:
    """A controller and compute nodes; ``events`` are those of all runs."""

    def __init__(self, root: Path, computes: int = 2, budget: int = 0) -> None:
        self.manifest = two_stages(root, computes)
        if budget:
            allowed = (FailureBudget("single-compute", Amount(budget), AT),)
            self.manifest = replace(self.manifest, failure_budget=allowed)
        self.site = FakeSite()
        self.hosts = self.site.chef = Hosts(self.site.asked)
        self.events: list[Event] = []
        self.ignore: tuple[str, ...] = ()
        self.named = False

    def deploy(self) -> ExitCode:
        listeners = (self.events.append,)
        return deploy(
            self.manifest,
            self.site,
            listeners,
            ignore=self.ignore,
            named=self.named,
            settings=AT_ONCE,
        )

    @property
    def found(self) -> list[tuple[str, str, str]]:
        (event,) = [event for event in self.events if isinstance(event, Findings)]
        return sorted((f.node, f.id, f.level) for f in event.findings)

    @property
    def changed(self) -> bool:
        return any(asked.startswith(("bootstrap", "upload")) for asked in self.site.asked)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def test_all_findings_of_all_nodes_are_shown_and_nothing_is_changed(cloud: Cloud) -> None:
    cloud.hosts.dead = {"controller"}
    cloud.hosts.death = NodeError("the SSH host key of 10.0.115.10 has changed")
    cloud.hosts.said = {"compute1": {**FULL, "time": "9000"}}
    assert cloud.deploy() is ExitCode.NODES
    assert cloud.found == [
        ("compute1", "clock", "error"),
        ("compute1", "disk-space", "error"),
        ("controller", "host-key", "error"),
    ]
    assert not cloud.changed


def test_a_converge_stops_as_well(cloud: Cloud) -> None:
    cloud.hosts.known = {node.name for node in cloud.manifest.nodes}
    cloud.hosts.said = {"compute2": FULL}
    code = converge(cloud.manifest, cloud.site, (cloud.events.append,), settings=AT_ONCE)
    assert code is ExitCode.NODES and cloud.found == [("compute2", "disk-space", "error")]
    assert not any("converge" in asked for asked in cloud.site.asked)
    code = converge(
        cloud.manifest, cloud.site, (lambda _: None,), ignore=["disk-space"], settings=AT_ONCE
    )
    assert code is ExitCode.DONE


def test_what_is_ignored_does_not_stop_and_is_recorded(cloud: Cloud) -> None:
    cloud.hosts.said = {"compute1": FULL}
    cloud.ignore = ("disk-space",)
    assert cloud.deploy() is ExitCode.DONE
    assert cloud.found == [("compute1", "disk-space", "ignored")]
    (text,) = [
        event.text
        for event in cloud.events
        if isinstance(event, StepDone) and (event.node, event.step) == ("compute1", "preflight")
    ]
    assert text.endswith("; ignored: / has 0 MiB free, but needs 1024 MiB (disk-space)")
    (text,) = [e.text for e in cloud.events if isinstance(e, StepDone) and e.step == "findings"]
    assert text == "3 nodes inspected: 1 ignored"


def test_within_the_budget_the_others_are_deployed(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, budget=1)
    cloud.hosts.said = {"compute1": FULL}
    assert cloud.deploy() is ExitCode.WITHIN_BUDGET
    assert "bootstrap compute2" in cloud.site.asked and "bootstrap compute1" not in cloud.site.asked


def test_only_what_may_pass_by_itself_is_retried(cloud: Cloud) -> None:
    cloud.hosts.said = {
        "compute1": {"server": "refused"},
        "compute2": {"server": "refused", **FULL},
    }
    cloud.deploy()
    retried = [event.node for event in cloud.events if isinstance(event, StepRetried)]
    assert retried == ["compute1"] * 3


def test_a_preflight_alone_changes_nothing_and_tries_nothing_again(cloud: Cloud) -> None:
    cloud.manifest = replace(cloud.manifest, machines=MachineKind.SSH)
    cloud.hosts.said = {"compute1": {"server": "refused"}}
    cloud.site.machines.state = dict.fromkeys(("controller", "compute1"), "running")
    code = preflight(cloud.manifest, cloud.site, (cloud.events.append,), settings=AT_ONCE)
    assert code is ExitCode.NODES and cloud.found == [("compute1", "chef-server", "error")]
    assert not cloud.changed and not any(isinstance(e, StepRetried) for e in cloud.events)
    cloud.hosts.said = {}
    assert preflight(cloud.manifest, cloud.site, (), settings=AT_ONCE) is ExitCode.DONE
    assert not cloud.changed


def test_machines_are_not_created_to_be_inspected(cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="no machine that runs"):
        preflight(cloud.manifest, cloud.site, ())
    cloud.site.machines.state = {"compute1": "running"}
    assert preflight(cloud.manifest, cloud.site, (cloud.events.append,)) is ExitCode.DONE
    assert cloud.site.machines.state == {"compute1": "running"}


def test_a_manifest_without_nodes_has_nothing_to_inspect(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "infrastructure.yml", "x", machines=MachineKind.SSH)
    with pytest.raises(UsageError, match="no node to inspect"):
        preflight(manifest, FakeSite(), ())


def test_the_console_shows_a_failure_once(cloud: Cloud) -> None:
    cloud.hosts.said = {"compute1": FULL}
    cloud.hosts.dead = {"controller"}
    cloud.deploy()
    board = Board()
    printed = "\n".join(filter(None, map(board.take, cloud.events)))
    (line,) = [line for line in printed.splitlines() if "/ has 0 MiB free" in line]
    assert line.split()[:3] == ["compute1", "error", "disk-space"] and "enlarge the disk" in line
    assert "0 MiB" not in board.problems().plain
    assert [found["id"] for found in board.data()["findings"]] == ["login", "disk-space"]


def test_a_failure_that_is_no_finding_is_still_told(cloud: Cloud) -> None:
    cloud.hosts.broken = {"controller": NodeError("a recipe failed", where="controller")}
    cloud.hosts.said = {"compute1": FULL}
    cloud.ignore = ("disk-space",)
    cloud.deploy()
    board = Board()
    for event in cloud.events:
        board.take(event)
    assert "a recipe failed" in board.problems().plain


def test_a_failure_beside_a_warning_is_still_told(cloud: Cloud) -> None:
    cloud.hosts.said = {"compute1": {"host": "srv17"}}
    converge(cloud.manifest, cloud.site, (cloud.events.append,), settings=AT_ONCE)
    board = Board()
    for event in cloud.events:
        board.take(event)
    assert "compute1: it cannot be converged yet" in board.problems().plain


def test_a_findings_step_that_could_not_end_is_told(cloud: Cloud) -> None:
    def known() -> dict[str, frozenset[str]]:
        raise ChefServerError("it is away", where="http://chef")

    cloud.site.hostnames = known  # type: ignore[method-assign]
    assert cloud.deploy() is ExitCode.CHEF_SERVER
    board = Board()
    for event in cloud.events:
        board.take(event)
    assert "it is away" in board.problems().plain


def test_nodes_with_the_same_finding_share_a_row() -> None:
    findings = [NodeFinding("disk-space", f"c{n}", "full") for n in range(5)]
    head, row, other = rows([NodeFinding("hostname", "a", "bad", "name it", True), *findings])
    assert head[0] == "node"
    assert row == ("c0, c1 and 3 more nodes", "error", "disk-space", "full", row[4])
    assert row[4] == KINDS["disk-space"].remedy
    assert other == ("a", "ignored", "hostname", "bad", "name it")


def test_what_keeps_us_out_is_a_finding_that_can_not_be_ignored() -> None:
    for error, id in (
        (Unreachable("no SSH response"), "unreachable"),
        (NodeError("the SSH host key of x has changed"), "host-key"),
        (NodeError("me cannot become root with sudo (no)"), "sudo"),
        (NodeError("the key cannot be used"), "login"),
    ):
        assert of_error(error, "one").id == id
        assert id not in IGNORABLE
    assert of_error(NodeError("x", remedy="y"), "one").to_do == "y"


def test_a_machine_that_nobody_logged_in_to_has_no_findings(cloud: Cloud) -> None:
    look = Look(Registration.NEW, "its provider has not created it yet")
    cloud.hosts.look = lambda node, host: look  # type: ignore[method-assign]
    assert cloud.deploy() is ExitCode.DONE and cloud.found == []


@pytest.fixture
def hosts(cloud: Cloud) -> Cloud:
    """The same on existing hosts, all of them compute nodes."""
    cloud.manifest = replace(cloud.manifest, machines=MachineKind.SSH)

    def wanted(node: Node) -> Wanted:
        return Wanted(Need(tunnels=True), address=str(node.address))

    cloud.site.wanted = wanted  # type: ignore[method-assign]
    return cloud


def test_hosts_with_the_same_name_stop_before_anything_is_changed(hosts: Cloud) -> None:
    hosts.hosts.said = {"compute2": {"host": "compute1"}}
    assert hosts.deploy() is ExitCode.NODES
    assert hosts.found == [
        ("compute1", "hostname-duplicate", "error"),
        ("compute2", "hostname-duplicate", "error"),
    ]
    assert not hosts.changed


def test_names_are_compared_with_those_that_the_cloud_knows(hosts: Cloud) -> None:
    known = {"compute1": frozenset({"old"}), "controller": frozenset({"controller"})}
    hosts.site.hostnames = lambda: known  # type: ignore[method-assign]
    hosts.hosts.said = {"compute1": {"host": "new"}}
    assert hosts.deploy() is ExitCode.NODES
    assert hosts.found == [("compute1", "hostname-changed", "error")]


def test_a_chef_server_that_is_away_for_a_moment_is_asked_again(hosts: Cloud) -> None:
    away = [ChefServerError("restarting", where="http://chef")]

    def known() -> dict[str, frozenset[str]]:
        if away:
            raise away.pop()
        return {}

    hosts.site.hostnames = known  # type: ignore[method-assign]
    assert hosts.deploy() is ExitCode.DONE
    (retried,) = [event.step for event in hosts.events if isinstance(event, StepRetried)]
    assert retried == "findings" and hosts.found == []


def test_new_hosts_get_the_names_of_their_nodes(hosts: Cloud) -> None:
    hosts.hosts.said = {"compute1": {"host": "debian"}, "compute2": {"host": "localhost"}}
    assert hosts.deploy() is ExitCode.NODES
    hosts.events.clear()
    hosts.named = True
    assert hosts.deploy() is ExitCode.DONE and hosts.found == []
    steps = [asked for asked in hosts.site.asked if asked.endswith("compute1")]
    assert steps[-3:] == ["record compute1", "hostname compute1", "bootstrap compute1"]


def test_a_host_of_the_cloud_does_not_get_another_name(hosts: Cloud) -> None:
    hosts.hosts.said = {"compute1": {"host": "compute2", "ours": "yes"}}
    hosts.named = True
    assert hosts.deploy() is ExitCode.NODES
    assert ("compute1", "hostname-duplicate", "error") in hosts.found and not hosts.changed


def test_a_node_whose_name_no_host_can_have_is_refused(hosts: Cloud) -> None:
    odd = replace(hosts.manifest.nodes[0], name="my_node")
    hosts.manifest = replace(hosts.manifest, nodes=(*hosts.manifest.nodes[1:], odd))
    hosts.hosts.said = {"my_node": {"host": "srv17"}}
    assert hosts.deploy() is ExitCode.DONE
    hosts.named = True
    with pytest.raises(UsageError, match="--set-hostnames: my_node cannot be the name of a host"):
        hosts.deploy()


def test_warnings_do_not_stop(hosts: Cloud) -> None:
    hosts.hosts.said = {"compute1": {"host": "srv17"}, "compute2": {"cpus": "2"}}
    assert hosts.deploy() is ExitCode.DONE
    assert hosts.found == [("compute1", "hostname-differs", "warning")]


def test_connections_are_tested_and_what_cannot_be_is_a_warning(hosts: Cloud) -> None:
    asked = []

    def probe(node: Node, host: Host, command: str, timeout: float) -> str:
        asked.append(node.name)
        if node.name == "controller":
            raise NodeError("the connection broke", where="controller")
        return "tunnel 10.0.115.12=no answer\n" if node.name == "compute1" else ""

    hosts.hosts.probe = probe  # type: ignore[method-assign]
    assert hosts.deploy() is ExitCode.NODES
    assert sorted(asked) == ["compute1", "compute2", "controller"]
    assert hosts.found == [("compute2", "tunnel", "error"), ("controller", "peers", "warning")]
    hosts.events.clear()
    hosts.ignore = ("tunnel",)
    assert hosts.deploy() is ExitCode.DONE
    (text,) = [e.text for e in hosts.events if isinstance(e, StepDone) and e.step == "findings"]
    assert text == (
        "3 nodes inspected: 1 warning, 1 ignored;"
        " ignored: its UDP port 6081 cannot be reached from compute1 (tunnel)"
    )


def test_machines_of_ours_are_not_compared(cloud: Cloud) -> None:
    cloud.site.wanted = lambda node: Wanted(lab=True)  # type: ignore[method-assign]
    cloud.hosts.said = {"compute2": {"host": "compute1"}}
    assert cloud.deploy() is ExitCode.DONE and cloud.found == []


def test_a_node_whose_attributes_can_not_be_read_fails_alone(hosts: Cloud) -> None:
    def wanted(node: Node) -> Wanted:
        if node.name == "compute1":
            raise NodeError("cannot read x.json", where="compute1")
        return Wanted()

    hosts.site.wanted = wanted  # type: ignore[method-assign]
    assert hosts.deploy() is ExitCode.NODES
    assert hosts.found == [("compute1", "login", "error")]
