"""What a deploy of some of the nodes verifies, and what it says of the others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from stackcook.bootstrap.base import Deploy
from stackcook.errors import Position
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations.site import Site
from stackcook.verify.gate import Credentials
from stackcook.verify.placing import KEYSTONE, Placed, Service, beyond
from tests.fakes import two_zones

NODES = ("c", "d", "e")


class SomeNodes(Site):
    """A site whose Chef server knows only the node c, which the deploy d-1 has converged."""

    credentials = Credentials("", "", ())

    class client:  # as much of a Chef server as is asked
        @staticmethod
        def get(path: str) -> Any:
            node = {"normal": {"stackcook": {"deploy": "d-1"}}, "automatic": {"ohai_time": 1.0}}
            return {"/nodes": {"c": ""}, "/nodes/c": node}[path]

        @staticmethod
        def post(path: str, value: Any) -> Any:
            return {"rows": []}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """No SSH server listens at the addresses of the nodes."""
    nodes = tuple(
        Node(name, Position(1, 1), address=IPv4Address(f"127.0.0.{number}"), port=9)
        for number, name in enumerate(NODES, 2)
    )
    path = tmp_path / "infrastructure.yml"
    return SomeNodes(Manifest(path, "lab", nodes=nodes, machines=MachineKind.SSH))


def test_nodes_outside_the_limit_are_not_verified_and_that_is_said(site: Site) -> None:
    report = site.verify(0.0, deploy=Deploy("d-1", frozenset({"c"})))
    assert [(check.name, check.node) for check in report.checks] == [("SSH", "c")]
    assert report.notes == ("not verified: d and 1 more, which this deploy leaves out",)


def test_without_a_limit_all_nodes_are_verified(site: Site) -> None:
    report = site.verify(0.0)
    assert {check.node for check in report.checks} == {*NODES}
    assert report.notes == ()


def test_all_zones_are_verified_or_one(tmp_path: Path) -> None:
    zoned = two_zones(tmp_path)
    nodes = tuple(
        replace(node, address=IPv4Address(f"127.0.0.{number}"), port=9)
        for number, node in enumerate(zoned.nodes, 2)
    )
    site = SomeNodes(replace(zoned, nodes=nodes, machines=MachineKind.SSH))
    report = site.verify(0.0)
    names = [f"{zone}-{node}" for zone in ("alpha", "beta") for node in ("compute1", "controller")]
    assert [(check.zone, check.node) for check in report.checks] == [
        (name.split("-")[0], name) for name in names
    ]
    report = site.verify(0.0, zone="beta", without=["beta-compute1"])
    assert [check.node for check in report.checks] == ["beta-controller"]


def test_remedies_name_the_cloud_as_the_manifest_does(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    manifest = Manifest(path, "lab", nodes=(), passwords={}, os_cloud="ci-42")
    assert Site(manifest).credentials.os_cloud == "ci-42"


def test_keystone_is_verified_with_every_deploy() -> None:
    keystone = Placed("d", "127.0.0.3", services=(Service(KEYSTONE),), deploy="d-0")
    assert beyond(NODES, [keystone], {"c"}, "d-1") == ("e",)


def test_a_deploy_that_tries_failed_nodes_again_verifies_those_that_it_had_converged() -> None:
    seen = [Placed("d", "127.0.0.3", deploy="d-1"), Placed("e", "127.0.0.4", deploy="d-0")]
    assert beyond(NODES, seen, {"c"}, "d-1") == ("e",)
