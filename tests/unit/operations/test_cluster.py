"""Controllers that are a cluster: what a site finds out before it lets one of them change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from stackcook.errors import UsageError
from stackcook.manifest.model import ChefServer, MachineKind, Manifest, Timer, Tls, VirtualAddress
from stackcook.operations.site import Site
from tests.fakes import AT, three_controllers


@dataclass(frozen=True)
class Read:
    """A Chef repository with these roles."""

    roles: Mapping[str, Any]


@dataclass
class Cluster(Site):
    """The site of three controllers, of which the Chef server has these node objects."""

    manifest: Manifest
    known: Mapping[str, Any] = field(default_factory=dict)
    own_server: Any = ChefServer("http://127.0.0.1:1", "me", Path("me.pem"))
    bundle = None
    _read: Any = Read(
        {
            "ha-controller": {"run_list": ["recipe[openstack-ha::controller]"]},
            "single-compute": {"run_list": []},
        }
    )

    def __post_init__(self) -> None:
        super().__init__(self.manifest)

    def _lookup(self, name: str) -> Mapping[str, Any] | None:
        return self.known.get(name)


def cluster(root: Path) -> Manifest:
    shared = (VirtualAddress(IPv4Address("10.0.115.9"), AT),)
    made = three_controllers(root)
    return replace(made, virtual_addresses=shared, machines=MachineKind.SSH, tls=Tls(AT))


def test_each_of_them_is_known_to_converge_in_its_turn_only(tmp_path: Path) -> None:
    manifest = replace(cluster(tmp_path), timer=Timer(1800, AT))
    context = Cluster(manifest).bootstrap().context
    assert set(context.in_turn) == {"controller1", "controller2", "controller3"}
    alone = replace(manifest, virtual_addresses=())
    assert not Cluster(alone).bootstrap().context.in_turn


def test_what_they_were_deployed_with_is_on_the_chef_server(tmp_path: Path) -> None:
    manifest = cluster(tmp_path)
    tls = {"name": "controller2", "normal": {"openstack": {"tls": {"mode": "public"}}}}
    compute = {"name": "compute1", "normal": {"openstack": {"tls": {"mode": "all"}}}}
    site = Cluster(manifest, {"controller2": tls, "compute1": compute})
    site.check_tls()
    internal = replace(manifest, tls=Tls(AT, internal=True))
    with pytest.raises(UsageError, match="deployed without it: controller2"):
        Cluster(internal, site.known).check_tls()
    Cluster(replace(internal, virtual_addresses=()), site.known).check_tls()
