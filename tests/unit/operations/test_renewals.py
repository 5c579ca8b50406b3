"""Keys and certificates that a deploy replaces because they are due, and what ``plan`` says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackcook.certificates import DAY
from stackcook.chef.objects import certificates, databags, keystonekeys
from stackcook.errors import Position
from stackcook.manifest.model import Manifest, Node, Tls
from stackcook.operations.chefsite import ChefSite

NOW = time.time()
AT = Position(1, 1)
KEYSTONE = ("recipe[openstack-identity::controller]",)
NODES = (
    Node("north1", AT, KEYSTONE, "north", address=IPv4Address("10.0.112.10")),
    Node("south1", AT, KEYSTONE, "south", address=IPv4Address("10.0.112.20")),
    Node("south2", AT, environment="south", address=IPv4Address("10.0.112.21")),
)


@dataclass(frozen=True)
class Zones(Manifest):
    """A manifest with two zones."""

    zones = ("north", "south")


@dataclass
class Here(ChefSite):
    """``seen`` is what the Chef server tells: when each node has converged."""

    manifest: Manifest
    seen: dict[str, float] = field(default_factory=dict)
    _read = SimpleNamespace(roles={}, environments={})  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__init__(self.manifest)

    def check_ins(self) -> Mapping[str, float]:
        return self.seen


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    passwords = {"user_passwords": ("admin",)}
    return Zones(tmp_path / "infrastructure.yml", "lab", nodes=NODES, passwords=passwords)


def test_nothing_is_due_in_a_new_cloud(zones: Zones) -> None:
    assert Here(zones).renewals() == ()
    assert not zones.state.exists()
    site = Here(zones)
    assert site.secrets() == "1 password"
    assert site.renewals() == ()


def test_a_zone_that_cannot_converge_does_not_stop_rotations_in_others(zones: Zones) -> None:
    keystonekeys.ensure_keys(zones, NOW - 40 * DAY)
    site = Here(zones, {"north1": NOW - 50 * DAY, "south1": NOW - 10 * DAY, "south2": 0.0})
    assert site.renewals() == ("rotate Keystone's keys of tokens in south",)
    assert site.secrets() == "1 password, Keystone's keys of tokens in south rotated"
    assert site.renewals() == ()  # it has just been done
    assert keystonekeys.due(zones, NOW).keys() == {"fernet-north"}


def test_keys_of_credentials_wait_until_each_node_has_converged_since_their_rotation(
    tmp_path: Path,
) -> None:
    manifest = Manifest(
        tmp_path / "infrastructure.yml",
        "lab",
        nodes=NODES[:2],
        passwords={"user_passwords": ("admin",)},
    )
    keystonekeys.ensure_keys(manifest, NOW - 100 * DAY)
    keystonekeys.rotate(manifest, "fernet", NOW)
    site = Here(manifest, {"north1": NOW - 10 * DAY})
    assert site.renewals() == ()
    site.seen["south1"] = NOW - 99 * DAY
    assert site.renewals() == ("rotate Keystone's keys of credentials",)
    assert site.secrets() == "1 password, Keystone's keys of credentials rotated"


def test_a_plan_names_the_certificates_that_are_renewed(zones: Zones) -> None:
    with_tls = replace(zones, tls=Tls(AT))
    site = Here(with_tls)
    site.secrets()
    assert site.renewals() == ()
    file = databags.generated_item(with_tls, "certificates", "south2")
    file.unlink()
    certificates.ensure_certificates(with_tls, (), NOW - 353 * DAY)
    assert site.renewals() == ("renew the certificates of south2 (it ends in 11 days)",)
    assert site.secrets() == "1 password, 3 certificates (1 new)"
    assert site.renewals() == ()
