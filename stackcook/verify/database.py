"""The database server's greeting.

The greeting is enough here: that passwords and tables are right, Keystone's token proves, which
is not given out without a query. It needs no MySQL library and no account for this machine.
"""

from __future__ import annotations

import socket
import struct

from stackcook.errors import VerifyError
from stackcook.verify.http import cause_of

HOST_NOT_ALLOWED = 1130
"""MariaDB's error for a host that no account is for: it is up, though not for this machine."""


def greeting(address: str, port: int = 3306, *, timeout: float = 5.0) -> str:
    """The version that MariaDB greets with, ``""`` if it keeps that from this machine.

    Raises VerifyError if nothing answers, something else does, or it refuses (too many
    connections).
    """
    at = f"{address}:{port}"
    try:
        with socket.create_connection((address, port), timeout) as connection:
            stream = connection.makefile("rb")
            header = stream.read(4)
            payload = stream.read(int.from_bytes(header[:3], "little")) if header else b""
    except OSError as error:
        raise VerifyError(f"{at} does not answer: {cause_of(error, timeout)}") from error
    if payload[:1] == b"\x0a":
        return payload[1:].split(b"\0")[0].decode("ascii", "replace")
    if payload[:1] == b"\xff" and len(payload) > 2:
        (code,) = struct.unpack_from("<H", payload, 1)
        if code == HOST_NOT_ALLOWED:
            return ""
        text = payload[3:].decode("utf-8", "replace")
        raise VerifyError(f"the database at {at} refuses connections: {text} ({code})")
    raise VerifyError(f"{at} answers, but does not greet as a MySQL server does")
