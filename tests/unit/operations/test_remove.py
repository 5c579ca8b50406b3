"""``node remove``: what it refuses, its order, and what it leaves to the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.errors import ExitCode, NodeError, UsageError, VerifyError
from stackcook.manifest.model import MachineKind
from stackcook.operations.remove import Leaving, advice, question, refuse, remove, remove_plan
from stackcook.operations.runner import Settings
from stackcook.run.events import Event, StepFailed
from stackcook.verify.member import Instance, Member
from tests.fakes import FakeSite, node, two_stages

ONE = Settings(parallel=1)
MEMBER = Member(("compute1",), ("s-1",), ("compute1",), (), ("p-1",), ("a-1",))
UNITS = frozenset({"nova-compute", "libvirtd", "ovn-controller"})
COMPUTE1 = node("compute1", "single-compute", 11)
LEAVING = Leaving(COMPUTE1, True, "running", UNITS, True, MEMBER)
WEB = replace(MEMBER, instances=(Instance("i-1", "web", "SHUTOFF"),))


@pytest.mark.parametrize(
    "leaving, what",
    [
        (replace(LEAVING, units=UNITS | {"nova-api"}), "it also runs nova-api"),
        (replace(LEAVING, units=UNITS | {"swift-object"}), "it also runs swift-object"),
        (replace(LEAVING, member=replace(MEMBER, others=("nova-conductor",))), "nova-conductor"),
        (replace(LEAVING, member=WEB), "it has instances: web (SHUTOFF)"),
        (
            replace(LEAVING, listed=False, registered=False, member=Member()),
            "neither the manifest nor the cloud has this node",
        ),
    ],
)
def test_what_is_refused(leaving: Leaving, what: str) -> None:
    with pytest.raises(UsageError) as raised:
        refuse(leaving, delete_instances=False)
    assert what in raised.value.what and raised.value.where == "compute1"


def test_what_an_earlier_try_has_left_is_removed() -> None:
    left = replace(LEAVING, listed=False, registered=False, member=Member(providers=("p-1",)))
    refuse(left, delete_instances=False)
    steps = [step.name for step in remove_plan(two_stages(Path("/nowhere")), left).steps]
    assert "nova" in steps and "disable" not in steps


@pytest.mark.parametrize(
    "kind, work",
    [(MachineKind.SSH, "give back compute1"), (MachineKind.VAGRANT, "destroy compute1")],
)
def test_its_services_stop_before_the_cloud_forgets_it(
    tmp_path: Path, kind: MachineKind, work: str
) -> None:
    site = FakeSite()
    manifest = replace(two_stages(tmp_path), machines=kind)
    leaving = replace(LEAVING, member=WEB)
    code = remove(manifest, site, (), leaving, delete_instances=True, settings=ONE)
    assert code is ExitCode.DONE
    before, after = ["disable", "delete instances"], ["databases", "nova", "neutron"]
    assert site.asked == [*before, work, *after, "unregister compute1"]


def test_a_host_that_fails_stays_in_the_cloud(tmp_path: Path) -> None:
    site = FakeSite()
    site.errors["give back compute1"] = NodeError("apt is broken", where="compute1")
    manifest = replace(two_stages(tmp_path), machines=MachineKind.SSH)
    assert remove(manifest, site, (), LEAVING, settings=ONE) is ExitCode.NODES
    assert site.asked == ["disable", "give back compute1"]


def test_an_api_that_fails_points_to_verify(tmp_path: Path) -> None:
    site, events = FakeSite(), list[Event]()
    site.errors["nova"] = VerifyError("http://10.0.112.10:8774/v2.1 does not respond")
    manifest = replace(two_stages(tmp_path), machines=MachineKind.SSH)
    remove(manifest, site, (events.append,), LEAVING, settings=ONE)
    (error,) = (event.error for event in events if isinstance(event, StepFailed))
    assert error.endswith("does not respond; run `stackcook verify` to see which service fails")


def test_of_a_dead_host_only_the_clouds_side_goes(tmp_path: Path) -> None:
    manifest = replace(two_stages(tmp_path), machines=MachineKind.SSH)
    dead = replace(LEAVING, state="unreachable", listed=False)
    steps = [step.name for step in remove_plan(manifest, dead).steps]
    assert steps == ["disable", "databases", "nova", "neutron", "nodes"]
    (line,) = advice(manifest, dead)
    assert "nothing was changed on the host of compute1" in line
    (line,) = advice(manifest, LEAVING)
    assert "still has compute1: remove it there" in line


@pytest.mark.parametrize(
    "leaving, asked",
    [
        (LEAVING, "Remove compute1 from the cloud fake?"),
        (replace(LEAVING, member=WEB), "Remove compute1 from the cloud fake, and delete web?"),
        (
            replace(LEAVING, state="unreachable", member=replace(MEMBER, last=True)),
            "compute1 does not answer, so nothing is removed on its host. compute1 is the last"
            " compute node: no instance can run without it. Remove compute1 from the cloud fake?",
        ),
    ],
)
def test_what_the_user_is_asked(leaving: Leaving, asked: str) -> None:
    assert question(two_stages(Path("/nowhere")), leaving) == asked
