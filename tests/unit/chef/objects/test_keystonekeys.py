"""The keys of Keystone's tokens and credentials, in a data bag, and their rotation."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
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
    keystonekeys.rotate(manifest, NOW + 30 * DAY)
    second = keys(manifest, "fernet")
    assert second.keys() == {"0", "10", "11"}
    assert second["11"] == first["0"] and second["10"] == first["10"]
    assert second["0"] not in first.values()
    keystonekeys.rotate(manifest, NOW + 60 * DAY)
    third = keys(manifest, "fernet")
    assert third.keys() == {"0", "11", "12"}
    assert third["12"] == second["0"] and third["11"] == second["11"]


def test_they_are_due_after_thirty_days(manifest: Manifest) -> None:
    assert keystonekeys.due(manifest, NOW + 29 * DAY) is None
    assert keystonekeys.due(manifest, NOW + 30 * DAY) == NOW
    keystonekeys.rotate(manifest, NOW + 30 * DAY)
    assert keystonekeys.due(manifest, NOW + 59 * DAY) is None


def test_a_rotation_waits_for_nodes_that_lack_the_staged_key() -> None:
    assert keystonekeys.known(["one", "two"], {"one": NOW + 1, "two": NOW + 1, "x": 0}, NOW)
    assert not keystonekeys.known(["one", "two"], {"one": NOW + 1, "two": NOW - 1}, NOW)
    assert not keystonekeys.known(["one", "new"], {"one": NOW + 1}, NOW)
    assert not keystonekeys.known([], {}, NOW)


def test_keys_of_credentials_are_never_rotated(manifest: Manifest) -> None:
    before = keys(manifest, "credential")
    keystonekeys.rotate(manifest, NOW + 30 * DAY)
    assert keys(manifest, "credential") == before


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
    assert keystonekeys.due(plain, NOW) is None


def test_reports_mask_the_keys(manifest: Manifest) -> None:
    found = known_secrets(manifest.state, "", manifest)
    assert found.issuperset(keys(manifest, "fernet").values())
