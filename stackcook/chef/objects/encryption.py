"""Encrypted data bag items: writes Chef's version 3, reads versions 1 to 3."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to load, and not needed by an upload without encrypted items
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_CIPHER = "aes-256-gcm"
_BLANK = b"\0\t\n\v\f\r "
"""What Ruby's ``strip`` removes; Python's also removes Unicode's blanks."""

_TAG = 16
"""Bytes of the authentication tag, which ``cryptography`` puts at the end of the data."""


def read_secret(path: Path) -> str:
    """The content of a secret file, stripped as by Chef: line ends within it are kept as they are.

    Raises OSError or UnicodeDecodeError.
    """
    return path.read_bytes().strip(_BLANK).decode()


def is_encrypted(item: Mapping[str, Any]) -> bool:
    """Whether every field except ``id`` is encrypted (in any version)."""
    values = [value for field, value in item.items() if field != "id"]
    return bool(values) and all(
        isinstance(value, Mapping) and "encrypted_data" in value for value in values
    )


def encrypt(item: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The item with every field except ``id`` encrypted, with a new IV for each call."""
    return {
        field: value if field == "id" else _seal(value, secret) for field, value in item.items()
    }


def decrypt(item: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The decrypted item. Raises ValueError: wrong secret, damaged data, or unknown version."""
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
    from cryptography.exceptions import InvalidSignature, InvalidTag

    version = value.get("version") if isinstance(value, Mapping) else None
    if version not in tuple(_OPENERS):  # it may be anything
        raise ValueError(f"{field} is not encrypted with version 1, 2 or 3")
    try:
        return json.loads(_OPENERS[version](value, secret))["json_wrapper"]
    except (InvalidTag, InvalidSignature) as error:
        raise ValueError(f"{field} was encrypted with another secret, or is damaged") from error
    except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
        raise ValueError(f"{field} is damaged, or was encrypted with another secret") from error


def _open_3(value: Mapping[str, str], secret: str) -> bytes:
    data, iv, tag = (base64.b64decode(value[n]) for n in ("encrypted_data", "iv", "auth_tag"))
    return _key(secret).decrypt(iv, data + tag, b"")


def _open_2(value: Mapping[str, str], secret: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    signed = HMAC(secret.encode(), SHA256())
    signed.update(value["encrypted_data"].encode())
    signed.verify(base64.b64decode(value["hmac"]))
    return _open_1(value, secret)


def _open_1(value: Mapping[str, str], secret: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7

    data, iv = (base64.b64decode(value[name]) for name in ("encrypted_data", "iv"))
    cipher = Cipher(AES(hashlib.sha256(secret.encode()).digest()), CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = cipher.update(data) + cipher.finalize()
    return unpadder.update(padded) + unpadder.finalize()


_OPENERS = {1: _open_1, 2: _open_2, 3: _open_3}


def _base64(data: bytes) -> str:
    """Base64 in lines of 60 characters, as Ruby writes it."""
    text = base64.b64encode(data).decode()
    return "".join(text[at : at + 60] + "\n" for at in range(0, len(text), 60))
