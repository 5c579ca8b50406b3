"""The controllers of a cloud that share an address, by the recipe that their run lists have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.ha import attributes, check_members, check_tls, in_turn, members
from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest, VirtualAddress
from tests.fakes import AT, three_controllers, two_zones

ROLES: Mapping[str, Any] = {
    "ha-controller": {"run_list": ["recipe[openstack-ha::controller]", "role[single-controller]"]},
    "single-controller": {"run_list": ["recipe[openstack-identity::controller]"]},
    "single-compute": {"run_list": []},
    "ceph": {"run_list": ["recipe[openstack-ceph::cluster]"]},
}
SHARED = VirtualAddress(IPv4Address("10.0.115.9"), AT)
CLUSTER = replace(three_controllers(Path("/nowhere")), virtual_addresses=(SHARED,))
STORED: Mapping[str, Any] = {
    "lab": {"default_attributes": {"openstack": {"ceph": {"mon_hosts": "10.0.0.1"}}}}
}


def found(
    manifest: Manifest, environments: Mapping[str, Any] = STORED, roles: Mapping[str, Any] = ROLES
) -> list[str]:
    findings = Findings()
    check_members(manifest, roles, environments, findings)
    return [str(finding).removeprefix(f"{manifest.path}:1:1: ") for finding in findings.found]


def without(manifest: Manifest, *names: str) -> Manifest:
    return replace(manifest, nodes=tuple(n for n in manifest.nodes if n.name not in names))


def test_all_nodes_learn_of_the_address_and_of_those_that_share_it() -> None:
    assert [node.name for node in members(CLUSTER, ROLES)] == [
        "controller1",
        "controller2",
        "controller3",
    ]
    assert attributes(CLUSTER, ROLES) == {
        "ha": {
            "address": "10.0.115.9",
            "members": "controller1=10.0.115.101 controller2=10.0.115.102 controller3=10.0.115.103",
        }
    }
    assert found(CLUSTER) == []


def test_all_nodes_learn_of_the_members_of_ceph_controllers_first() -> None:
    """By a search, the first one would find only itself at its first converge."""
    nodes = (replace(node, run_list=("role[ceph]", *node.run_list)) for node in CLUSTER.nodes)
    last_first = replace(CLUSTER, nodes=tuple(reversed([*nodes])))
    given = attributes(last_first, ROLES)["ceph"]["members"].split()
    assert {each.partition("=")[0] for each in given[:3]} == {
        "controller1",
        "controller2",
        "controller3",
    }
    assert len(given) == len(CLUSTER.nodes) > 3
    unknown = replace(CLUSTER.nodes[0], run_list=("role[ceph]",), address=None)
    some = replace(CLUSTER, nodes=(unknown, *CLUSTER.nodes[1:]))
    assert "ceph" not in attributes(some, ROLES)


def test_one_controller_is_not_mentioned() -> None:
    alone = replace(CLUSTER, virtual_addresses=())
    assert attributes(alone, ROLES) == {} and members(alone, ROLES) == ()
    assert list(in_turn(alone, ROLES)) == []


def test_the_only_controller_until_now_converges_first() -> None:
    """The clusters begin with its data, wherever it is in the manifest."""
    assert list(in_turn(CLUSTER, ROLES, {"controller2"})) == [
        ("controller2", "controller1", "controller3")
    ]


def test_they_converge_in_the_order_of_their_stages_in_each_zone() -> None:
    zoned = two_zones(Path("/nowhere"), computes=2)
    addresses = (replace(SHARED, zone="alpha"), replace(SHARED, zone="beta"))
    roles = {**ROLES, "single-compute": ROLES["ha-controller"]}
    assert list(in_turn(replace(zoned, virtual_addresses=addresses), roles)) == [
        ("alpha-compute1", "alpha-compute2"),
        ("beta-compute1", "beta-compute2"),
    ]


def deployed(**modes: str) -> list[dict[str, Any]]:
    """Node objects: those that have converged have a mode of ``tls``."""
    given = {
        name: {"openstack": {"tls": {"mode": mode}} if mode else {}} for name, mode in modes.items()
    }
    return [{"name": name, "normal": normal} for name, normal in given.items()]


@pytest.mark.parametrize(
    "modes, internal",
    [
        ({"one": "all", "two": "all", "three": ""}, True),
        ({"one": "none", "two": "none"}, False),
        ({"one": "public", "two": "none"}, False),
        ({"one": "", "two": ""}, True),
        ({}, True),
    ],
)
def test_controllers_may_change_from_http_to_public_https(
    modes: dict[str, str], internal: bool
) -> None:
    check_tls(deployed(**modes), internal)


def test_controllers_that_are_a_cluster_cannot_turn_tls_between_them_on_or_off() -> None:
    with pytest.raises(UsageError) as turned_on:
        check_tls(deployed(one="none", two="public", three=""), True)
    assert str(turned_on.value) == (
        "stackcook: tls: several controllers cannot change to `tls: all` (deployed without it: one,"
        " two); remove it; a single controller can change to it before you add others"
    )
    with pytest.raises(UsageError, match=r"from `tls: all` \(deployed with it: one\); write it"):
        check_tls(deployed(one="all"), False)


def test_nodes_that_have_not_converged_yet_are_no_cluster() -> None:
    check_tls([{"name": "one"}, {"name": "two", "normal": {}}], True)


@pytest.mark.parametrize(
    "gone, what",
    [
        (
            ("controller3",),
            "error: stackcook: virtual_address: 10.0.115.9: 2 controllers (controller1,"
            " controller2) have no quorum without 1 of them; use 3",
        ),
        (
            ("controller2", "controller3"),
            "error: stackcook: virtual_address: 10.0.115.9: controller1 is the only controller; use"
            " 3; or role[single-controller], without a virtual_address",
        ),
        (
            ("controller1", "controller2", "controller3"),
            "error: stackcook: virtual_address: 10.0.115.9: no node has"
            " recipe[openstack-ha::controller]; give three nodes role[ha-controller], or remove it",
        ),
    ],
)
def test_numbers_of_controllers_that_are_no_cluster(gone: tuple[str, ...], what: str) -> None:
    assert found(without(CLUSTER, *gone)) == [what]


def test_the_recipe_needs_an_address_to_share() -> None:
    assert found(replace(CLUSTER, virtual_addresses=())) == [
        "error: node controller1: recipe[openstack-ha::controller] needs an address that"
        " controllers share; add `virtual_address: ADDRESS` to `stackcook:`, of the controllers'"
        " network"
    ]


@pytest.mark.parametrize("zone", ["", "gamma"])
def test_an_address_of_no_zone_is_a_finding_of_the_manifest_alone(zone: str) -> None:
    """A second one told each zone to add an address, which is there."""
    zones = two_zones(Path("/nowhere"))
    run_list = ("role[ha-controller]",)
    nodes = (replace(n, run_list=(*run_list, *n.run_list)) for n in zones.nodes)
    clouds = replace(zones, nodes=tuple(nodes), virtual_addresses=(replace(SHARED, zone=zone),))
    assert clouds.zones and found(clouds) == []


def test_a_role_that_only_the_server_has_may_have_the_recipe() -> None:
    assert found(CLUSTER, roles={}) == []


def test_controllers_have_addresses_in_the_manifest() -> None:
    nodes = (replace(n, address=None) if n.name == "controller2" else n for n in CLUSTER.nodes)
    assert found(replace(CLUSTER, nodes=tuple(nodes))) == [
        "error: node controller2: its IP address is not known, but other controllers need it; set"
        " `address` in `stackcook: nodes: controller2` to an IP address"
    ]


def test_images_that_controllers_do_not_share_are_a_warning() -> None:
    (warning,) = found(CLUSTER, environments={})
    assert warning.startswith(
        "warning: stackcook: virtual_address: 10.0.115.9: each controller has images of its own"
    )
    shared = {"ha-controller": {**ROLES["ha-controller"]}}
    shared["ha-controller"]["default_attributes"] = {"openstack": {"image": {"shared": True}}}
    assert found(CLUSTER, {}, {**ROLES, **shared}) == []
    nodes = (replace(n, run_list=(*n.run_list, "role[ceph]")) for n in CLUSTER.nodes)
    assert found(replace(CLUSTER, nodes=tuple(nodes)), {}) == []


@pytest.mark.parametrize(
    "stores, where",
    [(("controller1",), "controller1"), (("compute1", "controller1"), "compute1 and controller1")],
)
def test_ceph_on_too_few_nodes_is_a_warning(stores: tuple[str, ...], where: str) -> None:
    nodes = tuple(
        replace(n, run_list=(*n.run_list, "role[ceph]")) if n.name in stores else n
        for n in CLUSTER.nodes
    )
    assert found(replace(CLUSTER, nodes=nodes), {}) == [
        f"warning: stackcook: virtual_address: 10.0.115.9: Ceph runs only on {where}; if a node of"
        " Ceph fails, images cannot be read; give three nodes role[ceph], so that one of them may"
        " fail"
    ]


def single_controllers(manifest: Manifest) -> Manifest:
    """All controllers as if each were the only one."""
    nodes = (
        replace(node, run_list=("role[single-controller]",)) if "controller" in node.name else node
        for node in manifest.nodes
    )
    return replace(manifest, nodes=tuple(nodes), virtual_addresses=())


def test_single_controllers_of_one_environment_are_too_many() -> None:
    what = "controller1 is a controller, too, and they share no address"
    remedy = "use one, or three with role[ha-controller] and `virtual_address`, or two zones"
    assert found(single_controllers(CLUSTER), {}) == [
        f"warning: node {name}: {what}; {remedy}" for name in ("controller2", "controller3")
    ]
    chosen = {"endpoints": {"internal": {"identity": {"host": "10.0.115.101"}}}}
    environments = {"lab": {"override_attributes": {"openstack": chosen}}}
    assert found(single_controllers(CLUSTER), environments) == []
    assert found(single_controllers(two_zones(Path("/nowhere"))), {}) == []
