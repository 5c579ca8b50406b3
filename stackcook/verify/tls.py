"""Checks the certificates of a cloud with TLS, as a client sees them: CA, names, and days left."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stackcook.addresses import bracketed
from stackcook.certificates import DAY, RENEWED_BEFORE, end_of
from stackcook.errors import VerifyError, counted
from stackcook.parallel import parallel_map
from stackcook.verify.check import Check, Checks, timed
from stackcook.verify.openstack import TIMEOUT, cause_of
from stackcook.verify.placing import Placed

UNIT = "haproxy"
"""What answers with the certificates."""

LEAST = 7
"""Days that a certificate must still be valid."""


@dataclass(frozen=True)
class Certificates:
    """The checks, and a line that says how long the certificates are valid; empty without TLS."""

    checks: Checks = ()
    notes: tuple[str, ...] = ()


def look(nodes: Iterable[Placed], ca: Path | None, own: bool, now: float) -> Certificates:
    """Check the certificate at each public endpoint. ``ca`` are the CAs that clients accept.

    ``own``: the certificates are the user's, so that a deploy cannot renew them.
    """
    ends: list[float] = []
    remedy = "run `stackcook deploy`, which makes new certificates"
    if own:
        remedy = "replace the files that `stackcook: tls` names, then run `stackcook deploy`"

    def one(place: tuple[str, str, int]) -> Check:
        node, host, port = place

        def ask() -> None:
            end = _end(host, port, ca, remedy)
            ends.append(end)
            if end - now < LEAST * DAY:
                left = counted(int((end - now) / DAY), "day")
                raise VerifyError(f"it is valid for only {left}", remedy=remedy)

        return timed(f"certificate of {bracketed(host)}:{port}", node, UNIT, ask)

    checks = tuple(parallel_map(one, _places(nodes)))
    if not ends:
        return Certificates(checks)
    end = min(ends)
    left, date = counted(int((end - now) / DAY), "day"), time.strftime("%F", time.gmtime(end))
    note = f"TLS: the certificates are valid for {left}, until {date}"
    if end - now < RENEWED_BEFORE * DAY:
        note = f"warning: {note}; {remedy}"
    return Certificates(checks, (note,))


def _places(nodes: Iterable[Placed]) -> list[tuple[str, str, int]]:
    """Node, host and port of each public endpoint, once."""
    found = {}
    for node in nodes:
        for url in node.urls.values():
            parts = urlsplit(url)
            found[parts.hostname or "", parts.port or 443] = node.name
    return [(node, host, port) for (host, port), node in sorted(found.items())]


def _end(host: str, port: int, ca: Path | None, remedy: str) -> float:
    try:
        return end_of(host, port, ca, TIMEOUT)
    except ssl.SSLCertVerificationError as error:
        why = str(error.verify_message).rstrip(".")
        raise VerifyError(f"clients reject it: {why}", remedy=remedy) from error
    except OSError as error:
        raise VerifyError(f"{host}:{port} does not respond: {cause_of(error, TIMEOUT)}") from error
