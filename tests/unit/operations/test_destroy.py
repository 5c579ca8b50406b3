"""The way back: its order, and what a failure leaves for the next try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.errors import ExitCode, MachineError
from stackcook.manifest.model import MachineKind
from stackcook.operations.destroy import destroy, removals
from stackcook.operations.shared import Facts
from tests.fakes import FakeSite, two_stages

MANIFEST = two_stages(Path("/nowhere"), computes=2)


def test_it_goes_back_in_reverse_order(tmp_path: Path) -> None:
    site = FakeSite()
    assert destroy(two_stages(tmp_path), site, ()) is ExitCode.DONE
    assert site.asked == ["destroy compute1 controller", "forget", "stop", "tear down", "remove"]


def test_after_a_failure_all_that_a_second_try_needs_is_there(tmp_path: Path) -> None:
    site = FakeSite()
    site.machines.error = MachineError("busy", where="compute1")
    assert destroy(two_stages(tmp_path), site, ()) is ExitCode.MACHINES
    assert site.asked == ["destroy compute1 controller"]


@pytest.mark.parametrize(
    "machine, registered, wanted",
    [
        ("running", True, [(True, True)]),
        ("stopped", False, [(True, False)]),
        ("absent", True, [(False, True)]),
        ("absent", False, []),
    ],
)
def test_what_goes_of_a_node(
    machine: str, registered: bool, wanted: list[tuple[bool, bool]]
) -> None:
    facts = Facts({"controller": machine}, {"controller"} if registered else ())
    gone = removals(MANIFEST, facts)
    assert [(removal.machine, removal.registered) for removal in gone] == wanted


def test_nodes_go_in_reverse_and_hosts_stay() -> None:
    names = ("controller", "compute1", "compute2")
    facts = Facts(dict.fromkeys(names, "running"), names)
    gone = removals(MANIFEST, facts)
    assert [removal.node.name for removal in gone] == [*names][::-1]
    hosts = replace(MANIFEST, machines=MachineKind.SSH)
    assert not any(removal.machine for removal in removals(hosts, facts))
    (one,) = removals(MANIFEST, facts, {"compute1"})
    assert one.node.name == "compute1"
