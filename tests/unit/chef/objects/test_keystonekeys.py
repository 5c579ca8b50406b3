"""The keys of Keystone's tokens and credentials, in a data bag, and their rotation."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects import databags, encryption, keystonekeys
from stackcook.errors import InputError
from stackcook.manifest.model import Manifest
from stackcook.report.secrets import known_secrets

DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.fixture
def manifest(make: Any) -> Manifest:
    made: Manifest = make({}, passwords={"user_passwords": ("admin",)})
    keystonekeys.ensure_keys(made, NOW)
    return made


def keys(manifest: Manifest, item: str) -> Mapping[str, str]:
    """What would be uploaded, decrypted."""
    secret = encryption.read_secret(databags.secret_file(manifest))
    bags = {bag.name: bag for bag in databags.read_data_bags(manifest, Findings())}
    bag = bags["keystone_keys"]
    assert bag.generated and not bag.fixed
    assert encryption.is_encrypted(bag.items[item])
    found: Mapping[str, str] = encryption.decrypt(bag.items[item], secret)["keys"]
    return found


def test_they_are_generated_once(manifest: Manifest) -> None:
    before = {item: keys(manifest, item) for item in ("fernet", "credential")}
    made = [key for each in before.values() for key in each.values()]
    assert len(set(made)) == 4
    assert {len(base64.urlsafe_b64decode(key)) for key in made} == {32}
    keystonekeys.ensure_keys(manifest, NOW + 100 * DAY)
    assert {item: keys(manifest, item) for item in before} == before


def test_a_rotation_promotes_the_staged_key_and_keeps_those_of_valid_tokens(
    manifest: Manifest,
) -> None:
    first = keys(manifest, "fernet")
    keystonekeys.rotate(manifest, "fernet", NOW + 30 * DAY)
    second = keys(manifest, "fernet")
    assert second.keys() == {"0", "10", "11"}
    assert second["11"] == first["0"] and second["10"] == first["10"]
    assert second["0"] not in first.values()
    keystonekeys.rotate(manifest, "fernet", NOW + 60 * DAY)
    third = keys(manifest, "fernet")
    assert third.keys() == {"0", "11", "12"}
    assert third["12"] == second["0"] and third["11"] == second["11"]


def test_those_of_tokens_are_due_after_thirty_days_those_of_credentials_after_ninety(
    manifest: Manifest,
) -> None:
    assert keystonekeys.due(manifest, NOW + 29 * DAY) == {}
    assert keystonekeys.due(manifest, NOW + 30 * DAY) == {"fernet": NOW}
    keystonekeys.rotate(manifest, "fernet", NOW + 30 * DAY)
    assert keystonekeys.due(manifest, NOW + 59 * DAY) == {}
    assert keystonekeys.due(manifest, NOW + 90 * DAY) == {
        "fernet": NOW + 30 * DAY,
        "credential": NOW,
    }
    keystonekeys.rotate(manifest, "credential", NOW + 90 * DAY)
    assert keystonekeys.due(manifest, NOW + 119 * DAY).keys() == {"fernet"}


def test_a_rotation_waits_for_nodes_that_lack_the_staged_key() -> None:
    assert keystonekeys.known(["one", "two"], {"one": NOW + 1, "two": NOW + 1, "x": 0}, NOW)
    assert not keystonekeys.known(["one", "two"], {"one": NOW + 1, "two": NOW - 1}, NOW)
    assert not keystonekeys.known(["one", "new"], {"one": NOW + 1}, NOW)
    assert not keystonekeys.known([], {}, NOW)


def test_the_kinds_are_rotated_apart(manifest: Manifest) -> None:
    before = keys(manifest, "credential")
    keystonekeys.rotate(manifest, "fernet", NOW + 30 * DAY)
    assert keys(manifest, "credential") == before
    keystonekeys.rotate(manifest, "credential", NOW + 90 * DAY)
    after = keys(manifest, "credential")
    assert after["11"] == before["0"] and after["10"] == before["10"]


@dataclass(frozen=True)
class Zones(Manifest):
    """A manifest with two zones."""

    zones = ("north", "south")


def of_zones(manifest: Manifest) -> Zones:
    return Zones(**{field.name: getattr(manifest, field.name) for field in fields(manifest)})


def test_each_zone_has_keys_of_its_own(make: Any) -> None:
    plain: Manifest = make({}, passwords={"user_passwords": ("admin",)})
    made = of_zones(plain)
    keystonekeys.ensure_keys(made, NOW)
    north, south = keys(made, "fernet-north"), keys(made, "fernet-south")
    assert not set(north.values()) & set(south.values())
    keystonekeys.rotate(made, "fernet-north", NOW + 30 * DAY)
    assert keystonekeys.due(made, NOW + 31 * DAY) == {"fernet-south": NOW}
    assert keystonekeys.zone_of("fernet-north") == "north"


def test_zones_that_had_the_same_keys_go_on_with_them(manifest: Manifest) -> None:
    before = {item: keys(manifest, item) for item in ("fernet", "credential")}
    zones = of_zones(manifest)
    keystonekeys.ensure_keys(zones, NOW + 5 * DAY)
    for item, found in before.items():
        assert keys(zones, f"{item}-north") == keys(zones, f"{item}-south") == found
    assert keystonekeys.due(zones, NOW + 30 * DAY).keys() == {"fernet-north", "fernet-south"}
    assert not databags.generated_item(zones, "keystone_keys", "fernet").exists()


def test_whether_they_are_due_is_found_out_without_a_change(make: Any) -> None:
    made: Manifest = make({}, passwords={"user_passwords": ("admin",)})
    assert keystonekeys.due(made, NOW) == {}
    assert not databags.secret_file(made).exists()


def test_a_damaged_item_is_named(manifest: Manifest) -> None:
    file = databags.generated_item(manifest, "keystone_keys", "fernet")
    file.write_text(json.dumps({"id": "fernet"}))
    with pytest.raises(
        InputError, match="keystone_keys/fernet.json: error: cannot read Keystone's keys"
    ):
        keystonekeys.ensure_keys(manifest, NOW)


def test_without_openstack_there_are_none(make: Any) -> None:
    plain: Manifest = make({}, passwords={})
    keystonekeys.ensure_keys(plain, NOW)
    assert databags.read_data_bags(plain, Findings()) == ()
    assert keystonekeys.due(plain, NOW) == {}


def test_reports_mask_the_keys(manifest: Manifest) -> None:
    found = known_secrets(manifest.state, "", manifest)
    assert found.issuperset(keys(manifest, "fernet").values())
