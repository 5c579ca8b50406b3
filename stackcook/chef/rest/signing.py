"""Signed requests: Chef's Mixlib authentication, version 1.3."""

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
            if not isinstance(key, RSAPrivateKey):
                raise ValueError("another kind of key")
        except OSError as error:
            raise ChefServerError(
                f"cannot read the key of Chef user {user} ({error.strerror})",
                where=str(path),
                remedy="correct the path of the key",
            ) from error
        except TypeError as error:  # what the library raises where a passphrase is missing
            raise ChefServerError(
                f"the key of Chef user {user} is protected by a passphrase",
                where=str(path),
                remedy=f"remove it with `openssl rsa -in {path.name} -out plain.pem`, and use "
                "plain.pem",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ChefServerError(
                f"the key of Chef user {user} is not an RSA private key in PEM format",
                where=str(path),
                remedy="use the key file that the Chef server's administrator gave you",
            ) from error
        return cls(user, key)

    def headers(
        self, method: str, path: str, body: bytes, *, api_version: int, now: datetime
    ) -> Mapping[str, str]:
        """The headers that sign a request; ``path`` is the URL's, without the query."""
        common = {
            "X-Ops-Timestamp": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "X-Ops-Content-Hash": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            "X-Ops-Server-API-Version": str(api_version),
        }
        text = "\n".join(
            (
                f"Method:{method.upper()}",
                f"Path:{_canonical(path)}",
                f"X-Ops-Content-Hash:{common['X-Ops-Content-Hash']}",
                "X-Ops-Sign:version=1.3",
                f"X-Ops-Timestamp:{common['X-Ops-Timestamp']}",
                f"X-Ops-UserId:{self.user}",
                f"X-Ops-Server-API-Version:{api_version}",
            )
        )
        signed = self.key.sign(text.encode(), PKCS1v15(), SHA256())
        signature = base64.b64encode(signed).decode()
        lines = [signature[at : at + _LINE] for at in range(0, len(signature), _LINE)]
        return {
            "X-Ops-Sign": "algorithm=sha256;version=1.3;",
            "X-Ops-Userid": self.user,
            **common,
            **{f"X-Ops-Authorization-{n}": line for n, line in enumerate(lines, 1)},
        }


@lru_cache(maxsize=4)
def _parse(pem: bytes) -> object:
    """The key; checking it takes the library so long that it is done once only."""
    return load_pem_private_key(pem, password=None)


def _canonical(path: str) -> str:
    single = re.sub("/+", "/", path)
    return single.rstrip("/") or "/"
