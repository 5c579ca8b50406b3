"""``stackcook probe`` in a cloud: no failure while all is well, and only the gap that there is."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from stackcook.verify.openstack import Cloud, distinct
from tests.labs import Lab, log
from tests.started import Done, Started, command, environment


def by_api(done: Done) -> dict[str, Any]:
    return {api["api"]: api for api in done.data["apis"]}


def left(cloud: Cloud) -> list[str]:
    """What probes have left in the cloud, of some kinds."""
    lists = (
        ("compute", "/os-server-groups", "server_groups"),
        ("network", "/v2.0/security-groups", "security_groups"),
        ("image", "/v2/images?limit=1000", "images"),
        ("block-storage", "/qos-specs", "qos_specs"),
        ("orchestration", "/software_configs", "software_configs"),
    )
    return [
        f"{type_}: {each['name']}"
        for type_, path, key in lists
        if cloud.has(type_)
        for each in cloud.read(type_, path)[key]
        if each["name"].startswith("stackcook-probe")
    ]


@pytest.fixture
def stopped(lab: Lab) -> Iterator[list[str]]:
    """Units of the controller that are started again after the test."""
    units: list[str] = []
    yield units
    for unit in units:
        lab.on("controller", f"systemctl start {unit}")


def test_while_all_is_well_nothing_fails(lab: Lab, cloud: Cloud) -> None:
    done = lab.stackcook("--json", "probe", "--for", "20s", "--timeout", "10s", timeout=120)
    assert done.status == 0, done.err + done.out
    apis = by_api(done)
    assert set(apis) == {each.type for each in distinct(cloud.catalog)} | {"dashboard"}
    for name, api in apis.items():
        assert api["probes"] > 1 and api["failed"] == 0 and api["availability"] == 1, name
        assert 0 < api["p50"] <= api["p99"], name
        log.info("%s: p50 %.0f ms, p99 %.0f ms", name, api["p50"] * 1000, api["p99"] * 1000)
    assert done.data["notes"] == [] and left(cloud) == []


def test_a_stopped_service_is_a_gap_of_its_api_only(
    lab: Lab, cloud: Cloud, stopped: list[str]
) -> None:
    def said(what: str) -> Any:
        def wanted(lines: Sequence[str]) -> bool:
            return any(what in line for line in lines)

        return wanted

    argv = command(lab.manifest, "--json", "probe", "--timeout", "10s")
    env = environment()
    with Started(argv, cwd=lab.root, tell=log.info, env=env, quiet=True) as probe:
        stopped.append("glance-api")
        assert lab.on("controller", "systemctl stop glance-api").status == 0
        probe.wait_for(said(" image failed: "))
        assert lab.on("controller", "systemctl start glance-api").status == 0
        probe.wait_for(said(" image responds again after "))
        probe.process.send_signal(signal.SIGTERM)
        done = probe.ended(120)
    assert done.status == 5, done.err
    apis = by_api(done)
    assert {name for name, api in apis.items() if api["failed"]} == {"image"}
    assert len(apis["image"]["gaps"]) == 1
    assert done.data["notes"] == [] and left(cloud) == []
