"""The secrets of a deployment, which no report may contain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackcook.chef.objects import encryption
from stackcook.chef.objects.databags import SECRET
from stackcook.manifest.model import Manifest
from stackcook.redact import in_manifest

_SECRET_FIELD = re.compile(r"(?i)pass|pw|secret|token|key|credential")
"""Fields of a data bag item that are secret even if short; so is the field named like the item."""

_TELLING = 8
"""Other values of an encrypted item are secret from this length on."""

_LONG = 16
"""Lines of a key are secret from this length on; shorter ones also occur in other texts."""


def known_secrets(state: Path, manifest_text: str, manifest: Manifest | None) -> set[str]:
    """Generated passwords, encrypted data bags, keys, and secrets in the manifest.

    Unreadable files are skipped: reports must work when things are broken.
    """
    found = in_manifest(manifest_text)
    found.update(_keys(state))
    key = _secret(state / "chef" / SECRET)
    for path in (state / "data_bags").glob("*/*.json"):
        found.update(_item(path, key))
    for bag in manifest.data_bags if manifest else ():
        if bag.secret:
            own = _secret(bag.secret)
            found.update(line for line in own.splitlines() if line)
            for path in (state.parent / "data_bags" / bag.name).glob("*.json"):
                found.update(_item(path, own))
    return found


def _keys(state: Path) -> Iterator[str]:
    """The lines of all private keys and secrets below ``state``."""
    chef, login = state / "chef", (state / "ssh").glob("id_*")
    ca = state / "tls" / "ca.key"
    for path in (*chef.glob("*.pem"), *chef.glob("*/*.pem"), chef / SECRET, *login, ca):
        if path.suffix != ".pub":
            yield from _lines(_text(path))


def _lines(key: str) -> Iterator[str]:
    lines = (line.strip() for line in key.splitlines())
    yield from (line for line in lines if len(line) >= _LONG and "-----" not in line)


def _item(path: Path, secret: str) -> Iterator[str]:
    try:
        item = json.loads(_text(path))
        if encryption.is_encrypted(item):
            item = encryption.decrypt(item, secret)
    except (ValueError, TypeError, AttributeError, KeyError):
        return
    yield from _leaves(item, str(item.get("id")))


def _leaves(value: Any, name: str, field: str = "") -> Iterator[str]:
    """The secret texts of the item ``name``, by their field or length."""
    if isinstance(value, Mapping):
        for inner in value:
            yield from _leaves(value[inner], name, str(inner))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, name, field)
    elif isinstance(value, str) and "PRIVATE KEY-----" in value:
        yield from _lines(value)
    elif isinstance(value, str) and field != "id":
        if field == name or _SECRET_FIELD.search(field) or len(value) >= _TELLING:
            yield value


def _secret(path: Path) -> str:
    try:
        return encryption.read_secret(path)
    except (OSError, UnicodeDecodeError):
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
