"""Encrypted data bag items, version 3: what Chef's ``data_bag_item`` reads and writes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to load, and an upload without encrypted items needs none of it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_CIPHER = "aes-256-gcm"
_TAG = 16
"""Bytes of the authentication tag, which ``cryptography`` puts at the end of the data."""


def read_secret(path: Path) -> str:
    """The secret in a secret file, without the white space around it. Raises OSError."""
    return path.read_text().strip()


def is_encrypted(item: Mapping[str, Any]) -> bool:
    """Whether every field of the item, but its id, is encrypted (in any version)."""
    values = [value for field, value in item.items() if field != "id"]
    return bool(values) and all(
        isinstance(value, Mapping) and "encrypted_data" in value for value in values
    )


def encrypt(item: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The item with every field but ``id`` encrypted; each call gives another text."""
    return {
        field: value if field == "id" else _seal(value, secret) for field, value in item.items()
    }


def decrypt(item: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The item in clear. Raises ValueError: wrong secret, damaged data, or another version."""
    return {
        field: value if field == "id" else _open(field, value, secret)
        for field, value in item.items()
    }


def _key(secret: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(hashlib.sha256(secret.encode()).digest())


def _seal(value: Any, secret: str) -> dict[str, Any]:
    iv = os.urandom(12)
    text = json.dumps({"json_wrapper": value}).encode()
    sealed = _key(secret).encrypt(iv, text, b"")
    return {
        "encrypted_data": _base64(sealed[:-_TAG]),
        "iv": _base64(iv),
        "auth_tag": _base64(sealed[-_TAG:]),
        "version": 3,
        "cipher": _CIPHER,
    }


def _open(field: str, value: Any, secret: str) -> Any:
    from cryptography.exceptions import InvalidTag

    if not isinstance(value, Mapping) or value.get("version") != 3:
        raise ValueError(f"{field} is not encrypted in version 3")
    try:
        data, iv, tag = (base64.b64decode(value[n]) for n in ("encrypted_data", "iv", "auth_tag"))
        text = _key(secret).decrypt(iv, data + tag, b"")
        return json.loads(text)["json_wrapper"]
    except InvalidTag as error:
        raise ValueError(f"{field} was encrypted with another secret, or is damaged") from error
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise ValueError(f"{field} is damaged") from error


def _base64(data: bytes) -> str:
    """Base64 in lines of 60 characters, as Ruby writes it."""
    text = base64.b64encode(data).decode()
    return "".join(text[at : at + 60] + "\n" for at in range(0, len(text), 60))
