"""Generated passwords and the encryption that keeps them."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackcook.chef.objects import databags, encryption
from stackcook.chef.repository.repository import Repository
from stackcook.errors import InputError
from stackcook.manifest.model import Manifest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.fixture
def manifest(make: Any) -> Manifest:
    made: Manifest = make({}, passwords={"db": ("nova", "glance")})
    return made


@settings(max_examples=40)
@given(JSON, st.text(min_size=1))
def test_what_is_encrypted_can_be_read(value: object, secret: str) -> None:
    sealed = encryption.encrypt({"id": "x", "field": value}, secret)
    assert sealed["id"] == "x" and sealed["field"]["version"] == 3
    assert encryption.is_encrypted(sealed)
    assert encryption.decrypt(sealed, secret) == {"id": "x", "field": value}


def test_another_secret_reads_nothing() -> None:
    sealed = encryption.encrypt({"id": "x", "field": "pw"}, "one")
    with pytest.raises(ValueError, match="with another secret"):
        encryption.decrypt(sealed, "two")
    for damage in ({"iv": "%%"}, {"auth_tag": ""}, {"encrypted_data": None}, {"version": 1}):
        with pytest.raises(ValueError):
            encryption.decrypt({"field": {**sealed["field"], **damage}}, "one")


def test_reads_what_chef_18_wrote() -> None:
    """Made by Chef::EncryptedDataBagItem 18.10 with the secret ``geheim``."""
    field = {
        "encrypted_data": "k3s+wdTQozV/advf7dhMLyDcq+x3CgGJWAqTb2YUEA==\n",
        "iv": "yk+ng9a17pdOZ+z0\n",
        "auth_tag": "VOBFPNauHBpN+9vPb3RCFw==\n",
        "version": 3,
        "cipher": "aes-256-gcm",
    }
    assert encryption.decrypt({"id": "x", "f": field}, "geheim")["f"] == {"a": [1, "ü"]}


def test_passwords_are_made_once(manifest: Manifest) -> None:
    file = databags.ensure_passwords(manifest)
    before = {item: databags.read_password(manifest, "db", item) for item in ("nova", "glance")}
    assert before["nova"] != before["glance"] and len(before["nova"]) == 32
    assert databags.ensure_passwords(manifest) == file
    assert {item: databags.read_password(manifest, "db", item) for item in before} == before


def test_nobody_else_can_read_them(manifest: Manifest) -> None:
    file = databags.ensure_passwords(manifest)
    item = manifest.state / "data_bags" / "db" / "nova.json"
    for path in (file, item):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(manifest.state.stat().st_mode) == 0o700
    assert databags.read_password(manifest, "db", "nova") not in item.read_text()


def test_they_are_part_of_the_repository(manifest: Manifest) -> None:
    databags.ensure_passwords(manifest)
    (bag,) = Repository.read(manifest).data_bags
    assert bag.name == "db" and bag.generated and set(bag.items) == {"nova", "glance"}


def test_a_lost_secret_is_said(manifest: Manifest) -> None:
    databags.ensure_passwords(manifest).unlink()
    with pytest.raises(InputError, match="restore it: they"):
        databags.ensure_passwords(manifest)


def test_a_damaged_item_is_said(manifest: Manifest) -> None:
    databags.ensure_passwords(manifest)
    item = manifest.state / "data_bags" / "db" / "nova.json"
    item.write_text(item.read_text()[:50])
    with pytest.raises(InputError, match="nova.json: error: cannot read the password"):
        databags.ensure_passwords(manifest)


def test_a_missing_item_is_said(manifest: Manifest) -> None:
    with pytest.raises(
        InputError, match="nova.json: error: file not found; run `stackcook upload`"
    ):
        databags.read_password(manifest, "db", "nova")


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "nova", "nova": "own"} // as Chef reads it',
        '{"json_class": "Chef::DataBagItem", "raw_data": {"id": "nova", "nova": "own"}}',
    ],
)
def test_own_passwords_are_read_as_they_are_uploaded(make: Any, text: str) -> None:
    files = {"data_bags/db/nova.json": text}
    manifest = make(files, data_bags="db/nova", passwords={"db": ("nova",)})
    assert databags.read_password(manifest, "db", "nova") == "own"


def test_own_passwords_win(make: Any) -> None:
    manifest = make(
        {"data_bags/db/nova.json": json.dumps({"id": "nova", "nova": "own"})},
        data_bags="db/nova",
        passwords={"db": ("nova",)},
    )
    databags.ensure_passwords(manifest)
    assert databags.read_password(manifest, "db", "nova") == "own"
    assert not (manifest.state / "data_bags").exists()
