"""Items that Chef 18.10's own encryptors made with the secret ``geheim``: data/encrypted.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.objects import encryption

FIELDS = json.loads((Path(__file__).parents[1] / "data" / "encrypted.json").read_text())

every_version = pytest.mark.parametrize("field", FIELDS, ids=lambda f: f"version {f['version']}")


@every_version
def test_reads_what_chef_wrote(field: dict[str, Any]) -> None:
    assert encryption.decrypt({"id": "x", "f": field}, "geheim") == {
        "id": "x",
        "f": {"a": [1, "ü"]},
    }


@pytest.mark.parametrize(
    "content, secret",
    [
        (b"one\r\ntwo\r\n", "one\r\ntwo"),
        (b"\0 \v\f\t\r\none\rtwo\0", "one\rtwo"),
        ("\u00a0ü\x1c \n".encode(), "\u00a0ü\x1c"),
        (b"\xef\xbb\xbfone", "\ufeffone"),
    ],
)
def test_a_secret_file_is_stripped_as_by_ruby(content: bytes, secret: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert encryption.read_secret(tmp_path / "secret") == secret


@every_version
def test_another_secret_reads_nothing(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="f was encrypted with another|damaged, or was encrypted"):
        encryption.decrypt({"f": field}, "other")


@every_version
@pytest.mark.parametrize("value", [None, 7, [], "", "%%", "äöü", "QUJD"])
def test_damage_is_said(field: dict[str, Any], value: object) -> None:
    for name in set(field) - {"cipher"}:
        with pytest.raises(ValueError, match="^f "):
            encryption.decrypt({"f": {**field, name: value}}, "geheim")
