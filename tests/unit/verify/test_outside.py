"""Internal ports must be closed to this machine, against sockets of the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from stackcook.verify import outside
from stackcook.verify.placing import Placed, Service

ADDRESS = "127.0.0.5"


@pytest.fixture
def open_port() -> Iterator[int]:
    """A port of ADDRESS at which something listens."""
    with socket.create_server((ADDRESS, 0)) as listener:
        yield listener.getsockname()[1]


class Sessions:
    """The node's answer to the question whether it lets this machine in."""

    def __init__(self, output: str = "") -> None:
        self.output_of = output
        self.asked: list[tuple[str, str]] = []

    def output(self, node: str, command: str) -> str:
        self.asked.append((node, command))
        return self.output_of


def node(*ports: int, walled: bool = True, address: str = ADDRESS) -> Placed:
    services = [Service("mariadb", internal_ports=ports)]
    if walled:
        services.append(Service("openstack-firewall"))
    return Placed("controller", address, services=tuple(services))


def checked(placed: Placed, sessions: Any = Sessions()) -> Any:
    return outside.checks((placed,), sessions)


def test_closed_ports_pass() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        closed = listener.getsockname()[1]
    (check,), notes = checked(node(closed))
    assert (check.name, check.node, check.ok, notes) == ("internal ports", "controller", True, ())


def test_an_open_port_is_named_with_its_service(open_port: int) -> None:
    sessions = Sessions()
    (check,), notes = checked(node(open_port), sessions)
    assert not check.ok and notes == ()
    assert f"not a node of the cloud, can connect to port {open_port} (mariadb)" in check.cause
    assert "stackcook converge controller" in check.remedy
    assert sessions.asked[0][0] == "controller" and "nodes4 '{ 127.0.0.1 }'" in sessions.asked[0][1]


def test_a_machine_that_is_let_in_proves_nothing_and_that_is_said(open_port: int) -> None:
    found, notes = checked(node(open_port), Sessions("set nodes4 {…}"))
    assert found == ()
    assert notes == ("internal ports of controller not checked: it lets 127.0.0.1 in",)


def test_nodes_without_a_firewall_are_not_checked(open_port: int) -> None:
    assert checked(node(open_port, walled=False)) == ((), ())


def test_a_name_that_does_not_resolve_is_reported_by_other_checks(
    open_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert checked(node(open_port, address="controller.lab")) == ((), ())
