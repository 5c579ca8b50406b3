"""A cloud of two nodes that exists only here: Chef's node objects, HTTP answers, SSH answers."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import responses

from stackcook.command import Completed
from stackcook.errors import ChefServerError, NodeError, Position
from stackcook.manifest.model import Manifest, Node
from stackcook.remote.base import Host
from stackcook.verify.gate import Credentials
from tests.runner import BaseRemote

CONTROLLER, COMPUTE = "10.0.116.10", "10.0.116.11"
AUTH_URL = f"http://{CONTROLLER}:5000/v3"
CATALOG = {
    "identity": ("keystone", AUTH_URL),
    "image": ("glance", f"http://{CONTROLLER}:9292"),
    "placement": ("placement", f"http://{CONTROLLER}:8778"),
    "compute": ("nova", f"http://{CONTROLLER}:8774/v2.1"),
    "network": ("neutron", f"http://{CONTROLLER}:9696"),
}
SERVICES: dict[str, dict[str, dict[str, Any]]] = {
    "controller": {
        "keystone": {
            "ports": [5000],
            "log": ["/var/log/keystone/a.log", "/var/log/keystone/b.log"],
        },
        "nova-scheduler": {"ports": [], "log": "/var/log/nova/nova-scheduler.log"},
        "apache2": {"ports": [80], "log": "/var/log/apache2/error.log"},
    },
    "compute1": {
        "nova-compute": {"ports": [], "log": "/var/log/nova/nova-compute.log"},
        "ovn-controller": {"ports": []},
        "neutron-ovn-metadata-agent": {"ports": []},
    },
}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """controller and compute1, in a range of their own."""
    at = Position(1, 1)
    return Manifest(
        path=tmp_path / "infrastructure.yml",
        name="sctest",
        nodes=(
            Node("controller", at, address=IPv4Address(CONTROLLER)),
            Node("compute1", at, address=IPv4Address(COMPUTE)),
        ),
    )


@pytest.fixture
def credentials() -> Credentials:
    secrets = ("adm1n-pass", "queue-pass", "n0va-db")
    return Credentials("adm1n-pass", "queue-pass", secrets, os_cloud="ci-42")


def node_object(name: str, services: dict[str, Any], *, converged: bool = True) -> dict[str, Any]:
    """A node as the Chef server gives it."""
    automatic = {"hostname": name, "fqdn": f"{name}.lab", "ohai_time": 1.0} if converged else {}
    return {"name": name, "automatic": automatic, "default": {"openstack": {"services": services}}}


@dataclass
class FakeChef:
    """A Chef server that holds node objects; its search knows ``indexed``, as they were then."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    indexed: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    error: ChefServerError | None = None

    def post(self, path: str, value: Any) -> Any:
        self.asked.append(path)
        if self.error:
            raise self.error

        def merged(node: dict[str, Any], keys: tuple[str, ...]) -> Any:
            found = [node, *(node.get(level, {}) for level in ("default", "normal", "automatic"))]
            for key in keys:
                found = [each[key] for each in found if key in each]
            return found[-1] if found else None

        rows = [
            {"data": {fact: merged(node, keys) for fact, keys in value.items()}}
            for node in self.indexed.values()
        ]
        return {"total": len(rows), "start": 0, "rows": rows[: int(path.rpartition("=")[2])]}

    def get(self, path: str) -> Any:
        self.asked.append(path)
        name = path.removeprefix("/nodes").strip("/")
        return (
            self.nodes[name] if name else {node: f"http://chef/nodes/{node}" for node in self.nodes}
        )


@pytest.fixture
def chef() -> FakeChef:
    return FakeChef({name: node_object(name, said) for name, said in deepcopy(SERVICES).items()})


@dataclass
class FakeNode:
    """What a node would answer: its units' states, its listening ports, its logs by unit."""

    units: dict[str, dict[str, str]]
    ports: set[int] = field(default_factory=set)
    logs: dict[str, str] = field(default_factory=dict)
    scanned: dict[str, Any] = field(
        default_factory=lambda: {"groups": [], "more": 0, "lines": 1000}
    )
    southbound: str = "connected"
    warning: str = ""
    rejected: str = ""
    free: int = 1 << 20
    free_of_database: int = 1 << 20
    ahead: float = 0.0
    logins: int = 0
    backends: dict[str, Completed] = field(default_factory=dict)
    asked_backends: list[tuple[str, str]] = field(default_factory=list)

    def ask_backend(self, arguments: str, stdin: str) -> Completed:
        """As the program that asks the message queue or the database ends."""
        self.asked_backends.append((arguments, stdin))
        return self.backends.get(arguments.split()[0], Completed(0, ""))

    def stop(self, unit: str) -> None:
        """As ``systemctl stop`` leaves it."""
        self.units[unit] |= {
            "ActiveState": "inactive",
            "SubState": "dead",
            "InactiveEnterTimestamp": "Sun 2026-11-22 21:04:05 UTC",
        }

    def answer(self, command: str) -> str:
        if "python3 - " in command:
            return json.dumps(self.scanned)
        if "nft get element" in command:
            return ""  # it does not let us in
        if "ovs-vsctl" in command:
            return '"tcp:10.0.116.10:6642"\n'
        if "ovn-appctl" in command:
            return f"{self.southbound}\n"
        if "grep -aE" in command:
            return self.rejected
        if "journalctl" in command:
            return next((log for unit, log in self.logs.items() if unit in command), "\n")
        sockets = [f"  0: 00000000:{port:04X} 00000000:0000 0A 0 0" for port in sorted(self.ports)]
        blocks = [
            "\n".join(f"{key}={value}" for key, value in {"Id": f"{unit}.service", **said}.items())
            for unit, said in sorted(self.units.items())  # as they are asked for
            if f" {unit}" in command
        ]
        mark = "--- stackcook ---"
        head = [f"2026-11-22 21:10:00 {time.time() + self.ahead:.0f}", *sockets, mark]
        head += ["Filesystem 1024-blocks Used Available Capacity Mounted on"]
        head += [f"/dev/vda 40000000 20000000 {self.free} 50% /"]
        if "sudo" in command:  # others may not enter the directory, so that df leaves it out
            head += [f"/dev/vdb 40000000 20000000 {self.free_of_database} 50% /var/lib/mysql/x"]
        head += [mark]
        return "\n".join(head) + "\n" + "\n\n".join(blocks) + "\n"


ACTIVE = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "ExecMainStatus": "0",
    "NRestarts": "0",
    "ActiveEnterTimestamp": "Sun 2026-11-22 20:51:01 UTC",
    "InactiveEnterTimestamp": "",
}


class FakeRemote(BaseRemote):
    """An SSH connection to a FakeNode."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        if command.startswith("python3 -c "):
            return self._node.ask_backend(" ".join(shlex.split(command)[3:]).strip(), stdin)
        return Completed(0, self._node.answer(command), self._node.warning)


@dataclass
class FakeSsh:
    """The machines, and what opens a connection to them."""

    nodes: dict[str, FakeNode]

    @property
    def hosts(self) -> dict[str, Host]:
        return {name: Host(name, "192.0.2.1", "vagrant", (Path("/key"),)) for name in SERVICES}

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> FakeRemote:
        if host.name not in self.nodes:
            raise NodeError("no SSH answer (timed out)", where=host.name, remedy="turn it on")
        self.nodes[host.name].logins += 1
        return FakeRemote(self.nodes[host.name])


@pytest.fixture
def ssh() -> FakeSsh:
    """Both machines, all of their services well."""
    return FakeSsh(
        {
            name: FakeNode(
                {unit: dict(ACTIVE) for unit in services},
                {port for said in services.values() for port in said["ports"]},
            )
            for name, services in SERVICES.items()
        }
    )


@dataclass
class FakeApis:
    """OpenStack's APIs and Horizon; tests change the lists, or replace an answer."""

    mock: responses.RequestsMock
    services: list[dict[str, Any]]
    agents: list[dict[str, Any]]
    logged_in: bool = False

    def instead(self, method: str, url: str, **answer: Any) -> None:
        """Answer otherwise than a working cloud does."""
        self.mock.replace(method, url, **answer)


Callback = Callable[[Any], tuple[int, dict[str, str], str]]


@pytest.fixture
def apis() -> Iterator[FakeApis]:
    """A cloud that works."""
    binaries = {"nova-compute": "compute1", "nova-scheduler": "controller"}
    nova = [
        {"host": host, "binary": binary, "state": "up", "status": "enabled"}
        for binary, host in binaries.items()
    ]
    kinds = ("OVN Controller Gateway agent", "OVN Metadata agent")
    agents = [{"host": "compute1.lab", "agent_type": kind, "alive": True} for kind in kinds]
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        fake = FakeApis(mock, nova, agents)
        _identity(mock)
        for type_, (_, url) in CATALOG.items():
            status = 300 if type_ == "image" else 200
            mock.add("GET", f"{url}/", json={"versions": []}, status=status)
        for url in ("projects", ":9292/v2/images", ":8778/resource_providers"):
            mock.add(
                "GET",
                f"http://{CONTROLLER}{url}" if url[0] == ":" else f"{AUTH_URL}/{url}",
                json={},
            )
        nova, neutron = CATALOG["compute"][1], CATALOG["network"][1]
        mock.add("GET", f"{nova}/servers", json={"servers": []})
        mock.add("GET", f"{neutron}/v2.0/networks", json={"networks": []})
        _callback(mock, f"{nova}/os-services", lambda: {"services": fake.services})
        hypervisors = [{"hypervisor_hostname": "compute1"}]
        mock.add("GET", f"{nova}/os-hypervisors", json={"hypervisors": hypervisors})
        _callback(mock, f"{neutron}/v2.0/agents", lambda: {"agents": fake.agents})
        _horizon(fake)
        yield fake


def _identity(mock: responses.RequestsMock) -> None:
    catalog = [
        {
            "type": type_,
            "name": name,
            "endpoints": [
                {"interface": interface, "region": "RegionOne", "url": url}
                for interface in ("admin", "internal", "public")
            ],
        }
        for type_, (name, url) in CATALOG.items()
    ]

    def tokens(request: Any) -> tuple[int, dict[str, str], str]:
        user = json.loads(request.body)["auth"]["identity"]["password"]["user"]
        if user["password"] != "adm1n-pass":
            return 401, {}, json.dumps({"error": {"code": 401, "message": "not authorized"}})
        token = {"token": {"catalog": catalog, "user": {"id": "u-admin"}}}
        return 201, {"X-Subject-Token": "gAAAA-t0ken"}, json.dumps(token)

    mock.add_callback("POST", f"{AUTH_URL}/auth/tokens", tokens)


def _callback(mock: responses.RequestsMock, url: str, body: Callable[[], Any]) -> None:
    mock.add_callback("GET", url, lambda _: (200, {}, json.dumps(body())))


def _horizon(fake: FakeApis) -> None:
    root = f"http://{CONTROLLER}/horizon"
    form = '<input type="hidden" name="csrfmiddlewaretoken" value="cs4f">'

    def login(request: Any) -> tuple[int, dict[str, str], str]:
        good = "csrfmiddlewaretoken=cs4f" in request.body and "adm1n-pass" in request.body
        fake.logged_in = good and request.headers["Referer"] == f"{root}/auth/login/"
        if fake.logged_in:
            return 302, {"Location": "/horizon/"}, ""
        return 200, {}, f'{form}<div class="alert alert-danger"> Invalid <b>credentials.</b></div>'

    def instances(_: Any) -> tuple[int, dict[str, str], str]:
        if not fake.logged_in:
            return 302, {"Location": "/horizon/auth/login/?next=/x"}, ""
        return 200, {}, '<table id="instances">'

    fake.mock.add("GET", f"{root}/auth/login/", body=form)
    fake.mock.add_callback("POST", f"{root}/auth/login/", login)
    fake.mock.add_callback("GET", f"{root}/project/instances/", instances)
