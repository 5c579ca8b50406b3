"""The checks of certificates, against a server on the loopback interface."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackcook.certificates import DAY, issue, new_authority
from stackcook.verify import tls
from stackcook.verify.openstack import request
from stackcook.errors import VerifyError
from stackcook.verify.placing import Placed

NOW = time.time()
CA = new_authority("CA", NOW)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_text(CA.certificate)
    return path


@contextmanager
def serving(directory: Path, name: str, days: float) -> Iterator[Placed]:
    """A node whose certificate for ``name`` is valid for so many more days."""
    made = issue(CA, (name,), NOW - (365 - days) * DAY)
    (directory / "a.pem").write_text(made.certificate + made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "a.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()  # the client has rejected it

        threading.Thread(target=accept, daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/v3"
        # two services of one server are checked once
        yield Placed("controller", "127.0.0.1", urls={"identity": url, "image": url})
        server.shutdown(socket.SHUT_RDWR)


Look = Callable[..., tls.Certificates]


@pytest.fixture
def look(tmp_path: Path, ca: Path) -> Look:
    def look(name: str = "127.0.0.1", days: float = 365, own: bool = False) -> tls.Certificates:
        with serving(tmp_path, name, days) as node:
            return tls.look([node], ca, own, NOW)

    return look


def test_a_good_certificate_passes_and_its_days_are_told(look: Look) -> None:
    found = look(days=100.5)
    (check,) = found.checks
    assert check.ok and check.node == "controller"
    assert check.name.startswith("certificate of 127.0.0.1:")
    (note,) = found.notes
    assert note.startswith("TLS: the certificates are valid for 100 days, until 20")


def test_fewer_than_30_days_are_a_warning(look: Look) -> None:
    found = look(days=29.5)
    assert found.checks[0].ok
    assert found.notes[0].startswith("warning: TLS: the certificates are valid for 29 days, until")
    assert found.notes[0].endswith("run `stackcook deploy`, which makes new certificates")


def test_fewer_than_7_days_are_an_error(look: Look) -> None:
    (check,) = look(days=6.5, own=True).checks
    assert check.cause == "it is valid for only 6 days"
    assert check.remedy == (
        "replace the files that `stackcook: tls` names, then run `stackcook deploy`"
    )


@pytest.mark.parametrize(
    ("name", "days", "cause"),
    [
        ("10.0.116.10", 365, "clients reject it: IP address mismatch, certificate is not valid"),
        ("127.0.0.1", -1, "clients reject it: certificate has expired"),
    ],
)
def test_what_a_client_rejects_is_an_error(look: Look, name: str, days: float, cause: str) -> None:
    found = look(name, days)
    assert not found.checks[0].ok and found.checks[0].cause.startswith(cause)
    assert found.notes == ()


def test_a_server_that_is_down_is_an_error(ca: Path) -> None:
    node = Placed("controller", "127.0.0.1", urls={"identity": "https://127.0.0.1:1/v3"})
    (check,) = tls.look([node], ca, False, NOW).checks
    assert check.cause == (
        "127.0.0.1:1 does not respond: connection refused: is the service running?"
    )


def test_without_tls_there_is_nothing_to_check() -> None:
    assert tls.look([Placed("a", "10.0.0.1")], None, False, NOW) == tls.Certificates()


def test_requests_are_refused_to_a_server_that_the_ca_does_not_know(
    tmp_path: Path, ca: Path
) -> None:
    ca.write_text(new_authority("another", NOW).certificate)
    with serving(tmp_path, "127.0.0.1", 365) as node:
        with pytest.raises(VerifyError, match="its certificate is rejected: unable to get local"):
            request("GET", node.urls["identity"], ca=ca)
