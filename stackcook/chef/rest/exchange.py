"""An HTTP request's answer, or why there is none: what the ways to a server have in common."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Answer:
    """What came back; ``path`` is that of the request, with its query."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """No whole answer came; ``str()`` says why, as in "the Chef server: no answer in time".

    ``connecting`` is true where the request was never sent; ``final`` where it never can be.
    """

    def __init__(
        self, why: str, *, remedy: str = "", connecting: bool = False, final: bool = False
    ) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.connecting = connecting
        self.final = final


class Way(Protocol):
    """Leads to one server, from any number of threads, over connections that stay open."""

    def send(
        self, method: str, path: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """The answer, whatever its status; redirects are not followed. Raises NoAnswer."""
        ...

    def close(self) -> None:
        """Close the connections that are open."""
        ...


def no_answer(error: Exception, *, connecting: bool = False) -> NoAnswer:
    """What kept the answer from coming, in words; ``connecting``: before anything was sent."""
    system = next((c for c in causes(error) if isinstance(c, OSError) and c.strerror), None)
    said = (system.strerror or "").lower() if system else str(error)
    if isinstance(system, ssl.SSLError):
        return _no_trust(system, said)
    if isinstance(system, socket.gaierror):
        return NoAnswer("nobody knows its name", connecting=True)
    if isinstance(error, TimeoutError):
        return NoAnswer("no answer in time", connecting=connecting)
    if connecting:
        return NoAnswer(f"can't be reached ({said})", connecting=True)
    if system:
        return NoAnswer(f"the connection broke off ({said})")
    return NoAnswer("the connection broke off before the answer was whole")


def _no_trust(error: ssl.SSLError, said: str) -> NoAnswer:
    """What is wrong with TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "name its CA's file as `ca_file` of chef_server, or as knife's ssl_ca_file"
        why = f"its certificate is not trusted ({error.verify_message})"
        return NoAnswer(why, remedy=remedy, final=True)
    if error.reason == "WRONG_VERSION_NUMBER":
        return NoAnswer("it speaks no TLS there", remedy="is it http://?", final=True)
    return NoAnswer(f"TLS came to no end ({said})", connecting=True)  # it may have broken off


def causes(error: BaseException) -> list[BaseException]:
    """The error, what it was raised for, and so on: the innermost last."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        reason = getattr(cause, "reason", None)
        cause = (
            reason if isinstance(reason, BaseException) else cause.__cause__ or cause.__context__
        )
    return found
