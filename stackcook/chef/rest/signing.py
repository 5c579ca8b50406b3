"""Signed requests, Chef's Mixlib authentication: version 1.3, and 1.1 and 1.0 for old servers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKeyWithSerialization as RSAPrivateKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stackcook.errors import ChefServerError

_LINE = 60
"""Characters of the signature in each X-Ops-Authorization-N header."""


@dataclass(frozen=True)
class Signer:
    """Signs requests as one user or client of the Chef server."""

    user: str
    key: RSAPrivateKey

    @classmethod
    def load(cls, user: str, path: Path) -> Signer:
        """The signer with the RSA key in the PEM file ``path`` (PKCS#1 or PKCS#8).

        Raises ChefServerError if the file is missing, has a passphrase or holds no such key.
        """
        try:
            key = _parse(path.read_bytes())
        except OSError as error:
            raise ChefServerError(
                f"the key of Chef user {user} can't be read ({error.strerror})",
                where=str(path),
                remedy="name the file that holds it",
            ) from error
        except TypeError as error:  # what the library raises where a passphrase is missing
            raise ChefServerError(
                f"the key of Chef user {user} is protected by a passphrase",
                where=str(path),
                remedy=f"write one without: openssl rsa -in {path.name} -out plain.pem",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _no_key(user, path) from error
        if not isinstance(key, RSAPrivateKey):
            raise _no_key(user, path)
        return cls(user, key)

    def headers(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        api_version: int,
        now: datetime,
        protocol: str = "1.3",
    ) -> Mapping[str, str]:
        """The headers that sign a request; ``path`` is the URL's, without the query."""
        timestamp = now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = protocol == "1.3"
        content_hash = _hash(body, "sha256" if new else "sha1")
        named = {"Method": method.upper()}
        if new:
            named |= {"Path": _canonical(path), "X-Ops-Content-Hash": content_hash}
            named |= {"X-Ops-Sign": "version=1.3", "X-Ops-Timestamp": timestamp}
            named |= {"X-Ops-UserId": self.user, "X-Ops-Server-API-Version": str(api_version)}
        else:
            user = self.user if protocol == "1.0" else _hash(self.user.encode(), "sha1")
            named |= {"Hashed Path": _hash(_canonical(path).encode(), "sha1")}
            named |= {"X-Ops-Content-Hash": content_hash}
            named |= {"X-Ops-Timestamp": timestamp, "X-Ops-UserId": user}
        text = "\n".join(f"{name}:{value}" for name, value in named.items()).encode()
        signed = self.key.sign(text, PKCS1v15(), SHA256()) if new else self._encrypt(text)
        signature = base64.b64encode(signed).decode()
        lines = [signature[at : at + _LINE] for at in range(0, len(signature), _LINE)]
        return {
            "X-Ops-Sign": f"algorithm={'sha256' if new else 'sha1'};version={protocol};",
            "X-Ops-Userid": self.user,
            "X-Ops-Timestamp": timestamp,
            "X-Ops-Content-Hash": content_hash,
            "X-Ops-Server-API-Version": str(api_version),
            **{f"X-Ops-Authorization-{n}": line for n, line in enumerate(lines, 1)},
        }

    def _encrypt(self, text: bytes) -> bytes:
        """RSA's raw private-key operation on the padded text, for which there is no library call.

        PKCS#1 v1.5 padding of type 1, but without the name of a digest; by the Chinese remainder
        theorem it takes milliseconds.
        """
        numbers = self.key.private_numbers()
        size = (self.key.key_size + 7) // 8
        if len(text) > size - 11:
            raise ChefServerError(
                f"the key of {self.user} is too short for signatures of version 1.1 and 1.0",
                remedy="use a key of 2048 bits",
            )
        padded = b"\x00\x01" + b"\xff" * (size - 3 - len(text)) + b"\x00" + text
        number = int.from_bytes(padded, "big")
        by_p: int = pow(number, numbers.dmp1, numbers.p)
        by_q: int = pow(number, numbers.dmq1, numbers.q)
        rest: int = (by_p - by_q) * numbers.iqmp % numbers.p
        whole: int = by_q + rest * numbers.q
        return whole.to_bytes(size, "big")


@lru_cache(maxsize=4)
def _parse(pem: bytes) -> object:
    """The key; checking it takes the library so long that it is done once only."""
    return load_pem_private_key(pem, password=None)


def _hash(data: bytes, algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def _canonical(path: str) -> str:
    single = re.sub("/+", "/", path)
    return single.rstrip("/") or "/"


def _no_key(user: str, path: Path) -> ChefServerError:
    return ChefServerError(
        f"this is no RSA private key in PEM for Chef user {user}",
        where=str(path),
        remedy="name the file that the Chef server's administrator gave you",
    )
