"""Checks the certificates of a cloud with TLS: CA, names, and days left.

Public ones as a client sees them. Those for services between nodes are read on their nodes, because
only nodes may connect to these services.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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

_DEPLOY = "run `stackcook deploy`, which makes new certificates"
_REPLACE = "replace the files that `stackcook: tls` names, then run `stackcook deploy`"


@dataclass(frozen=True)
class _Expiry:
    """When a certificate ends, on which node it is, and what to do before."""

    at: float
    node: str
    remedy: str


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
    ends: list[_Expiry] = []
    remedy = _REPLACE if own else _DEPLOY

    def judge(node: Placed, end: float, remedy: str, what: str = "it") -> None:
        ends.append(_Expiry(end, node.name, remedy))
        if end - now < LEAST * DAY:
            left = counted(int((end - now) / DAY), "day")
            raise VerifyError(f"{what} is valid for only {left}", remedy=remedy)

    def public(node: Placed) -> None:
        for address, host, port in _places(node):
            judge(node, _end(address, host, port, ca, remedy), remedy)

    def internal(node: Placed) -> None:
        assert internal_ca
        authority = internal_ca.read_text()
        for file, certificate in _files(read(node.name, _QUESTION)):
            try:
                end = end_of_issued(certificate, authority, node.address, now)
            except ValueError as error:
                raise VerifyError(f"{file}: {error}", remedy=_DEPLOY) from error
            judge(node, end, _DEPLOY, file)

    def one(node: Placed) -> Checks:
        checks = []
        if node.urls:
            checks.append(timed("public certificate", node.name, UNIT, lambda: public(node)))
        if node.secure and internal_ca and internal_ca.is_file():
            checks.append(timed("internal certificate", node.name, "", lambda: internal(node)))
        return tuple(checks)

    found = tuple(check for checks in parallel_map(one, nodes) for check in checks)
    return Certificates(found, (_note(ends, now),) if ends else ())


def _note(ends: Sequence[_Expiry], now: float) -> str:
    """How long the certificates are valid; of those that end soon, also whose they are."""
    first = min(end.at for end in ends)
    left = counted(int((first - now) / DAY), "day")
    valid = f"valid for {left}, until {time.strftime('%F', time.gmtime(first))}"
    soon = [end for end in ends if end.at - now < RENEWED_BEFORE * DAY]
    if not soon:
        return f"TLS: the certificates are {valid}"
    whose = ", ".join(sorted({end.node for end in soon}))
    remedies = "; ".join(sorted({end.remedy for end in soon}))
    return f"warning: TLS: certificates of {whose} are {valid}; {remedies}"


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
