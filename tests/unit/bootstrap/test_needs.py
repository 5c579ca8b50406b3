"""What a node's host must have, by its recipes, the attributes and the manifest."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.bootstrap.needs import NEEDS, TLS_PORTS, Device, Wanted, wanted
from stackcook.chef.repository.repository import Repository
from stackcook.errors import NodeError, Position
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import MachineKind, Manifest, Tls
from stackcook.manifest.read import read
from tests.fakes import node

ROOT = Path(__file__).parents[3]
NETWORK = {"openstack": {"network": {"provider": {"interface": "eth9"}}}}


@pytest.fixture(scope="module")
def shipped() -> Repository:
    manifest, _ = read(ROOT / "infrastructure.yml")
    assert manifest
    repository, _ = Repository.inspect(manifest)
    return repository


def of(repository: Repository, role: str, options: str = "", **changes: Any) -> Wanted:
    manifest = Manifest(Path("/x/infrastructure.yml"), "x", machines=MachineKind.SSH)
    one = replace(node("one", role, 7), options=parse(options))
    return wanted(replace(manifest, **changes), repository, one)


def test_the_roles_that_are_shipped(shipped: Repository) -> None:
    controller, compute = of(shipped, "single-controller"), of(shipped, "single-compute")
    both = of(shipped, "allinone")
    assert controller.controls and not compute.controls
    assert controller.need.ports["dashboard"] == 80 and not compute.need.ports
    assert compute.need.computes and compute.need.tunnels and not controller.need.tunnels
    assert both.need.disk == controller.need.disk + compute.need.disk
    assert controller.need.disk > 2.9 * 1024 and compute.need.disk > 1.9 * 1024
    assert controller.platforms["openstack-identity"] == {"debian": ">= 13.0"}
    assert "openstack-ceph" not in controller.platforms
    assert "nova-compute" in compute.packages and "nova-compute" not in controller.packages
    assert compute.address == "10.0.115.7" and not compute.lab


def test_disks_are_those_of_the_attributes(shipped: Repository) -> None:
    attributes = {
        "openstack": {
            "block_storage": {"lvm": {"devices": ["/dev/sdb"]}},
            "object_storage": {"devices": {"d1": {"device": "/dev/sdc"}, "d2": {"weight": 1}}},
        }
    }
    more = {"openstack": {"object_storage": {"devices": {"d3": {"device": "/dev/sdd"}}}}}
    recipes = [
        "recipe[openstack-block-storage::volume]",
        "recipe[openstack-object-storage::storage]",
    ]
    role = {"name": "storage", "run_list": recipes, "default_attributes": attributes}
    lab = {"name": "lab", "default_attributes": more}
    repository = replace(shipped, roles={"storage": role}, environments={"lab": lab})
    assert of(repository, "storage").devices == (
        Device("/dev/sdb", "Cinder", group="cinder-volumes"),
        Device("/dev/sdc", "Swift", keeps="xfs"),
        Device("/dev/sdd", "Swift", keeps="xfs"),
    )
    without = replace(repository, roles={"storage": {**role, "run_list": recipes[:1]}})
    assert [device.used for device in of(without, "storage").devices] == ["Cinder"]


def test_each_need_is_that_of_a_recipe(shipped: Repository) -> None:
    there = {recipe for cookbook in shipped.cookbooks for recipe in cookbook.recipes}
    assert there >= set(NEEDS)


def test_attributes_change_the_interface_the_mtu_and_ports(shipped: Repository) -> None:
    environment = {
        "default_attributes": {
            "openstack": {
                "network": {
                    "provider": {"interface": "eth1"},
                    "conf": {"DEFAULT": {"global_physnet_mtu": 9000}},
                },
                "endpoints": {"internal": {"dashboard": {"port": "8080"}}},
            }
        }
    }
    repository = replace(shipped, environments={"lab": environment})
    found = of(repository, "allinone")
    assert (found.interface, found.mtu) == ("eth1", 9000)
    assert found.need.ports["dashboard"] == 8080 and found.need.ports["db"] == 3306
    assert of(repository, "single-controller").interface == "", "it has no external network"


@pytest.mark.parametrize(
    "attributes, path, shown",
    [
        (
            {"endpoints": {"internal": {"db": {"port": "33o6"}}}},
            "openstack.endpoints.internal.db.port",
            '"33o6"',
        ),
        (
            {"endpoints": {"public": {"identity": {"port": [443]}}}},
            "openstack.endpoints.public.identity.port",
            "[443]",
        ),
        (
            {"network": {"conf": {"DEFAULT": {"global_physnet_mtu": "jumbo"}}}},
            "openstack.network.conf.DEFAULT.global_physnet_mtu",
            '"jumbo"',
        ),
    ],
)
def test_a_number_that_is_none_is_an_error_of_the_node(
    shipped: Repository, attributes: Any, path: str, shown: str
) -> None:
    lab = {"default_attributes": {"openstack": attributes}}
    with pytest.raises(NodeError) as error:
        of(replace(shipped, environments={"lab": lab}), "allinone", tls=Tls(Position(1, 1)))
    assert str(error.value) == (
        f"one: the attribute {path} is {shown}, which is not a number;"
        " correct it in the node's environment, roles or options"
    )


def test_public_endpoints_over_tls_have_ports_of_their_own(shipped: Repository) -> None:
    ports = of(shipped, "allinone", tls=Tls(Position(1, 1))).need.ports
    assert ports["identity"] == 5000 and ports["identity over TLS"] == 13000
    assert "orchestration over TLS" not in ports
    assert "identity over TLS" not in of(shipped, "allinone").need.ports
    helpers = (ROOT / "cookbooks/openstack-common/libraries/helpers.rb").read_text()
    known = re.findall(r"^ +'(\w+)' => \{.*, tls: ([\d_]+)", helpers, re.MULTILINE)
    assert TLS_PORTS == {service: int(port) for service, port in known}


@pytest.mark.parametrize(
    "level, wins", [("override_attributes", "eth9"), ("default_attributes", "enp2s0")]
)
def test_the_interface_of_the_manifest_is_a_normal_attribute(
    shipped: Repository, level: str, wins: str
) -> None:
    repository = replace(shipped, environments={"lab": {level: NETWORK}})
    assert of(repository, "single-compute", external_interface="enp2s0").interface == wins
    assert of(repository, "single-compute").interface == "eth9"


@pytest.mark.parametrize(
    "level, wins", [("override_attributes", "eth9"), ("default_attributes", "eth2")]
)
def test_attributes_of_the_node_win_over_defaults(
    shipped: Repository, level: str, wins: str
) -> None:
    roles = {**shipped.roles, "outer": {"run_list": ["role[single-compute]"]}}
    roles["single-compute"] = {**roles["single-compute"], level: NETWORK}
    json = '{"openstack": {"network": {"provider": {"interface": "eth2"}}}}'
    found = of(replace(shipped, roles=roles), "outer", f"-j '{json}'")
    assert found.interface == wins


def test_machines_of_ours_and_of_providers(shipped: Repository) -> None:
    assert of(shipped, "allinone", machines=MachineKind.VAGRANT).lab
    made = replace(node("one", "allinone", 7), provider="ec2")
    found = wanted(Manifest(Path("/x/i.yml"), "x", machines=MachineKind.SSH), shipped, made)
    assert found.lab and found.address == ""


def test_other_roles_need_no_more_than_any_node() -> None:
    found = of(Repository(), "web")
    assert found == Wanted(address="10.0.115.7", ssh="10.0.115.7")
