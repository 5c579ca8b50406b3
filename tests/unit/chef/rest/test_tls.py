"""Whom the client believes that it is the Chef server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stackcook.chef.rest.client import ChefClient
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from tests.scripted import Scripted, scripted

KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key; signed by itself, or by another one."""

    key: EllipticCurvePrivateKey
    signed: x509.Certificate

    @classmethod
    def make(cls, address: str, *, by: Certificate | None = None) -> Certificate:
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address or "our CA")])
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(by.signed.subject if by else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=not address, path_length=None), critical=True)
        )
        if address:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(alternative, critical=False)
        return cls(key, builder.sign(by.key if by else key, SHA256()))

    def write(self, path: Path, *, key: bool = False) -> Path:
        """The certificate as PEM; with its key, too, for a server."""
        path.parent.mkdir(exist_ok=True)
        pem = self.signed.public_bytes(Encoding.PEM)
        if key:
            pem += self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        return path


@pytest.fixture(scope="module")
def ca() -> Certificate:
    return Certificate.make("")


@pytest.fixture(scope="module")
def own(ca: Certificate) -> Certificate:
    return Certificate.make("127.0.0.1", by=ca)


@pytest.fixture
def server(own: Certificate, tmp_path: Path) -> Iterator[ChefServer]:
    with serving(own, tmp_path) as server:
        yield server


class serving:
    """A server with this certificate, as what nobody trusts yet."""

    def __init__(self, certificate: Certificate, tmp_path: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.write(tmp_path / "server.pem", key=True))
        self._running = scripted(context)

    def __enter__(self) -> ChefServer:
        script: Scripted = self._running.__enter__()
        script.add("GET", "/nodes", {"one": "url"})
        return ChefServer(script.url, "alice", KEY)

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(None, None, None)


def ask(server: ChefServer) -> object:
    with ChefClient(server, sleep=lambda seconds: None) as client:
        return client.get("/nodes")


def test_a_strange_certificate_is_refused(server: ChefServer) -> None:
    with pytest.raises(ChefServerError, match="its certificate is not trusted .*`ca_file`"):
        ask(server)


def test_its_ca_is_enough(server: ChefServer, ca: Certificate, tmp_path: Path) -> None:
    assert ask(replace(server, ca_file=ca.write(tmp_path / "ca.pem"))) == {"one": "url"}


def test_another_ca_is_not(server: ChefServer, tmp_path: Path) -> None:
    other = Certificate.make("").write(tmp_path / "other.pem")
    with pytest.raises(ChefServerError, match="not trusted"):
        ask(replace(server, ca_file=other))


def test_what_knife_fetched_is_trusted(
    server: ChefServer, own: Certificate, tmp_path: Path
) -> None:
    own.write(tmp_path / "trusted" / "127_0_0_1.crt")
    (tmp_path / "trusted" / "README").write_text("no certificate")
    assert ask(replace(server, trusted_certs=tmp_path / "trusted")) == {"one": "url"}
    assert ask(replace(server, verify=False)) == {"one": "url"}


def test_a_certificate_of_another_host_is_refused(ca: Certificate, tmp_path: Path) -> None:
    trusted = ca.write(tmp_path / "ca.pem")
    with serving(Certificate.make("127.0.0.2", by=ca), tmp_path) as server:
        with pytest.raises(ChefServerError, match="not trusted .*127.0.0.1"):
            ask(replace(server, ca_file=trusted))


def test_a_file_without_certificate_is_named(server: ChefServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ChefServerError, match="ca.pem: .* can't be read .it holds no certificate"):
        ask(replace(server, ca_file=tmp_path / "ca.pem"))
    with pytest.raises(ChefServerError, match="absent.pem: .*No such file"):
        ask(replace(server, ca_file=tmp_path / "absent.pem"))


def test_a_server_without_tls_is_said(tmp_path: Path) -> None:
    with scripted() as script:
        server = ChefServer(script.url.replace("http:", "https:"), "alice", KEY)
        with pytest.raises(ChefServerError, match="it speaks no TLS there; is it http://?"):
            ask(server)
