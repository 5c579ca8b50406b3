"""Signed requests: version 1.3 of Chef's Mixlib authentication, RSA with SHA-256."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
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

        Raises ChefServerError if the file is missing or holds no such key.
        """
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise ChefServerError(
                f"the key of Chef user {user} can't be read ({error.strerror})",
                where=str(path),
                remedy="name the file that holds it",
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _no_key(user, path) from error
        if not isinstance(key, RSAPrivateKey):
            raise _no_key(user, path)
        return cls(user, key)

    def headers(
        self, method: str, path: str, body: bytes, *, api_version: int, now: datetime
    ) -> Mapping[str, str]:
        """The headers that sign a request; ``path`` is the URL's, without the query."""
        timestamp = now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        content_hash = base64.b64encode(hashlib.sha256(body).digest()).decode()
        text = "\n".join(
            (
                f"Method:{method.upper()}",
                f"Path:{_canonical(path)}",
                f"X-Ops-Content-Hash:{content_hash}",
                "X-Ops-Sign:version=1.3",
                f"X-Ops-Timestamp:{timestamp}",
                f"X-Ops-UserId:{self.user}",
                f"X-Ops-Server-API-Version:{api_version}",
            )
        )
        signature = base64.b64encode(self.key.sign(text.encode(), PKCS1v15(), SHA256())).decode()
        lines = [signature[at : at + _LINE] for at in range(0, len(signature), _LINE)]
        return {
            "X-Ops-Sign": "algorithm=sha256;version=1.3;",
            "X-Ops-Userid": self.user,
            "X-Ops-Timestamp": timestamp,
            "X-Ops-Content-Hash": content_hash,
            "X-Ops-Server-API-Version": str(api_version),
            **{f"X-Ops-Authorization-{n}": line for n, line in enumerate(lines, 1)},
        }


def _canonical(path: str) -> str:
    single = re.sub("/+", "/", path)
    return single.rstrip("/") or "/"


def _no_key(user: str, path: Path) -> ChefServerError:
    return ChefServerError(
        f"this is no RSA private key in PEM, without a passphrase, for Chef user {user}",
        where=str(path),
        remedy="name the file that the Chef server's administrator gave you",
    )
