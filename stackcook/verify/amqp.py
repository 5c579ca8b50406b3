"""A login on the message queue: AMQP 0-9-1 as far as ``Connection.OpenOk``, and out again.

It proves what the services need: the broker answers, takes their user's password, and lets that
user into the virtual host. The handshake is six small frames, so that no AMQP library is needed.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from io import BufferedRWPair

from stackcook.errors import VerifyError
from stackcook.verify.http import cause_of

USER = "openstack"

START, START_OK, TUNE, TUNE_OK, OPEN, OPEN_OK, CLOSE = 10, 11, 30, 31, 40, 41, 50
CONNECTION = 10  # the class that all these methods are of
FRAME_METHOD, FRAME_END = 1, b"\xce"


def login(address: str, password: str, port: int = 5672, *, timeout: float = 5.0) -> None:
    """Log in as the services' user; raises VerifyError with the cause if that does not work."""
    at = f"{address}:{port}"
    try:
        with socket.create_connection((address, port), timeout) as connection:
            talk = _Talk(connection.makefile("rwb"), at)
            talk.send(b"AMQP\x00\x00\x09\x01")
            talk.expect(START)
            talk.send(_start_ok(password))
            limits = talk.expect(TUNE)
            talk.send(_method(TUNE_OK, limits[:8]))
            talk.send(_method(OPEN, _short(b"/") + _short(b"") + b"\x00"))
            talk.expect(OPEN_OK)
            talk.send(_method(CLOSE, struct.pack(">H", 200) + _short(b"") + bytes(4)))
    except OSError as error:
        raise VerifyError(f"{at} does not answer: {cause_of(error, timeout)}") from error


@dataclass
class _Talk:
    stream: BufferedRWPair
    at: str

    def send(self, data: bytes) -> None:
        self.stream.write(data)
        self.stream.flush()

    def expect(self, wanted: int) -> bytes:
        """The arguments of the broker's next method, which must be ``wanted``."""
        head = self.stream.read(7)
        if not head:
            raise VerifyError(f"the message queue at {self.at} hung up")
        if len(head) < 7 or head[0] != FRAME_METHOD:
            raise VerifyError(f"{self.at} answers, but does not speak AMQP 0-9-1")
        payload = self.stream.read(int.from_bytes(head[3:], "big") + 1)[:-1]
        class_, method = struct.unpack_from(">HH", payload)
        if (class_, method) == (CONNECTION, wanted):
            return payload[4:]
        if (class_, method) == (CONNECTION, CLOSE):
            text = payload[7 : 7 + payload[6]].decode("utf-8", "replace")
            raise VerifyError(f"the message queue at {self.at} refuses user {USER}: {text}")
        raise VerifyError(f"{self.at} sends method {class_}.{method} where {wanted} is due")


def _start_ok(password: str) -> bytes:
    # Without this capability a broker that refuses the password just hangs up.
    can = _short(b"authentication_failure_close") + b"t\x01"
    properties = _long(_short(b"capabilities") + b"F" + _long(can))
    response = _long(b"\0" + USER.encode() + b"\0" + password.encode())
    return _method(START_OK, properties + _short(b"PLAIN") + response + _short(b"en_US"))


def _method(method: int, arguments: bytes) -> bytes:
    payload = struct.pack(">HH", CONNECTION, method) + arguments
    return struct.pack(">BHI", FRAME_METHOD, 0, len(payload)) + payload + FRAME_END


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
