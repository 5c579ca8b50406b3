"""The way back: its order, and what a failure leaves for the next try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap.record import Keep
from stackcook.errors import ExitCode, MachineError
from stackcook.manifest.model import Amount, FailureBudget, MachineKind, Manifest
from stackcook.operations.destroy import destroy, removals
from stackcook.operations.runner import Settings
from stackcook.operations.shared import Facts
from stackcook.operations.site import Site
from tests.fakes import AT, FakeSite, two_stages

ONE = Settings(parallel=1)
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


def test_nodes_go_in_reverse_and_hosts_are_given_back() -> None:
    names = ("controller", "compute1", "compute2")
    facts = Facts(dict.fromkeys(names, "running"), names)
    gone = removals(MANIFEST, facts)
    assert [removal.node.name for removal in gone] == [*names][::-1]
    gone_hosts = removals(hosts(Path("/nowhere")), facts)
    assert {(gone.machine, gone.host) for gone in gone_hosts} == {(False, True)}
    (one,) = removals(MANIFEST, facts, {"compute1"})
    assert one.node.name == "compute1"


def hosts(root: Path, computes: int = 2) -> Manifest:
    return replace(two_stages(root, computes), machines=MachineKind.SSH)


def test_hosts_are_given_back_compute_nodes_first(tmp_path: Path) -> None:
    site = FakeSite()
    assert destroy(hosts(tmp_path), site, (), settings=ONE) is ExitCode.DONE
    assert site.asked == [
        *(f"give back {name}" for name in ("compute1", "compute2", "controller")),
        *("forget", "stop", "tear down", "remove"),
    ]


def test_a_dead_host_keeps_no_other_but_the_state(tmp_path: Path) -> None:
    site = FakeSite()
    site.chef.dead = {"compute1"}
    budget = FailureBudget("single-compute", Amount(1), AT)
    manifest = replace(hosts(tmp_path), failure_budget=(budget,))
    assert destroy(manifest, site, (), settings=ONE) is ExitCode.NODES
    assert site.asked == [f"give back {name}" for name in ("compute1", "compute2", "controller")]
    site.chef.dead, site.asked[:] = set(), []
    assert destroy(manifest, site, (), keep=Keep(data=True), settings=ONE) is ExitCode.DONE
    assert "give back compute1 and keep" in site.asked and site.asked[-1] == "remove"


def test_a_state_that_the_user_has_moved_to_another_disk_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    manifest = two_stages(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "known_hosts").touch()
    manifest.state.symlink_to(tmp_path / "disk")
    Site(manifest).remove()
    assert not (tmp_path / "disk").exists() and not manifest.state.is_symlink()
