"""Signatures equal those of the gem mixlib-authentication 3.0, which made data/signatures.json."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from stackcook.chef.rest.signing import Signer
from stackcook.errors import ChefServerError

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads((DATA / "signatures.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["path"])
@pytest.mark.parametrize("key", ["pkcs1.pem", "pkcs8.pem"])
def test_signs_as_the_gem_does(case: dict, key: str) -> None:
    headers = Signer.load("spec-user", DATA / key).headers(
        case["method"],
        case["path"],
        case["body"].encode(),
        api_version=case["api_version"],
        now=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc),
    )
    version = {"X-Ops-Server-API-Version": str(case["api_version"])}
    assert headers == {**case["headers"], **version}


def test_says_which_key_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ChefServerError, match="absent.pem: cannot read the key of Chef user alice"):
        Signer.load("alice", tmp_path / "absent.pem")


def test_refuses_anything_but_an_rsa_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (pem, b"-----BEGIN RSA PRIVATE KEY-----\nnonsense\n", b""):
        path.write_bytes(content)
        with pytest.raises(ChefServerError) as error:
            Signer.load("alice", path)
        assert "not an RSA private key" in str(error.value)
        assert "nonsense" not in str(error.value)


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_says_that_a_key_has_a_passphrase(tmp_path: Path, form: PrivateFormat) -> None:
    path = tmp_path / "key.pem"
    key = rsa.generate_private_key(65537, 1024)
    path.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    with pytest.raises(ChefServerError, match="key.pem: the key of Chef user alice is protected"):
        Signer.load("alice", path)
