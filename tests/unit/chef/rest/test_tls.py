"""Which certificates are trusted, directly and through a proxy."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

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
from tests.scripted import scripted

KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key; signed by itself, or by another one."""

    key: EllipticCurvePrivateKey
    signed: x509.Certificate

    @classmethod
    def make(cls, host: str, *, by: Certificate | None = None) -> Certificate:
        """For a host's name or address; that of a CA without one."""
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host or "own CA")])
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(by.signed.subject if by else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
        )
        if host:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host)]), critical=False
            )
        return cls(key, builder.sign(by.key if by else key, SHA256()))

    def write(self, path: Path, *, key: bool = False) -> Path:
        """The certificate as PEM; with its key, too, for a server."""
        path.parent.mkdir(exist_ok=True)
        pem = self.signed.public_bytes(Encoding.PEM)
        if key:
            pem += self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        return path


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


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


@contextmanager
def serving(
    certificate: Certificate, tmp_path: Path, host: str = "127.0.0.1"
) -> Iterator[ChefServer]:
    """A server with this certificate, which no client trusts yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.write(tmp_path / "server.pem", key=True))
    with scripted(context, host) as script:
        script.add("GET", "/nodes", {"one": "url"})
        yield ChefServer(script.url, "alice", KEY)


def ask(server: ChefServer) -> object:
    with ChefClient(server, sleep=lambda seconds: None) as client:
        return client.get("/nodes")


def test_an_unknown_certificate_is_refused(server: ChefServer) -> None:
    with pytest.raises(ChefServerError, match="certificate is not trusted .*`ca_file`"):
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


def test_an_ipv6_address(ca: Certificate, tmp_path: Path) -> None:
    with serving(Certificate.make("::1", by=ca), tmp_path, "::1") as server:
        assert ask(replace(server, ca_file=ca.write(tmp_path / "ca.pem"))) == {"one": "url"}


@pytest.mark.parametrize("name", ["127.0.0.2", "chef.example.com"])
def test_a_certificate_of_another_host_is_refused(
    ca: Certificate, tmp_path: Path, name: str
) -> None:
    with serving(Certificate.make(name, by=ca), tmp_path) as server:
        with pytest.raises(ChefServerError, match="not trusted .*127.0.0.1"):
            ask(replace(server, ca_file=ca.write(tmp_path / "ca.pem")))
        assert ask(replace(server, verify=False)) == {"one": "url"}


@pytest.fixture
def tunnels(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Where a proxy that the user's environment names was asked to connect to."""
    asked: list[str] = []

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            target = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            asked.append(target)
            port = int(target.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, self.connection))
                back.start()
                _copy(self.connection, server)
                back.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        yield asked
        proxy.shutdown()
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def by_name(server: ChefServer) -> ChefServer:
    """By a name, since private addresses are reached without the proxy."""
    return replace(server, url=server.url.replace("127.0.0.1", "localhost"))


def test_tls_through_a_proxy(ca: Certificate, tmp_path: Path, tunnels: list[str]) -> None:
    with serving(Certificate.make("localhost", by=ca), tmp_path) as server:
        server = by_name(server)
        with pytest.raises(ChefServerError, match="certificate is not trusted"):
            ask(server)
        assert ask(replace(server, ca_file=ca.write(tmp_path / "ca.pem"))) == {"one": "url"}
    assert tunnels == [urlsplit(server.url).netloc] * 2


def test_a_certificate_of_another_host_is_refused_through_a_proxy(
    ca: Certificate, tmp_path: Path, tunnels: list[str]
) -> None:
    with serving(Certificate.make("chef.example.com", by=ca), tmp_path) as server:
        with pytest.raises(ChefServerError, match="not trusted .*localhost"):
            ask(replace(by_name(server), ca_file=ca.write(tmp_path / "ca.pem")))
    assert len(tunnels) == 1


def test_a_proxy_that_refuses_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(ChefServerError, match="the proxy cannot connect .*: 501 .*_proxy"):
            ask(ChefServer("https://chef.example.com", "alice", KEY))


def test_a_file_without_certificate_is_named(server: ChefServer, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(
        ChefServerError, match="ca.pem: cannot read .*the file contains no certificate"
    ):
        ask(replace(server, ca_file=tmp_path / "ca.pem"))
    with pytest.raises(ChefServerError, match="absent.pem: .*No such file"):
        ask(replace(server, ca_file=tmp_path / "absent.pem"))


def test_a_server_without_tls_is_reported(tmp_path: Path) -> None:
    with scripted() as script:
        server = ChefServer(script.url.replace("http:", "https:"), "alice", KEY)
        with pytest.raises(ChefServerError, match="does not use TLS on this port; use http://"):
            ask(server)
