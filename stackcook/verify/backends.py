"""Asks an internal service: the message queue, the database, an HTTP server. Runs on its node.

Only nodes of the cloud may connect to these. ``services.py`` sends this file to the node's python3
as its program: it imports only the standard library. A password comes by standard input.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import BinaryIO

QUEUE_USER = "openstack"
TIMEOUT = 8.0
"""Seconds for each answer."""

_HOST_NOT_ALLOWED = 1130
"""MariaDB's error if it has no account for the client's host: it is up all the same."""

# Methods of AMQP's class 10, the connection
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK = 10, 11, 30, 31, 40, 41
_CLOSE, _CLOSE_OK = 50, 51
_ACCESS_REFUSED = 403

# {"capabilities": {"authentication_failure_close": true}}: RabbitMQ then says why it closes
_CAPABLE = b"\x1cauthentication_failure_closet\x01"
_PROPERTIES = b"\x0ccapabilitiesF" + struct.pack(">I", len(_CAPABLE)) + _CAPABLE


class Unwell(Exception):
    """Why a service does not respond as it should."""


class _Refused(Exception):
    """RabbitMQ does not accept the login."""


def queue_login(address: str, port: int, password: str, vhost: str, ca: str = "") -> None:
    """Log in to RabbitMQ as the services do, over TLS if there is a ``ca``; raises Unwell.

    Proves that the broker answers, takes the user's password and admits it to the ``vhost``.
    """
    login = f"\0{QUEUE_USER}\0{password}".encode()
    at = _shown(address, port)
    where = f"the AMQP login at {at}"
    try:
        with _connected(address, port, ca) as connection:
            stream = connection.makefile("rb")
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            _method(stream, _START)
            table = struct.pack(">I", len(_PROPERTIES)) + _PROPERTIES
            answer = struct.pack(">I", len(login)) + login + b"\x05en_US"
            connection.sendall(_frame(_START_OK, table + b"\x05PLAIN" + answer))
            limits = _method(stream, _TUNE)[:6]
            host = bytes((len(vhost),)) + vhost.encode() + b"\0\0"
            connection.sendall(_frame(_TUNE_OK, limits + b"\0\0") + _frame(_OPEN, host))
            _method(stream, _OPEN_OK)
            connection.sendall(_frame(_CLOSE, struct.pack(">HBHH", 200, 0, 0, 0)))
            _method(stream, _CLOSE_OK)
    except _Refused as why:
        raise Unwell(f"the message queue at {at} rejects user {QUEUE_USER}: {why}") from why
    except OSError as error:
        raise Unwell(f"{where} failed: {_cause(error)}") from error
    except (ValueError, IndexError, struct.error) as error:
        raise Unwell(f"{where} failed: {error}") from error


def database_version(address: str, port: int) -> str:
    """The version in MariaDB's greeting; ``""`` if it refuses clients from this address.

    No login: Keystone's token already proves that passwords and tables are right. Raises Unwell if
    nothing answers, something else does, or there are too many connections.
    """
    at = _shown(address, port)
    try:
        with socket.create_connection((address, port), TIMEOUT) as connection:
            stream = connection.makefile("rb")
            header = stream.read(4)
            payload = stream.read(int.from_bytes(header[:3], "little")) if header else b""
    except OSError as error:
        raise Unwell(f"the database at {at} does not respond: {_cause(error)}") from error
    if payload[:1] == b"\x0a":
        return payload[1:].split(b"\0")[0].decode("ascii", "replace")
    if payload[:1] == b"\xff" and len(payload) > 2:
        (code,) = struct.unpack_from("<H", payload, 1)
        if code == _HOST_NOT_ALLOWED:
            return ""
        text = payload[3:].decode("utf-8", "replace")
        raise Unwell(f"the database at {at} refuses connections: {text} ({code})")
    raise Unwell(f"{at} responds, but is not a MySQL server")


def http_get(address: str, port: int, path: str, token: str = "", ca: str = "") -> str:
    """The body of an HTTP answer; raises Unwell if there is none, or its status is not 200.

    ``token`` is Keystone's. With a file ``ca`` of CA certificates, it is asked over TLS. The reason
    has the first line of a body of plain text.
    """
    url = f"http{'s' * bool(ca)}://{_shown(address, port)}{path}"
    try:
        connection = HTTPConnection(address, port, timeout=TIMEOUT)
        if ca:
            connection = HTTPSConnection(address, port, timeout=TIMEOUT, context=_trusting(ca))
        connection.request("GET", path, headers={"X-Auth-Token": token} if token else {})
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    except OSError as error:
        raise Unwell(f"{url} does not respond: {_cause(error)}") from error
    except HTTPException as error:
        raise Unwell(f"{url} does not respond as a web server does ({error!r})") from error
    if response.status != 200:
        plain = (response.getheader("Content-Type") or "").startswith("text/plain")
        said = f": {body.splitlines()[0][:300]}" if plain and body.strip() else ""
        raise Unwell(f"{url} returned {response.status} {response.reason}{said}")
    return body


def _connected(address: str, port: int, ca: str) -> socket.socket:
    plain = socket.create_connection((address, port), TIMEOUT)
    return _trusting(ca).wrap_socket(plain, server_hostname=address) if ca else plain


def _trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _frame(method: int, arguments: bytes) -> bytes:
    payload = struct.pack(">HH", 10, method) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


def _method(stream: BinaryIO, wanted: int) -> bytes:
    """The arguments of the next method; raises ValueError or _Refused if it is another one."""
    head = stream.read(7)
    if not head:
        raise ValueError("it closed the connection")
    kind, _, size = struct.unpack(">BHI", head)
    if kind != 1:
        raise ValueError("it does not speak AMQP 0-9-1")
    payload = stream.read(size + 1)
    group, method = struct.unpack_from(">HH", payload)
    if (group, method) == (10, _CLOSE):
        (code,) = struct.unpack_from(">H", payload, 4)
        text = payload[7 : 7 + payload[6]].decode("utf-8", "replace")
        if code == _ACCESS_REFUSED:
            raise _Refused(text)
        raise ValueError(f"{text} ({code})")
    if (group, method) != (10, wanted):
        raise ValueError(f"it answers with method {group}.{method}")
    return payload[4:-1]


def _cause(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is rejected: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: is the service running?"
    if isinstance(error, TimeoutError):
        return f"no response within {TIMEOUT:.0f} s"
    if isinstance(error, ConnectionError):
        return "it closed the connection"
    return error.strerror or str(error)


def _shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def main(kind: str, address: str, port: str, path: str = "", ca: str = "") -> int:
    """Ask a ``queue``, a ``database``, or by ``http``, which prints the body.

    ``path`` is the queue's virtual host, or the path of the URL. Standard input has the queue's
    password, or Keystone's token.

    Prints why the service is not well, and returns 1 then.
    """
    try:
        if kind == "queue":
            queue_login(address, int(port), sys.stdin.read(), path, ca)
        elif kind == "database":
            database_version(address, int(port))
        else:
            print(http_get(address, int(port), path, sys.stdin.read(), ca))
    except Unwell as why:
        print(why)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
