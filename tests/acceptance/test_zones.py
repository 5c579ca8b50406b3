"""Two zones: one loses its controller in the middle of the deploy, and later while it is used."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from stackcook.errors import ExitCode
from tests.labs import Lab, as_root, log, prepared
from tests.started import Done, Started, command, environment

ZONES = ("north", "south")


def with_zones(document: dict[str, Any]) -> None:
    sizes = document["stackcook"]["nodes"]
    roles = {"controller": "single-controller", "compute1": "single-compute"}
    del document["nodes"], document["options"]
    document["environments"] = [{zone: None} for zone in ZONES]
    document["clusters"] = [
        {zone: [{f"{zone}-{node}": {"run_list": f"role[{roles[node]}]"}} for node in roles]}
        for zone in ZONES
    ]
    nodes = {f"{zone}-{node}": dict(sizes[node]) for zone in ZONES for node in roles}
    document["stackcook"]["nodes"] = nodes


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Not deployed yet."""
    with prepared("sctzone", "10.0.148", "10.0.149", with_zones) as lab:
        environment = json.loads((lab.root / "environments" / "lab.json").read_text())
        for zone in ZONES:
            path = lab.root / "environments" / f"{zone}.json"
            path.write_text(json.dumps({**environment, "name": zone}))
        yield lab


def kill(lab: Lab, node: str) -> None:
    """SIGKILL to all that runs on a node."""
    log.info("killing %s", node)
    as_root("lxc-stop", "-k", "-n", f"{lab.name}-{node}")


def deploy(lab: Lab) -> Done:
    done = lab.stackcook("deploy", "--json", timeout=60 * 60)
    assert done.status == 0, done.err
    return done


def verified(done: Done, zone: str) -> str:
    """What the verification of a zone has said."""
    texts = [step["text"] for step in done.data["steps"] if step["stage"] == zone]
    return str(texts[-1])


def test_a_zone_without_its_controller_does_not_stop_the_other(lab: Lab) -> None:
    argv = command(lab.manifest, "deploy", "--json")
    env = environment(CHEF_LICENSE="accept-silent")
    with Started(argv, cwd=lab.root, tell=log.info, env=env) as started:
        started.wait_for(
            lambda lines: any(
                line.startswith("north-controller") and " resources, " in line for line in lines
            )
        )
        kill(lab, "north-controller")
        done = started.ended(60 * 60)
    assert done.status == ExitCode.WITHIN_BUDGET, done.err
    zones = done.data["zones"]
    assert zones["south"]["failed"] is None
    assert "north-controller" in zones["north"]["failed"]
    assert "an instance answered" in verified(done, "south")
    log.info("FIGURE north failed, south verified: %s s", done.data["seconds"])


def test_the_next_deploy_finishes_it(lab: Lab) -> None:
    done = deploy(lab)
    for zone in ZONES:
        assert "an instance answered" in verified(done, zone)
    log.info("FIGURE north, too: %s s", done.data["seconds"])


def test_again_nothing_is_updated(lab: Lab) -> None:
    done = deploy(lab)
    assert done.updated == {
        f"{zone}-{node}": 0 for zone in ZONES for node in ("controller", "compute1")
    }


def test_zones_are_clouds_and_regions(lab: Lab) -> None:
    for zone in ZONES:
        for argv in ((f"stackcook-{zone}",), ("stackcook", "--os-region-name", zone)):
            done = lab.run("openstack", "--os-cloud", *argv, "hypervisor", "list", "-f", "json")
            assert done.status == 0, done.err
            (found,) = json.loads(done.out)
            assert found["Hypervisor Hostname"].startswith(f"{zone}-compute1")


def test_a_zone_that_dies_is_not_felt_in_the_other(lab: Lab) -> None:
    argv = command(lab.manifest, "--json", "probe", "--zone", "south", "--timeout", "15s")
    with Started(argv, cwd=lab.root, tell=log.info, env=environment(), quiet=True) as probe:
        kill(lab, "north-controller")
        done = lab.stackcook("verify", "--zone", "south", "--json", timeout=600)
        assert done.status == 0, done.err
        done = lab.stackcook("verify", "--no-instance", "--json", timeout=600)
        assert done.status == ExitCode.VERIFY
        bad = {check["zone"] for check in done.data["checks"] if not check["ok"]}
        assert bad == {"north"}
        probe.process.send_signal(signal.SIGTERM)
        seen = probe.ended(120)
    assert seen.status == 0, seen.err
    apis = seen.data["apis"]
    assert {api["cloud"] for api in apis} == {"south"} and len(apis) > 5
    assert all(api["probes"] >= 10 and api["failed"] == 0 for api in apis)
    log.info("FIGURE %d probes, 0 failed", sum(api["probes"] for api in apis))
    done = deploy(lab)
    assert "an instance answered" in verified(done, "north")


def test_nothing_is_left(lab: Lab) -> None:
    done = lab.stackcook("destroy", "--yes", timeout=600)
    assert done.status == 0, done.err
    assert lab.leftovers() == []
    assert not (lab.root / "clouds.yaml").exists()
