"""When a deploy begins with a snapshot, what is left to do then, and when a cloud can be saved."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from stackcook.errors import ExitCode, MachineError, UsageError
from stackcook.manifest.model import BootstrapKind, Manifest, Place
from stackcook.operations.converge import converge
from stackcook.operations.deploy import deploy, deploy_plan, observe
from stackcook.operations.snapshot import (
    Wish,
    is_saved,
    restore_step,
    restored,
    save,
    save_plan,
    start_of,
)
from stackcook.run.state import State
from stackcook.snapshot.store import RESTORING, original, shape_of
from tests.fakes import FakeSite, recipe_error, two_stages
from tests.snapshots import NOW, saved, store_in

NODES = ("controller", "compute1")


@pytest.fixture()
def manifest(tmp_path: Path) -> Manifest:
    made = replace(two_stages(tmp_path), bootstrap=BootstrapKind.NATIVE)
    made.state.mkdir()
    return made


@pytest.fixture()
def site(tmp_path: Path) -> FakeSite:
    site = FakeSite()
    site.snapshots = store_in(tmp_path)
    site.on_restore = lambda: site.machines.state.update(dict.fromkeys(NODES, "stopped"))
    return site


def keep(site: FakeSite, manifest: Manifest, name: str = "lab", digest: str = "as ever") -> None:
    assert site.snapshots
    saved(site.snapshots, name, shape=shape_of(manifest), digest=digest)


def steps(manifest: Manifest, site: FakeSite, wish: Wish = Wish()) -> list[str]:
    """The steps of a deploy of all nodes, those of nodes as ``STEP NODE``."""
    facts = observe(manifest, site)
    start = start_of(manifest, site, facts.machines, site.digest(), NOW + 7200, wish)
    facts = restored(facts, manifest, start) if start else facts
    return [f"{s.name} {s.node}".rstrip() for s in deploy_plan(manifest, facts).steps]


def test_with_the_same_inputs_no_node_converges(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest)
    found = steps(manifest, site)
    assert found[:5] == ["check", "restore", "secrets", "network", "chef server"]
    assert not [step for step in found if step.startswith(("install", "converge", "gate"))]
    assert "preflight controller" in found and found[-1] == "verify"


def test_with_other_inputs_all_nodes_converge(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest, digest="before a change")
    found = steps(manifest, site)
    assert "restore" in found and {f"converge {node}" for node in NODES} < set(found)
    assert not [step for step in found if step.startswith(("install", "register"))]


def test_the_plan_says_which_and_how_old_it_is(manifest: Manifest, site: FakeSite) -> None:
    site.inputs = "\n".join(f"1  {letter}" for letter in "abcdefg")
    for digest, what in (
        (site.inputs, ""),
        (site.inputs.replace("1  b", "2  b"), "; changed since: b; all nodes converge"),
        ("1  a", "; changed since: b, c, d, e, f and 1 more; all nodes converge"),
        ("", "; what has changed is not known; all nodes converge"),
    ):
        keep(site, manifest, digest=digest)
        facts = observe(manifest, site)
        start = start_of(manifest, site, facts.machines, site.digest(), NOW + 7200)
        assert start
        plan = deploy_plan(manifest, restored(facts, manifest, start))
        wanted = f"restore the machines from the snapshot lab, saved 2 h ago{what}"
        assert plan.steps[1].does == wanted
        assert plan.machines == dict.fromkeys(NODES, "start")


@pytest.mark.parametrize("wish", [Wish(anew=True), Wish(partly=True)])
def test_who_wants_none_gets_none(manifest: Manifest, site: FakeSite, wish: Wish) -> None:
    keep(site, manifest)
    assert "restore" not in steps(manifest, site, wish)


def test_what_is_there_is_only_replaced_if_asked(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest)
    site.machines.state = {"controller": "stopped"}
    assert "restore" not in steps(manifest, site)
    assert "restore" in steps(manifest, site, Wish(reset=True))
    site.machines.state.clear()
    (manifest.state / "chef").mkdir()  # somebody's objects may be on the Chef server
    assert "restore" not in steps(manifest, site)


def test_a_box_that_was_built_again_is_newer_than_a_snapshot(
    manifest: Manifest, site: FakeSite
) -> None:
    keep(site, manifest)
    site.box_renewed = NOW + 1
    assert "restore" not in steps(manifest, site)
    assert "restore" in steps(manifest, site, Wish(reset=True))
    site.box_renewed = NOW - 1
    assert "restore" in steps(manifest, site)


def test_another_cloud_s_snapshot_does_not_fit(manifest: Manifest, site: FakeSite) -> None:
    first, *others = manifest.nodes
    moved = replace(first, address=IPv4Address("10.0.115.99"))
    keep(site, replace(manifest, nodes=(moved, *others)))
    assert "restore" not in steps(manifest, site)
    with pytest.raises(UsageError, match="there is no snapshot of this cloud"):
        steps(manifest, site, Wish(reset=True))
    with pytest.raises(UsageError, match="lab: this snapshot is of another cloud"):
        steps(manifest, site, Wish(reset=True, name="lab"))
    with pytest.raises(UsageError, match="there is no snapshot other; use one of lab"):
        steps(manifest, site, Wish(reset=True, name="other"))


def test_a_run_list_or_size_does_not_make_it_another(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest)
    first, *others = manifest.nodes
    larger = replace(first, memory=first.memory * 2, run_list=("role[other]",))
    assert "restore" in steps(replace(manifest, nodes=(larger, *others)), site)


def test_at_other_addresses_all_nodes_register_and_converge(
    manifest: Manifest, site: FakeSite
) -> None:
    manifest = replace(manifest, network=IPv4Network("10.0.115.0/24"))
    place = Place("original", IPv4Network("10.0.112.0/24"))
    manifest = replace(manifest, snapshots_of=place)
    before = original(manifest)
    assert before
    keep(site, before, digest="1  manifest")
    site.inputs = "2  manifest"
    found = steps(manifest, site)
    assert "restore" in found
    assert {f"{step} {node}" for step in ("register", "converge") for node in NODES} < set(found)
    facts = observe(manifest, site)
    start = start_of(manifest, site, facts.machines, site.digest(), NOW + 7200)
    assert start
    assert restore_step(start).does == (
        "restore the machines from the snapshot lab of the cloud lab, saved 2 h ago; "
        "changed since: manifest; all nodes converge at their new addresses"
    )


def test_an_interrupted_restore_is_done_again(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest)
    (manifest.state / RESTORING).touch()
    (manifest.state / "chef").mkdir()
    site.machines.state = {"controller": "running"}
    assert "restore" in steps(manifest, site)
    for wish in (Wish(anew=True), Wish(partly=True)):
        with pytest.raises(UsageError, match="which was interrupted; run `stackcook deploy` to"):
            steps(manifest, site, wish)
    assert site.snapshots
    site.snapshots.remove("lab")
    with pytest.raises(UsageError, match="run `stackcook destroy`, then `stackcook deploy`"):
        steps(manifest, site)


def test_an_interrupted_restore_goes_on_with_its_snapshot(
    manifest: Manifest, site: FakeSite
) -> None:
    for name in ("first", "second"):
        keep(site, manifest, name)
    for name, chosen in (("first", "first"), ("second", "second"), ("gone", "first")):
        (manifest.state / RESTORING).write_text(name)
        start = start_of(manifest, site, {}, site.digest(), NOW)
        assert start and start.snapshot.name == chosen


def test_clouds_without_snapshots(manifest: Manifest, site: FakeSite) -> None:
    site.snapshots = None
    assert "restore" not in steps(manifest, site)
    with pytest.raises(UsageError, match="only clouds of LXC containers with the embedded Chef"):
        steps(manifest, site, Wish(reset=True))
    with pytest.raises(UsageError, match="only clouds of LXC containers with the embedded Chef"):
        save(manifest, site, ())


def test_a_restored_cloud_is_verified_as_the_deploy_that_was_saved(
    manifest: Manifest, site: FakeSite
) -> None:
    keep(site, manifest)
    site.chef.known = set(NODES)
    with State(manifest.state) as state:
        assert deploy(manifest, site, (state,)) is ExitCode.DONE
    asked = [what for what in site.asked if not what.startswith(("run lists", "reach"))]
    wanted = ["check", "restore lab", "secrets", "network", "chef server", "up", "upload", "verify"]
    assert asked == wanted
    assert site.verified[-1].id == "d-1"


def test_a_restored_cloud_can_be_saved_again(manifest: Manifest, site: FakeSite) -> None:
    keep(site, manifest)
    site.chef.known = set(NODES)
    with State(manifest.state) as state:
        deploy(manifest, site, (state,))
        assert save(manifest, site, (state,), "second") is ExitCode.DONE
    assert site.snapshots
    second = site.snapshots.find("second")
    assert (second.digest, second.deploy, second.size) == ("as ever", "d-1", 3)


def deployed(manifest: Manifest, site: FakeSite, only: tuple[str, ...] = ()) -> None:
    with State(manifest.state) as state:
        deploy(manifest, site, (state,), only)


def names(site: FakeSite) -> list[str]:
    assert site.snapshots
    return [snapshot.name for snapshot in site.snapshots.all()]


def test_a_cloud_is_stopped_saved_and_started(manifest: Manifest, site: FakeSite) -> None:
    deployed(manifest, site)
    site.asked.clear()
    assert save(manifest, site, ()) is ExitCode.DONE
    up = ["shut down", "copy", "network", "chef server", "up"]
    assert site.asked == [*up, "gate compute1 controller"]
    assert names(site) == [manifest.name]
    assert [step.name for step in save_plan(manifest).steps][-1] == "gate"


def test_what_is_not_a_whole_cloud_is_not_saved(manifest: Manifest, site: FakeSite) -> None:
    why = "only a cloud whose last deploy of all nodes succeeded can be saved"
    with pytest.raises(UsageError, match=why):
        save(manifest, site, ())
    deployed(manifest, site, ("controller",))
    with pytest.raises(UsageError, match=why):
        save(manifest, site, ())
    site.chef.broken["compute1"] = recipe_error("compute1")
    deployed(manifest, site)
    with pytest.raises(UsageError, match=why):
        save(manifest, site, ())
    site.chef.broken.clear()
    deployed(manifest, site)
    del site.machines.state["compute1"]
    with pytest.raises(UsageError, match="compute1: the machine does not exist"):
        save(manifest, site, ())
    assert names(site) == []


@pytest.mark.parametrize(
    ("what", "asked"), [("shut down", ["shut down"]), ("copy", ["shut down", "copy"])]
)
def test_if_a_save_fails_the_cloud_runs_again(
    manifest: Manifest, site: FakeSite, what: str, asked: list[str]
) -> None:
    deployed(manifest, site)
    site.asked.clear()
    site.errors[what] = MachineError("it failed (No space left on device)", where="x")
    events: list[object] = []
    assert save(manifest, site, (events.append,)) is ExitCode.MACHINES
    assert site.asked == [*asked, "network", "chef server", "up"]
    assert "No space left" in str(events) and names(site) == []
    assert site.snapshots
    assert not [path for path in site.snapshots.directory.iterdir() if path.is_dir()]


def test_a_snapshot_counts_as_the_same_only_with_name_inputs_and_shape(
    manifest: Manifest, site: FakeSite
) -> None:
    keep(site, manifest)
    assert not is_saved(manifest, site, "lab")  # nothing is deployed
    deployed(manifest, site)
    assert is_saved(manifest, site, "lab") and not is_saved(manifest, site, "other")
    first, *others = manifest.nodes
    moved = replace(first, address=IPv4Address("10.0.115.99"))
    assert not is_saved(replace(manifest, nodes=(moved, *others)), site, "lab")
    site.box_renewed = NOW + 1
    assert not is_saved(manifest, site, "lab")
    site.box_renewed = 0.0
    site.inputs = "changed"
    deployed(manifest, site)
    assert not is_saved(manifest, site, "lab")


def test_after_a_converge_the_inputs_are_not_known(manifest: Manifest, site: FakeSite) -> None:
    deployed(manifest, site)
    with State(manifest.state) as state:
        assert converge(manifest, site, (state,)) is ExitCode.DONE
    assert save(manifest, site, ()) is ExitCode.DONE
    assert site.snapshots
    assert site.snapshots.find(manifest.name).digest == ""
    assert not is_saved(manifest, site)
