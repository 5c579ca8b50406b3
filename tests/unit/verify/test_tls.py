"""The checks of certificates, against a server on the loopback interface."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.certificates import DAY, Pair, issue, new_authority
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
    assert check.name == "public certificate"
    (note,) = found.notes
    assert note.startswith("TLS: the certificates are valid for 100 days, until 20")


def test_fewer_than_30_days_are_a_warning(look: Look) -> None:
    found = look(days=29.5)
    assert found.checks[0].ok
    assert found.notes[0].startswith("warning: TLS: certificates of controller are valid for 29")
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
        ("10.0.116.10", 365, "IP address mismatch, certificate is not valid"),
        ("127.0.0.1", -1, "certificate has expired"),
    ],
)
def test_what_a_client_rejects_is_an_error(look: Look, name: str, days: float, cause: str) -> None:
    found = look(name, days)
    assert re.match(f"clients reject that of 127.0.0.1:[0-9]+: {cause}", found.checks[0].cause)
    assert found.notes == ()


def test_a_server_that_is_down_is_an_error(ca: Path) -> None:
    node = Placed("controller", "127.0.0.1", urls={"identity": "https://127.0.0.1:1/v3"})
    (check,) = tls.look([node], ca, False, NOW).checks
    assert check.cause == (
        "127.0.0.1:1 does not respond: connection refused: is the service running?"
    )


def test_each_of_several_controllers_is_asked_at_its_own_address(tmp_path: Path, ca: Path) -> None:
    (tmp_path / "2").mkdir()
    with serving(tmp_path, "10.0.112.9", 100) as one, serving(
        tmp_path / "2", "10.0.112.9", 5.5
    ) as two:
        nodes = [
            replace(
                node,
                name=name,
                virtual="10.0.112.9",
                urls={"identity": node.urls["identity"].replace("127.0.0.1", "10.0.112.9")},
            )
            for name, node in (("one", one), ("two", two))
        ]
        found = tls.look(nodes, ca, False, NOW)
    good, bad = found.checks
    assert (good.node, good.ok) == ("one", True)
    assert (bad.node, bad.cause) == ("two", "it is valid for only 5 days")
    assert found.notes[0].startswith("warning: TLS: certificates of two are valid for 5 days, ")


INTERNAL = Placed("compute1", "10.0.112.11", secure=True)


def internally(ca: Path, **files: str) -> tls.Certificates:
    """Check a node that has these certificates for services between nodes."""
    printed = "".join(
        f"file /etc/openstack/tls/{name}/certificate.pem\n{files[name]}" for name in files
    )
    asked: list[str] = []

    def read(node: str, command: str) -> str:
        asked.append(node)
        return printed

    found = tls.look([INTERNAL], None, True, NOW, ca, read)
    assert asked == ["compute1"]
    return found


def issued(days: float, *names: str, ca: Pair = CA) -> str:
    return issue(ca, names or ("10.0.112.11", "localhost"), NOW - (365 - days) * DAY).certificate


def test_certificates_between_nodes_are_read_there(ca: Path) -> None:
    good = issued(200.5)
    found = internally(ca, mysql=good, rabbitmq=good)
    (check,) = found.checks
    assert (check.name, check.node, check.ok) == ("internal certificate", "compute1", True)
    assert found.notes[0].startswith("TLS: the certificates are valid for 200 days")


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        (issued(6.5), " is valid for only 6 days"),
        (issued(-2), ": it has expired"),
        (issued(300, "10.0.112.12"), ": it is not valid for 10.0.112.11"),
        (issued(300, ca=new_authority("CA", NOW)), ": the CA is another one"),
        ("nothing", ": it cannot be read"),
    ],
    ids=["days", "expired", "name", "ca", "unreadable"],  # they would have the certificates in them
)
def test_a_bad_certificate_between_nodes_is_an_error_of_its_file(
    ca: Path, certificate: str, cause: str
) -> None:
    (check,) = internally(ca, ovn=issued(300), rabbitmq=certificate).checks
    assert check.cause == f"/etc/openstack/tls/rabbitmq/certificate.pem{cause}"
    assert check.remedy == "run `stackcook deploy`, which makes new certificates"


def test_fewer_than_30_days_between_nodes_are_a_warning(ca: Path) -> None:
    found = internally(ca, ovn=issued(20.5))
    assert found.checks[0].ok
    assert found.notes[0].startswith("warning: TLS: certificates of compute1 are valid for 20 days")


def test_without_tls_there_is_nothing_to_check() -> None:
    assert tls.look([Placed("a", "10.0.0.1")], None, False, NOW) == tls.Certificates()


def test_requests_are_refused_to_a_server_that_the_ca_does_not_know(
    tmp_path: Path, ca: Path
) -> None:
    ca.write_text(new_authority("another", NOW).certificate)
    with serving(tmp_path, "127.0.0.1", 365) as node:
        with pytest.raises(VerifyError, match="its certificate is rejected: unable to get local"):
            request("GET", node.urls["identity"], ca=ca)
