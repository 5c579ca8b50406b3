"""Checks that the message queue and the database respond to this machine."""

from __future__ import annotations

import socket
import struct

import amqp

from stackcook.addresses import bracketed
from stackcook.errors import VerifyError
from stackcook.verify.openstack import cause_of

QUEUE_USER = "openstack"

_HOST_NOT_ALLOWED = 1130
"""MariaDB's error if it has no account for the client's host: it is up all the same."""


def queue_login(address: str, password: str, port: int = 5672, *, timeout: float = 5.0) -> None:
    """Log in to RabbitMQ as the services do; raises VerifyError with the cause of a failure.

    Proves that the broker answers, takes the user's password and admits it to the virtual host.
    """
    at = f"{bracketed(address)}:{port}"
    connection = amqp.Connection(
        at,
        userid=QUEUE_USER,
        password=password,
        login_method="PLAIN",
        connect_timeout=timeout,
        read_timeout=timeout,
        write_timeout=timeout,
    )
    try:
        with connection:
            pass
    except amqp.AccessRefused as error:
        why = f"rejects user {QUEUE_USER}: {error.reply_text}"
        raise VerifyError(f"the message queue at {at} {why}") from error
    except (amqp.AMQPError, struct.error) as error:
        raise VerifyError(f"the AMQP login at {at} failed: {error}") from error
    except OSError as error:
        why = cause_of(error, timeout)
        raise VerifyError(f"the AMQP login at {at} failed: {why}") from error
    finally:
        connection.collect()


def database_version(address: str, port: int = 3306, *, timeout: float = 5.0) -> str:
    """The version in MariaDB's greeting; ``""`` if it refuses clients from this machine.

    No login: Keystone's token already proves that passwords and tables are right. Raises
    VerifyError if nothing answers, something else does, or there are too many connections.
    """
    at = f"{bracketed(address)}:{port}"
    try:
        with socket.create_connection((address, port), timeout) as connection:
            stream = connection.makefile("rb")
            header = stream.read(4)
            payload = stream.read(int.from_bytes(header[:3], "little")) if header else b""
    except OSError as error:
        raise VerifyError(
            f"the database at {at} does not respond: {cause_of(error, timeout)}"
        ) from error
    if payload[:1] == b"\x0a":
        return payload[1:].split(b"\0")[0].decode("ascii", "replace")
    if payload[:1] == b"\xff" and len(payload) > 2:
        (code,) = struct.unpack_from("<H", payload, 1)
        if code == _HOST_NOT_ALLOWED:
            return ""
        text = payload[3:].decode("utf-8", "replace")
        raise VerifyError(f"the database at {at} refuses connections: {text} ({code})")
    raise VerifyError(f"{at} responds, but is not a MySQL server")
