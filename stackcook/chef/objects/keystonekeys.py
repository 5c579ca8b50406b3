"""The keys of Keystone's tokens and credentials, as encrypted data bag items, and their rotation.

As in Keystone, key 0 is staged: the next one that encrypts. The one with the highest number
encrypts now, and the others only decrypt. Every node with Keystone has the staged key long before
another node encrypts with it, if the keys are rotated only once between two converges.
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
    write_item,
)
from stackcook.errors import Finding, InputError
from stackcook.manifest.model import Manifest

ROTATED_AFTER = 30 * 86400.0
"""Seconds after which a deploy rotates the keys of tokens."""

KEPT = 3
"""Keys of tokens after a rotation, Keystone's ``max_active_keys``."""

_PRIMARY = 10
"""The number of the first key that encrypts: below it is room for those that a cloud had before."""


def ensure_keys(manifest: Manifest, now: float) -> None:
    """Generate the keys that are missing. Raises InputError if an item cannot be read."""
    secret = encryption.read_secret(ensure_passwords(manifest))
    for item in keystone_keys(manifest):
        if generated_item(manifest, KEYSTONE_KEYS, item).exists():
            _read(manifest, item, secret)  # so that a damaged one is found now
        else:
            _write(manifest, item, secret, {"0": _new(), str(_PRIMARY): _new()}, now)


def due(manifest: Manifest, now: float) -> float | None:
    """When the keys of tokens were rotated, if that is so long ago that they are due; else None.

    Seconds since the epoch. Raises InputError if the item cannot be read.
    """
    if "fernet" not in keystone_keys(manifest):
        return None
    secret = encryption.read_secret(ensure_passwords(manifest))
    _, rotated = _read(manifest, "fernet", secret)
    return rotated if now - rotated >= ROTATED_AFTER else None


def known(nodes: Collection[str], seen: Mapping[str, float], since: float) -> bool:
    """Whether each of the nodes, of at least one, has converged since a time.

    ``seen`` has their last chef-client runs. A node that has not converged since the last rotation
    does not have the staged key, with which the others would encrypt after the next one.
    """
    return bool(nodes) and all(seen.get(node, 0.0) > since for node in nodes)


def rotate(manifest: Manifest, now: float) -> None:
    """Replace the keys of tokens: the staged one encrypts from now on."""
    secret = encryption.read_secret(ensure_passwords(manifest))
    keys, _ = _read(manifest, "fernet", secret)
    _write(manifest, "fernet", secret, rotated(keys, _new()), now)


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
