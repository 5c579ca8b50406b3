"""Several controllers behind one address: each is asked itself, and one of them has the address."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.command import Completed
from stackcook.errors import VerifyError
from stackcook.verify import gate, horizon, internal
from stackcook.verify.check import Checks
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import Placed, Service
from stackcook.verify.services import INTERNAL_CA, Sessions
from tests.runner import BaseRemote

SHARED = "10.0.116.9"
UNITS = ("keystone", "placement-api", "keepalived", "apache2")
NODES = tuple(
    Placed(
        f"controller{n}",
        f"10.0.116.{9 + n}",
        services=tuple(map(Service, UNITS)),
        virtual=SHARED,
    )
    for n in (1, 2, 3)
)


def cloud(scheme: str = "http") -> Cloud:
    url = f"{scheme}://{SHARED}"
    internal = {"identity": f"{url}:5000", "placement": f"{url}:8778", "compute": f"{url}:8774/v2"}
    return Cloud(
        "gAAAA-t0ken",
        (
            Endpoint("identity", "public", f"https://{SHARED}:13000/v3"),
            *(Endpoint(type_, "internal", url) for type_, url in internal.items()),
        ),
    )


class FakeSessions(Sessions):
    """Connections to nodes that answer; those named ``bad`` have an API that does not."""

    def __init__(self, *bad: str, having: tuple[str, ...] = ("controller2",)) -> None:
        super().__init__({}, Path("/nowhere"))
        self.asked: list[tuple[str, ...]] = []
        self._bad, self._having = bad, having

    def on(self, node: str) -> BaseRemote:
        sessions = self

        class Remote(BaseRemote):
            def answer(self, command: str, stdin: str, content: bytes) -> Completed:
                if "ip -o address" in command:
                    has = node in sessions._having
                    return Completed(0, f"2: eth0 inet {SHARED}/24 scope global" if has else "")
                words = command.split("main(*sys.argv[1:]))")[1].replace("'", "").split()
                sessions.asked.append((node, stdin, *words))
                return Completed(1, "503 Busy\n") if node in sessions._bad else Completed(0, "{}")

        return Remote()


def failed(checks: Checks) -> list[str]:
    return [f"{check.name} on {check.node}" for check in checks if not check.ok]


def test_each_controller_is_asked_at_its_own_address_with_the_token() -> None:
    sessions = FakeSessions()
    checks = internal.checks(NODES, cloud(), sessions)
    assert len(checks) == 6 and failed(checks) == []
    token = "gAAAA-t0ken"
    assert sorted(sessions.asked)[:2] == [
        ("controller1", token, "http", "10.0.116.10", "5000", "/v3/projects"),
        ("controller1", token, "http", "10.0.116.10", "8778", "/resource_providers"),
    ]


def test_over_tls_they_are_asked_with_the_internal_ca() -> None:
    sessions = FakeSessions()
    alone = replace(NODES[0], virtual="", secure=True, address=SHARED)
    assert failed(internal.checks([alone], cloud("https"), sessions, ("identity",))) == []
    assert [asked[-1] for asked in sessions.asked] == [INTERNAL_CA]


def test_one_controller_without_tls_is_not_asked_from_within() -> None:
    assert internal.checks([replace(NODES[0], virtual="")], cloud(), FakeSessions()) == ()


def test_the_controller_that_does_not_answer_is_named() -> None:
    checks = internal.checks(NODES, cloud(), FakeSessions("controller3"), ("placement",))
    assert failed(checks) == ["its own placement API on controller3"]
    assert [check.unit for check in checks] == ["placement-api"] * 3


def test_clients_use_the_shared_address() -> None:
    assert {gate.auth_url(node) for node in NODES} == {f"http://{SHARED}:5000/v3"}
    assert horizon.base(NODES[1]) == f"http://{SHARED}/horizon"
    over_tls = replace(NODES[0], urls={"identity": f"https://{SHARED}:13000/v3"})
    assert gate.auth_url(over_tls) == f"https://{SHARED}:13000/v3"


def test_a_token_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(url: str, *_: object, **__: object) -> Cloud:
        asked.append(url)
        raise VerifyError("no")

    monkeypatch.setattr(gate, "sign_in", refuse)
    checks, found = gate.tokens(NODES, gate.Credentials("a", "b"))
    assert (len(asked), found, [check.node for check in checks]) == (1, None, [""])


@pytest.mark.parametrize(
    "having, cause",
    [
        (("controller2",), ""),
        ((), "none of controller1, controller2, controller3 has it"),
        (("controller1", "controller3"), "controller1 and controller3 have it at the same time"),
    ],
)
def test_exactly_one_controller_has_the_shared_address(having: tuple[str, ...], cause: str) -> None:
    (check,) = internal.shared_address(NODES, FakeSessions(having=having))
    assert (check.ok, check.cause) == (not cause, cause)
    assert check.name == f"the shared address {SHARED}"


def test_the_address_is_looked_for_whichever_daemon_moves_it() -> None:
    """Also while they change from one daemon to the other: then, two may have it."""
    ucarp = tuple(replace(node, services=(Service("openstack-ucarp"),)) for node in NODES)
    neither = tuple(replace(node, services=()) for node in NODES)
    both = FakeSessions(having=("controller1", "controller2"))
    (check,) = internal.shared_address(ucarp, both)
    assert (check.ok, check.unit) == (False, "openstack-ucarp")
    assert "journalctl -u keepalived -u openstack-ucarp" in check.remedy
    (check,) = internal.shared_address((ucarp[0], *NODES[1:]), both)
    assert check.cause == "controller1 and controller2 have it at the same time"
    assert internal.shared_address(neither, both) == ()
