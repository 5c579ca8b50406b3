"""From the manifest and what was observed to stages: no world needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.run.plan import ChefAction, Facts, MachineAction, plan, removals
from stackcook.manifest.model import MachineKind
from tests.fakes import two_stages

MANIFEST = two_stages(Path("/nowhere"), computes=2)


def test_stages_wait_for_all_nodes_before_them() -> None:
    first, second = plan(MANIFEST, Facts()).stages
    assert [part.node.name for part in first.nodes] == ["controller"]
    assert [part.node.name for part in second.nodes] == ["compute1", "compute2"]
    assert first.after == ()
    assert [node.name for node in second.after] == ["controller"]


def test_some_nodes_still_wait_for_those_left_out() -> None:
    (stage,) = plan(MANIFEST, Facts(), only={"compute2"}).stages
    assert [part.node.name for part in stage.nodes] == ["compute2"]
    assert [node.name for node in stage.after] == ["controller"]


@pytest.mark.parametrize(
    "machine, registered, wanted",
    [
        ("running", True, (MachineAction.NONE, ChefAction.CONVERGE)),
        ("running", False, (MachineAction.NONE, ChefAction.BOOTSTRAP)),
        ("stopped", True, (MachineAction.START, ChefAction.CONVERGE)),
        ("absent", True, (MachineAction.MAKE, ChefAction.BOOTSTRAP)),
        ("absent", False, (MachineAction.MAKE, ChefAction.BOOTSTRAP)),
    ],
)
def test_what_a_node_needs(
    machine: str, registered: bool, wanted: tuple[MachineAction, ChefAction]
) -> None:
    facts = Facts({"controller": machine}, {"controller"} if registered else ())
    (part,) = plan(MANIFEST, facts, only={"controller"}).stages[0].nodes
    assert (part.machine, part.chef) == wanted


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
