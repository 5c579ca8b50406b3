"""Checks the certificates of a cloud with TLS: CA, names, and days left.

Public ones as a client sees them. Those for services between nodes are read on their nodes, because
only nodes may connect to these services.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stackcook.addresses import bracketed
from stackcook.certificates import DAY, RENEWED_BEFORE, end_of, end_of_issued
from stackcook.errors import VerifyError, counted
from stackcook.parallel import parallel_map
from stackcook.verify.check import Checks, timed
from stackcook.verify.openstack import TIMEOUT, cause_of
from stackcook.verify.placing import Placed

UNIT = "haproxy"
"""What answers with the certificates."""

FILES = "/etc/openstack/tls/*/certificate.pem /etc/pki/libvirt-vnc/server-cert.pem"
"""Where a node has its certificate for services between nodes: a copy for each daemon."""

_QUESTION = (
    f'for file in {FILES}; do [ ! -f "$file" ] || {{ echo "file $file"; cat "$file"; }}; done'
)

LEAST = 7
"""Days that a certificate must still be valid."""


@dataclass(frozen=True)
class Certificates:
    """The checks, and a line that says how long the certificates are valid; empty without TLS."""

    checks: Checks = ()
    notes: tuple[str, ...] = ()


Read = Callable[[str, str], str]
"""What a command prints on a node: both are given."""


def look(
    nodes: Iterable[Placed],
    ca: Path | None,
    own: bool,
    now: float,
    internal_ca: Path | None = None,
    read: Read = lambda node, command: "",
) -> Certificates:
    """Check the certificates of each node. ``ca`` are the CAs that clients accept.

    ``own``: the public ones are the user's, so that a deploy cannot renew them. ``internal_ca`` has
    signed those for services between nodes, which are in files that are ``read``.
    """
    ends: list[tuple[float, str, str]] = []  # when, of which node, and what to do before
    deploy = "run `stackcook deploy`, which makes new certificates"
    replace = "replace the files that `stackcook: tls` names, then run `stackcook deploy`"
    remedy = replace if own else deploy

    def enough(node: Placed, end: float, remedy: str, what: str = "it") -> None:
        ends.append((end, node.name, remedy))
        if end - now < LEAST * DAY:
            left = counted(int((end - now) / DAY), "day")
            raise VerifyError(f"{what} is valid for only {left}", remedy=remedy)

    def public(node: Placed) -> None:
        for address, host, port in _places(node):
            enough(node, _end(address, host, port, ca, remedy), remedy)

    def internal(node: Placed) -> None:
        assert internal_ca
        authority = internal_ca.read_text()
        for file, certificate in _files(read(node.name, _QUESTION)):
            try:
                end = end_of_issued(certificate, authority, node.address, now)
            except ValueError as error:
                raise VerifyError(f"{file}: {error}", remedy=deploy) from error
            enough(node, end, deploy, file)

    def one(node: Placed) -> Checks:
        checks = []
        if node.urls:
            checks.append(timed("public certificate", node.name, UNIT, lambda: public(node)))
        if node.secure and internal_ca and internal_ca.is_file():
            checks.append(timed("internal certificate", node.name, "", lambda: internal(node)))
        return tuple(checks)

    found = tuple(check for checks in parallel_map(one, nodes) for check in checks)
    if not ends:
        return Certificates(found)
    end, *_ = min(ends)
    left, date = counted(int((end - now) / DAY), "day"), time.strftime("%F", time.gmtime(end))
    soon = [each for each in ends if each[0] - now < RENEWED_BEFORE * DAY]
    if not soon:
        return Certificates(found, (f"TLS: the certificates are valid for {left}, until {date}",))
    whose = ", ".join(sorted({node for _, node, _ in soon}))
    remedies = "; ".join(sorted({remedy for _, _, remedy in soon}))
    note = f"warning: TLS: certificates of {whose} are valid for {left}, until {date}; {remedies}"
    return Certificates(found, (note,))


def _places(node: Placed) -> list[tuple[str, str, int]]:
    """Address, host and port of each public endpoint of a node, once.

    Of controllers that share an address, each is asked at its own, where all but Horizon answer:
    the shared one would show the certificate of only one of them.
    """
    found = set()
    for service, url in node.urls.items():
        parts = urlsplit(url)
        host = parts.hostname or ""
        shared = node.virtual and service != "dashboard"
        found.add((node.address if shared else host, host, parts.port or 443))
    return sorted(found)


def _files(printed: str) -> Iterator[tuple[str, str]]:
    """File and content of each certificate that :data:`_QUESTION` has printed, once."""
    found: dict[str, str] = {}
    for part in printed.split("file /")[1:]:
        name, _, content = part.partition("\n")
        found.setdefault(content.strip(), f"/{name}")
    return ((name, content) for content, name in found.items())


def _end(address: str, host: str, port: int, ca: Path | None, remedy: str) -> float:
    at = f"{bracketed(address)}:{port}"
    try:
        return end_of(host, port, ca, TIMEOUT, address)
    except ssl.SSLCertVerificationError as error:
        why = str(error.verify_message).rstrip(".")
        raise VerifyError(f"clients reject that of {at}: {why}", remedy=remedy) from error
    except OSError as error:
        raise VerifyError(f"{at} does not respond: {cause_of(error, TIMEOUT)}") from error
