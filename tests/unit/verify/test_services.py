"""From systemd's words to a verdict; the answers are those of a real node."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from stackcook.verify import services
from stackcook.verify.check import Check
from stackcook.verify.placing import Placed, Service

NODE = Placed("controller", "10.0.116.10", services=(Service("nova-api", (8774,)),))
ACTIVE = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "NRestarts": "0",
    "ActiveEnterTimestamp": "Sun 2026-11-22 21:00:00 UTC",
}
BAD = {
    "inactive": {"ActiveState": "inactive", "SubState": "dead", "Result": "success"},
    "failed": {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "1"},
    "keeps restarting": {"ActiveState": "activating", "SubState": "auto-restart"},
    "activating": {"ActiveState": "activating", "SubState": "start"},
    "not-found": {"LoadState": "not-found", "ActiveState": "inactive"},
    "masked": {"LoadState": "masked", "ActiveState": "inactive"},
    "3 restarts": {"NRestarts": "3", "ActiveEnterTimestamp": "Sun 2026-11-22 21:09:55 UTC"},
}


def seen(*ports: int, **unit: str) -> services.Seen:
    return services.Seen("2026-11-22 21:10:00", frozenset(ports), {"nova-api": ACTIVE | unit})


def only(found: services.Seen) -> Any:
    disk, clock, check = services.checks(found, NODE)
    assert disk.ok and clock.ok
    return check


def test_active_and_listening_is_well() -> None:
    assert only(seen(8774)).ok


@pytest.mark.parametrize("cause", BAD)
def test_whatever_is_not_active_fails(cause: str) -> None:
    check = only(seen(8774, **BAD[cause]))
    assert not check.ok
    assert cause in check.cause


def test_one_old_restart_is_no_failure() -> None:
    assert only(seen(8774, NRestarts="1")).ok


def test_a_missing_port_fails() -> None:
    assert only(seen(22)).cause == "it is active, but nothing listens on port 8774"


def test_what_may_still_come_up_is_worth_another_look() -> None:
    assert not services.settled(seen(8774, ActiveState="activating"), NODE)
    assert not services.settled(seen(22), NODE)
    assert services.settled(seen(8774, ActiveState="inactive"), NODE)
    assert services.settled(seen(8774), NODE)


def test_a_nodes_answer_is_read() -> None:
    output = (
        "2026-11-22 21:09:27 1795381767\n"
        "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000\n"
        "   0: 00000000000000000000000000000000:2246 0000:0000 0A 00000000:00000000\n"
        "--- stackcook ---\n"
        "Filesystem     1024-blocks      Used Available Capacity Mounted on\n"
        "overlay           40000000  20000000  20000000      50% /\n"
        "tmpfs                 1024      1024         0     100% /run/lock\n"
        "/dev/vdb           1000000   1000000         0     100% /var/lib/my sql\n"
        "--- stackcook ---\n"
        "Id=mariadb.service\nActiveState=active\n"
        "\n"
        "Id=nova-api.service\nActiveState=inactive\nActiveEnterTimestamp=\n"
    )
    found = services.answer(output, ["mysql", "nova-api"])
    assert (found.now, found.clock) == ("2026-11-22 21:09:27", 1795381767.0)
    assert found.ports == {22, 8774}
    assert found.free == {"/": 20000000, "/var/lib/my sql": 0}
    assert found.units["mysql"]["ActiveState"] == "active"
    assert found.units["nova-api"]["ActiveEnterTimestamp"] == ""


@pytest.mark.parametrize("output", ["", "sudo: not allowed\n", "2026-11-22 21:09:27\n"])
def test_an_answer_that_is_none_is_refused(output: str) -> None:
    with pytest.raises(ValueError):
        services.answer(output, ["nova-api"])


@pytest.mark.parametrize(
    ("asked", "answered", "cause"),
    [
        (1000.0, 1001.0, ""),
        (940.0, 1005.0, ""),  # a slow answer is not a wrong clock
        (1035.0, 1036.0, "35 s behind"),
        (900.0, 960.0, "40 s ahead of"),
    ],
)
def test_a_wrong_clock(asked: float, answered: float, cause: str) -> None:
    at = dataclasses.replace(seen(8774), clock=1000.0, asked=asked, answered=answered)
    _, clock, _ = services.checks(at, NODE)
    assert clock.ok == (not cause) and cause in clock.cause


def test_behind_a_shared_address_the_logs_of_all_controllers_are_named() -> None:
    service = Service("keystone", logs=("/var/log/keystone.log",))
    nodes = [Placed(name, "192.0.2.1", services=(service,)) for name in ("c1", "c2", "c3")]
    failed = Check("Keystone's token", "", False, "no response", unit="keystone")
    log = "read its log with `stackcook ssh c1 -- sudo tail -n 50 /var/log/keystone.log`"
    sessions = services.Sessions({}, Path("known_hosts"))
    assert sessions.explained(failed, nodes, ()).remedy == f"{log}, and the same on c2, c3"
    assert sessions.explained(failed, nodes[:1], ()).remedy == log
    assert sessions.explained(failed, [], ()) == failed
