"""The keys of Keystone's tokens and credentials, as encrypted data bag items, and their rotation.

As in Keystone, key 0 is staged: the next one that encrypts. The one with the highest number
encrypts now, and the others only decrypt. Every node with Keystone has the staged key long before
another node encrypts with it, if the keys are rotated only once between two converges.

Credentials are kept longer than any key. So a converge encrypts them with the new key before it
removes an old one, and keys are not rotated again before each node has done so.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection, Mapping

from stackcook.chef.objects import encryption
from stackcook.chef.objects.databags import (
    KEYSTONE_KEYS,
    ensure_passwords,
    generated_item,
    keystone_keys,
    secret_file,
    write_item,
)
from stackcook.errors import Finding, InputError
from stackcook.manifest.model import Manifest

ROTATED_AFTER = {"fernet": 30 * 86400.0, "credential": 90 * 86400.0}
"""Seconds after which a deploy rotates the keys of tokens, and those of credentials."""

KEPT = 3
"""Keys after a rotation, Keystone's ``max_active_keys``."""

_PRIMARY = 10
"""The number of the first key that encrypts: below it is room for those that a cloud had before."""


def kind_of(item: str) -> str:
    """``fernet`` or ``credential``."""
    return item.partition("-")[0]


def zone_of(item: str) -> str:
    """The zone whose keys the item has; empty without zones."""
    return item.partition("-")[2]


def ensure_keys(manifest: Manifest, now: float) -> None:
    """Generate the keys that are missing. Raises InputError if an item cannot be read.

    Zones that had the same keys, or a cloud that becomes one, go on with them.
    """
    secret = encryption.read_secret(ensure_passwords(manifest))
    items = keystone_keys(manifest)
    for item in items:
        if generated_item(manifest, KEYSTONE_KEYS, item).exists():
            _read(manifest, item, secret)  # so that a damaged one is found now
        elif zone_of(item) and generated_item(manifest, KEYSTONE_KEYS, kind_of(item)).exists():
            _write(manifest, item, secret, *_read(manifest, kind_of(item), secret))
        else:
            _write(manifest, item, secret, {"0": _new(), str(_PRIMARY): _new()}, now)
    for item in items:
        if zone_of(item):
            generated_item(manifest, KEYSTONE_KEYS, kind_of(item)).unlink(missing_ok=True)


def due(manifest: Manifest, now: float) -> Mapping[str, float]:
    """Item → when its keys were rotated, if that is so long ago that they are due.

    Seconds since the epoch. Changes nothing. Raises InputError if an item cannot be read.
    """
    there = [
        item
        for item in keystone_keys(manifest)
        if generated_item(manifest, KEYSTONE_KEYS, item).exists()
    ]
    if not there or not secret_file(manifest).exists():
        return {}
    secret = encryption.read_secret(secret_file(manifest))
    rotated = {item: _read(manifest, item, secret)[1] for item in there}
    return {
        item: when for item, when in rotated.items() if now - when >= ROTATED_AFTER[kind_of(item)]
    }


def known(nodes: Collection[str], seen: Mapping[str, float], since: float) -> bool:
    """Whether each of the nodes, of at least one, has converged since a time.

    ``seen`` has their last chef-client runs. A node that has not converged since the last rotation
    does not have the staged key, with which the others would encrypt after the next one. Nor is it
    known that it has encrypted credentials anew.
    """
    return bool(nodes) and all(seen.get(node, 0.0) > since for node in nodes)


def rotate(manifest: Manifest, item: str, now: float) -> None:
    """Replace the keys of an item: the staged one encrypts from now on."""
    secret = encryption.read_secret(ensure_passwords(manifest))
    keys, _ = _read(manifest, item, secret)
    _write(manifest, item, secret, rotated(keys, _new()), now)


def rotated(keys: Mapping[str, str], new: str) -> dict[str, str]:
    """The keys after a rotation: the staged one has the highest number, ``new`` is staged."""
    highest = max(map(int, keys)) + 1
    promoted = {**keys, str(highest): keys["0"], "0": new}
    kept = sorted(map(int, promoted), reverse=True)[: KEPT - 1]
    return {str(number): promoted[str(number)] for number in (0, *sorted(kept))}


def _new() -> str:
    """A Fernet key: 32 random bytes, as URL-safe Base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _write(manifest: Manifest, item: str, secret: str, keys: Mapping[str, str], at: float) -> None:
    clear = {"id": item, "keys": dict(keys), "rotated": at}
    write_item(generated_item(manifest, KEYSTONE_KEYS, item), clear, secret)


def _read(manifest: Manifest, item: str, secret: str) -> tuple[dict[str, str], float]:
    file = generated_item(manifest, KEYSTONE_KEYS, item)
    try:
        found = encryption.decrypt(json.loads(file.read_text()), secret)
        return dict(found["keys"]), float(found["rotated"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"cannot read Keystone's keys ({error})"
        remedy = "restore the file"
        raise InputError([Finding(file, None, what, remedy)]) from error
