"""Opens the console of an instance as noVNC's page does: VNC's protocol through a WebSocket."""

from __future__ import annotations

import secrets
import socket
from base64 import b64encode
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from stackcook.certificates import trusting
from stackcook.errors import VerifyError
from stackcook.verify.openstack import cause_of

RFB = b"RFB 003."
"""What every VNC server says first, before its minor version."""

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CLOSE = 8

PATIENCE = 30.0
"""Seconds for each answer: Nova's proxy starts a process for each console, and connects it to the
database; while instances boot, that takes longer than a request."""


def connect(url: str, ca: Path | None = None, timeout: float = PATIENCE) -> None:
    """Open the console at ``url``, as Nova gives it, until the instance's VNC server answers.

    ``ca`` is as in :class:`~stackcook.verify.openstack.Cloud`; ``timeout`` is in seconds. Raises
    VerifyError that says what happened instead; it does not contain the token in ``url``.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    # Like vnc_lite.html: Nova's token is in the path of the WebSocket.
    path = parse_qs(parts.query).get("path", ["websockify"])[0]
    what = f"the WebSocket of {parts.scheme}://{parts.netloc}{parts.path}"
    try:
        with socket.create_connection((host, port), timeout) as plain:
            secure = trusting(ca) if parts.scheme == "https" else None
            with secure.wrap_socket(plain, server_hostname=host) if secure else plain as sock:
                key = b64encode(secrets.token_bytes(16)).decode()
                sock.sendall(_request(path, parts.scheme, parts.netloc, key))
                with sock.makefile("rb") as stream:
                    _upgraded(stream, key, what)
                    _greeted(stream, what)
    except OSError as error:
        raise VerifyError(f"{what} does not respond: {cause_of(error, timeout)}") from error


def _request(path: str, scheme: str, netloc: str, key: str) -> bytes:
    lines = (
        f"GET /{path} HTTP/1.1",
        f"Host: {netloc}",
        f"Origin: {scheme}://{netloc}",  # browsers send it, and Nova's proxy checks it
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _upgraded(stream: BinaryIO, key: str, what: str) -> None:
    """Read the response up to the empty line; raise VerifyError if it is no WebSocket."""
    status = stream.readline().decode("latin-1").strip()
    if status.split()[1:2] != ["101"]:
        raise VerifyError(f"{what} returned {status.partition(' ')[2] or 'nothing'}, not 101")
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("sec-websocket-accept") != accepted(key):
        raise VerifyError(f"{what} responds, but not as a WebSocket")


def accepted(key: str) -> str:
    """What a WebSocket's server answers to a ``Sec-WebSocket-Key``."""
    return b64encode(sha1((key + _ACCEPT).encode()).digest()).decode()


def _greeted(stream: BinaryIO, what: str) -> None:
    """Read the first frame; raise VerifyError if it is not the VNC server's first message."""
    head = stream.read(2)
    if len(head) < 2:
        raise VerifyError(f"{what} closed the connection before the instance's VNC server answered")
    size = head[1] & 0x7F  # a greeting has 12 bytes, so there is no longer form
    said = stream.read(size)
    if head[0] & 0x0F == _CLOSE:
        reason = said[2:].decode("utf-8", "replace")
        why = f": {reason}" if reason else ""
        raise VerifyError(f"{what} does not reach the instance's VNC server{why}")
    if not said.startswith(RFB):
        raise VerifyError(f"{what} responds, but not with VNC's protocol")
