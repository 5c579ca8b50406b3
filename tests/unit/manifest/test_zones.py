"""Zones: clusters with a controller each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook.errors import Finding, Severity
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read


def cluster(name: str, *nodes: str) -> dict[str, Any]:
    return {name: [{node: {"run_list": f"role[{node.split('-')[1]}]"}} for node in nodes]}


def manifest(
    path: Path, *clusters: dict[str, Any], **more: Any
) -> tuple[Manifest | None, tuple[Finding, ...]]:
    names = [
        node for each in clusters for nodes in each.values() for entry in nodes for node in entry
    ]
    names += [node for entry in more.get("nodes", ()) for node in entry]
    addresses = {name: {"address": f"10.9.0.{n}"} for n, name in enumerate(names, 10)}
    settings = {
        "machines": "vagrant",
        "network": "10.9.0.0/24",
        "nodes": addresses,
        "stages": ["controller", "compute"],
        **more.pop("settings", {}),
    }
    file = path / "infrastructure.yml"
    file.write_text(yaml.safe_dump({**more, "clusters": list(clusters), "stackcook": settings}))
    return read(file)


ALPHA = cluster("alpha", "a-compute", "a-controller")
BETA = cluster("beta", "b-controller", "b-compute")


def test_clusters_with_controllers_are_zones(tmp_path: Path) -> None:
    found, findings = manifest(tmp_path, ALPHA, BETA)
    assert found and not findings
    assert found.zones == ("alpha", "beta")
    assert [(stage.name, [node.name for node in nodes]) for stage, nodes in found.staged()] == [
        ("alpha/controller", ["a-controller"]),
        ("alpha/compute", ["a-compute"]),
        ("beta/controller", ["b-controller"]),
        ("beta/compute", ["b-compute"]),
    ]


def test_each_zone_is_a_cloud_of_its_own(tmp_path: Path) -> None:
    found, _ = manifest(tmp_path, ALPHA, BETA)
    assert found
    beta = found.zone("beta")
    assert [node.name for node in beta.nodes] == ["b-controller", "b-compute"]
    assert (beta.os_cloud, beta.region, beta.region_of) == ("stackcook-beta", "beta", "stackcook")
    assert (found.os_cloud, found.region, found.region_of) == ("stackcook", "RegionOne", "")
    assert beta.zones == () and beta.state == found.state
    assert (found.share("alpha"), found.share("beta"), beta.share("")) == ((0, 2), (1, 2), (0, 1))


@pytest.mark.parametrize("clusters", [(ALPHA,), (ALPHA, cluster("beta", "b-compute")), ()], ids=len)
def test_one_cloud_has_no_zones(tmp_path: Path, clusters: tuple[dict[str, Any], ...]) -> None:
    found, _ = manifest(tmp_path, *clusters)
    assert found and found.zones == ()
    assert found.zone("alpha") is found
    assert all("/" not in stage.name for stage, _ in found.staged())


def test_a_node_outside_the_zones_is_an_error(tmp_path: Path) -> None:
    nodes = [{"x-compute": {"run_list": "role[compute]"}}]
    _, findings = manifest(tmp_path, ALPHA, BETA, nodes=nodes)
    (finding,) = (each for each in findings if "zones" in each.what)
    assert finding.what == "node x-compute: it is in none of the zones alpha, beta"
    assert finding.position


def test_each_zone_has_its_own_virtual_address(tmp_path: Path) -> None:
    both = {"alpha": "10.9.0.8", "beta": "10.9.0.9"}
    found, findings = manifest(tmp_path, ALPHA, BETA, settings={"virtual_address": both})
    assert found and not findings
    assert found.virtual_address is None
    assert {zone: str(found.zone(zone).virtual_address) for zone in both} == both


@pytest.mark.parametrize(
    "addresses, what",
    [
        ("10.9.0.8", "10.9.0.8: for which zone? The manifest has alpha, beta"),
        ({"gamma": "10.9.0.8"}, "10.9.0.8: for which zone? The manifest has alpha, beta"),
        ({"alpha": "10.9.0.8", "beta": "10.9.0.8"}, "10.9.0.8 is already used by zone alpha"),
    ],
)
def test_virtual_addresses_that_zones_cannot_have(
    tmp_path: Path, addresses: object, what: str
) -> None:
    _, (finding,) = manifest(tmp_path, ALPHA, BETA, settings={"virtual_address": addresses})
    assert finding.what == f"stackcook: virtual_address: {what}"


@pytest.mark.parametrize("stages", [[], ["controler", "compute"]], ids=str)
def test_stages_that_make_no_cluster_a_zone_are_named(tmp_path: Path, stages: list[str]) -> None:
    """It said that the manifest has no such zone, although a cluster has this name."""
    settings = {"virtual_address": {"alpha": "10.9.0.8"}, "stages": stages}
    found, findings = manifest(tmp_path, ALPHA, BETA, settings=settings)
    assert found and found.zones == ()
    (error,) = (each for each in findings if each.severity is Severity.ERROR)
    assert error.what == (
        "stackcook: virtual_address: 10.9.0.8: no run list has a role of the first stage, so alpha"
        " is no zone"
    )
    assert error.remedy == "correct `stages`: the role of the controllers comes first"
