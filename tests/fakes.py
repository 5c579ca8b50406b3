"""A deployment that exists only here: machines, Chef and cloud that note what is asked of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from stackcook.bundle.archive import Bundle
from stackcook.chef.repository.repository import Repository
from stackcook.bootstrap.base import ConvergeResult, Deploy, Look, Registration
from stackcook.bootstrap.needs import Wanted
from stackcook.bootstrap.record import Keep
from stackcook.command import Completed
from stackcook.errors import ChefServerError, NodeError, Position, StackcookError, Transient
from stackcook.manifest.model import BootstrapKind, Group, Manifest, Node, Stage
from stackcook.operations.remove import Leaving
from stackcook.remote.base import Host, Unreachable
from stackcook.snapshot.store import SavedNode, Start, Store
from stackcook.verify.check import Check, Report
from stackcook.verify.contents import Contents
from stackcook.verify.member import Member
from stackcook.verify.openstack import Endpoint
from tests.runner import BaseRemote

Say = Callable[[str], None]
AT = Position(1, 1)


def node(name: str, role: str, number: int) -> Node:
    """A node with one role, at 10.0.115.NUMBER."""
    return Node(name, AT, (f"role[{role}]",), "lab", IPv4Address("10.0.115.0") + number)


def two_stages(root: Path, computes: int = 1) -> Manifest:
    """A controller in the first stage, compute nodes in the second; bootstrapped in one step."""
    return Manifest(
        path=root / "infrastructure.yml",
        name="fake",
        nodes=(
            *(node(f"compute{n}", "single-compute", 10 + n) for n in range(1, computes + 1)),
            node("controller", "single-controller", 10),
        ),
        stages=tuple(Stage(role, (role,)) for role in ("single-controller", "single-compute")),
        bootstrap=BootstrapKind.KNIFE,
    )


def three_controllers(root: Path, computes: int = 1) -> Manifest:
    """Three controllers that are a cluster, and compute nodes in the second stage."""
    manifest = two_stages(root, computes)
    controllers = (node(f"controller{n}", "ha-controller", 100 + n) for n in range(1, 4))
    nodes = (*manifest.nodes[:-1], *controllers)
    stages = tuple(Stage(role, (role,)) for role in ("ha-controller", "single-compute"))
    return replace(manifest, nodes=nodes, stages=stages)


def two_zones(root: Path, computes: int = 1) -> Manifest:
    """The zones alpha and beta, each with a controller and compute nodes."""
    manifest = two_stages(root, computes)
    nodes = [
        replace(node, name=f"{zone}-{node.name}", environment=zone)
        for zone in ("alpha", "beta")
        for node in manifest.nodes
    ]
    groups = [Group(AT, (node.name,), cluster=node.environment) for node in nodes]
    return replace(manifest, nodes=tuple(nodes), groups=tuple(groups))


@dataclass
class FakeMachines:
    """Machines that come up at once; ``asked`` notes each call."""

    asked: list[str]
    state: dict[str, str] = field(default_factory=dict)
    error: StackcookError | None = None

    def prepare(self) -> None:
        self.asked.append("network")

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        self.asked.append("up")
        if self.error:
            raise self.error
        self.state.update({node.name: "running" for node in nodes})

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        return {n.name: Host(n.name, str(n.address), "vagrant", (Path("/key"),)) for n in nodes}

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        return {node.name: self.state.get(node.name, "absent") for node in nodes}

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        self.asked.append(f"destroy {' '.join(node.name for node in nodes)}")
        if self.error:
            raise self.error
        self.state.clear()

    def server_address(self) -> IPv4Address:
        return IPv4Address("10.0.115.1")

    def attributes(self) -> Mapping[str, Any]:
        return {}

    def tear_down(self) -> None:
        self.asked.append("tear down")


@dataclass
class FakeBootstrap:
    """Nodes that converge at once: 3 of 4 resources the first time, none after that.

    ``during`` is called while a step runs that changes a node.
    ``broken`` are the nodes that fail, with what;
    ``restless`` those that always change something, ``dead`` those that can't be reached (by
    ``death``), ``booting`` those that don't answer so many times, ``transient`` those that fail so
    many times with a transient error.
    """

    asked: list[str]
    known: set[str] = field(default_factory=set)
    broken: dict[str, Exception] = field(default_factory=dict)
    restless: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    death: NodeError | None = None
    during: Callable[[Node], None] = lambda node: None
    interrupted: bool = False
    on_interrupt: Callable[[], None] = lambda: None
    transient: dict[str, int] = field(default_factory=dict)
    booting: dict[str, int] = field(default_factory=dict)
    deploys: list[Deploy] = field(default_factory=list)

    def reach(self, node: Node, host: Host) -> None:
        if self.booting.get(node.name):
            self.booting[node.name] -= 1
            raise Unreachable("no SSH answer", where=node.name)
        if node.name in self.dead:
            raise self.death or NodeError("no SSH answer", where=node.name)

    def look(self, node: Node, host: Host) -> Look:
        self.reach(node, host)
        return Look(Registration.REGISTERED if node.name in self.known else Registration.NEW, "fit")

    def probe(self, node: Node, host: Host, command: str, timeout: float) -> str:
        return ""

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        self.asked.append(f"{step} {node.name}")
        self.deploys.append(deploy)
        if step == "record":
            return "recorded"
        if step not in ("bootstrap", "converge"):
            self.during(node)
            return "fine"
        if self.transient.get(node.name):
            self.transient[node.name] -= 1
            raise Transient("the mirror is unreachable", where=node.name)
        self.during(node)
        say("  * file[/etc/fake] action create")
        if node.name in self.broken:
            raise self.broken[node.name]
        idle = node.name in self.known and node.name not in self.restless
        self.known.add(node.name)
        return ConvergeResult(0 if idle else 3, 4, 0.1, () if idle else ("file[/etc/fake]",))

    def interrupt(self) -> None:
        self.interrupted = True
        self.on_interrupt()


class FakeRemote(BaseRemote):
    """A connection that runs each command in a shell of this machine."""

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        given = stdin.encode() + content
        done = subprocess.run(["sh", "-c", command], input=given, capture_output=True)
        return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())


class FakeSite:
    """A Site in memory. ``errors`` makes the step of that name fail; ``bad`` are failed checks.

    ``cluster`` are controllers that converge in turn; those in ``single`` had no others until now.
    ``lost`` are nodes whose report the Chef server has lost, ``old`` those that have another run
    list there, ``gone`` those that only the server has, ``reported`` says when nodes converged. The
    server is ``away`` for a step of that name so many times.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.made_ready: set[str] = set()
        self.machines = FakeMachines(self.asked)
        self.chef = FakeBootstrap(self.asked)
        self.errors: dict[str, StackcookError] = {}
        self.inputs = "as ever"
        self.bad: tuple[Check, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.lost: set[str] = set()
        self.old: set[str] = set()
        self.reported: dict[str, float] = {}
        self.horizon = "http://10.0.115.10/"
        self.settled = 0
        self.while_settling: Callable[[], None] = lambda: None
        self.away: dict[str, int] = {}
        self.running_server = None
        self.repository = Repository()
        self.bundle: Bundle | None = None
        self.gone: tuple[str, ...] = ()
        self.leaves: dict[str, Leaving] = {}
        self.snapshots: Store | None = None
        self.box_renewed = 0.0
        self.on_restore: Callable[[], None] = lambda: None
        self.verified: list[Deploy] = []
        self.port = 4545
        self.cluster: tuple[str, ...] = ()
        self.single: set[str] = set()

    def _step(self, name: str) -> str:
        self.asked.append(name)
        if name in self.errors:
            raise self.errors[name]
        if self.away.get(name):
            self.away[name] -= 1
            raise ChefServerError("can't be reached", where="http://chef")
        return "fine"

    def check(self) -> str:
        return self._step("check")

    def check_providers(self) -> None:
        """There are none."""

    def make_ready(self, user: object, only: Collection[str] = ()) -> None:
        self.made_ready.update(only)

    def reach(self) -> None:
        self._step("reach")

    def secrets(self) -> str:
        return self._step("secrets")

    def chef_server(self) -> str:
        return self._step("chef server")

    def check_tls(self) -> None:
        if "tls" in self.errors:
            raise self.errors["tls"]

    def forget_host_keys(self, nodes: Sequence[Node]) -> None:
        """There are none."""

    def upload(self, say: Say) -> str:
        return self._step("upload")

    def bootstrap(self) -> FakeBootstrap:
        return self.chef

    def digest(self) -> str:
        return self.inputs

    def registered(self) -> Collection[str]:
        return frozenset(self.chef.known)

    def unlisted(self) -> tuple[str, ...]:
        return self.gone

    def check_ins(self) -> Mapping[str, float]:
        return self.reported

    def outdated(self, nodes: Sequence[Node]) -> Collection[str]:
        return self.old.intersection(node.name for node in nodes)

    def let_in(self, nodes: Sequence[Node]) -> str:
        return self._step(f"firewall {' '.join(node.name for node in nodes)}")

    def set_run_lists(self, nodes: Sequence[Node]) -> str:
        return self._step(f"run lists {' '.join(node.name for node in nodes)}")

    def recipes_to_prepare(self, nodes: Sequence[Node]) -> Mapping[str, tuple[str, ...]]:
        return {node.name: ("base::packages",) for node in nodes}

    def renewals(self) -> tuple[str, ...]:
        return ()

    def in_turn(
        self, nodes: Sequence[Node], registered: Collection[str] = ()
    ) -> Mapping[str, tuple[str, ...]]:
        first = self.single.intersection(registered)
        names = {node.name for node in nodes}.intersection(self.cluster)
        mine = tuple(sorted(names, key=lambda name: (name not in first, name)))
        return dict.fromkeys(mine, mine)

    def wanted(self, node: Node) -> Wanted:
        return Wanted()

    def hostnames(self) -> Mapping[str, frozenset[str]]:
        return {}

    def gate(self, nodes: Sequence[Node], deploy: Deploy) -> str:
        return self._step(f"gate {' '.join(node.name for node in nodes)}")

    def knife(self, say: Say) -> str:
        return self._step("knife")

    def silent(self, nodes: Sequence[Node], deploy: Deploy) -> Collection[str]:
        return self.lost.intersection(node.name for node in nodes)

    def verify(
        self,
        patience: float = 0.0,
        *,
        without: Collection[str] = (),
        deploy: Deploy = Deploy(""),
        say: Say,
        **_: Any,
    ) -> Report:
        self._step(f"verify without {' '.join(without)}" if without else "verify")
        self.verified.append(deploy)
        return Report((Check("SSH", "controller", True), *self.bad), notes=self.notes)

    def facts(self) -> Mapping[str, str]:
        return {"Horizon": self.horizon} if self.horizon else {}

    def connect(self, node: Node) -> FakeRemote:
        self.asked.append(f"connect {node.name}")
        if node.name in self.chef.dead:
            raise Unreachable("no SSH answer", where=node.name)
        return FakeRemote()

    def catalog(self) -> tuple[Endpoint, ...]:
        url = "http://10.0.115.10:8774/v2.1"
        return (Endpoint("compute", "public", url), Endpoint("compute", "internal", "http://x"))

    def close(self) -> None:
        self.asked.append("close")

    def settle(self) -> None:
        self.settled += 1
        self.while_settling()
        if "settle" in self.errors:
            raise self.errors["settle"]

    def give_back(self, node: Node, keep: Keep, timeout: float, say: Say) -> str:
        if node.name in self.chef.dead:
            self.asked.append(f"give back {node.name}")
            raise self.chef.death or NodeError("no SSH answer", where=node.name)
        return self._step(f"give back {node.name}{' and keep' * (keep != Keep())}")

    def contents(self) -> Contents:
        return Contents(("web on compute1",), ("disk",), ("test",))

    def zone_of(self, name: str) -> str:
        return ""

    def leaving(self, name: str) -> Leaving:
        return self.leaves[name]

    def disable(self, member: Member) -> str:
        return self._step("disable")

    def delete_instances(self, member: Member) -> str:
        return self._step("delete instances")

    def leave_nova(self, member: Member) -> str:
        return self._step("nova")

    def leave_neutron(self, member: Member) -> str:
        return self._step("neutron")

    def forget_member(self, member: Member) -> str:
        return self._step("databases")

    def unregister(self, node: Node) -> str:
        return self._step(f"unregister {node.name}")

    def forget(self, nodes: Sequence[Node]) -> str:
        return self._step("forget")

    def restore(self, start: Start) -> str:
        self.on_restore()
        return self._step(f"restore {start.snapshot.name}")

    def shut_down(self) -> None:
        self._step("shut down")

    def copy(self, directory: Path) -> Mapping[str, SavedNode]:
        self._step("copy")
        for name in ("controller", "compute1"):
            (directory / "nodes" / name / "rootfs").mkdir(parents=True)
        (directory / "state").mkdir()
        return {"controller": SavedNode("fake-controller", 2), "compute1": SavedNode("c", 1)}

    def stop_chef_server(self) -> str:
        return self._step("stop")

    def remove(self) -> str:
        return self._step("remove")


def recipe_error(name: str) -> NodeError:
    """What a failed recipe comes out as."""
    return NodeError("execute[boom] (x.rb:1): no", where=name, remedy="see more")
