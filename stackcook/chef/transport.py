"""HTTP over kept-alive connections, by urllib3: a request's whole answer, or why there is none."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3 import exceptions

_ERRORS = (exceptions.HTTPError, OSError)
"""What urllib3 raises; the second for what it forgets to translate."""


@dataclass(frozen=True)
class Answer:
    """What came back; ``path`` is that of the request, with its query."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


Pool = Any
"""One server's connections, an HTTPConnectionPool, or those to a proxy, a ProxyManager."""


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


class Transport:
    """Sends requests, from any number of threads, over at most ``connections`` to one server.

    ``connect`` and ``read`` are seconds: for connecting, and between two bytes of an answer.
    ``context`` gives the settings of TLS when they are first needed.
    """

    def __init__(
        self,
        *,
        connections: int,
        connect: float,
        read: float,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self._connections = connections
        self._timeout = urllib3.Timeout(connect=connect, read=read)
        self._context = context
        self._pools: dict[tuple[str, str], Pool] = {}
        self._making = threading.Lock()

    def send(
        self, method: str, url: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """The answer, whatever its status; redirects are not followed. Raises NoAnswer."""
        parts = urlsplit(url)
        if not isinstance(body, bytes):  # else it would come in chunks, which servers refuse
            headers = {**headers, "Content-Length": str(os.fstat(body.fileno()).st_size)}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool = self._pool(parts)
        try:
            response = pool.urlopen(
                method,
                url if isinstance(pool, urllib3.ProxyManager) else path,
                body=body,
                headers=headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                enforce_content_length=True,
            )
        except _ERRORS as error:
            raise _reason(error) from error
        return Answer(method, path, response.status, response.headers, response.data)

    def close(self) -> None:
        """Close the connections that are open."""
        for pool in self._pools.values():
            pool.clear() if isinstance(pool, urllib3.ProxyManager) else pool.close()

    def _pool(self, parts: SplitResult) -> Pool:
        """What keeps the connections to this server, or to the proxy that leads there."""
        key = (parts.scheme, parts.netloc)
        with self._making:
            if key not in self._pools:
                self._pools[key] = self._make(parts, _proxy(parts))
            return self._pools[key]

    def _make(self, server: SplitResult, proxy: str) -> Pool:
        settings: dict[str, Any] = {"maxsize": self._connections, "block": True}
        if server.scheme == "https":
            settings["ssl_context"] = context = self._context()
            settings["cert_reqs"] = context.verify_mode  # else it is set back
            if context.verify_mode is ssl.CERT_NONE:
                urllib3.disable_warnings(exceptions.InsecureRequestWarning)  # one for each request
        if not proxy:  # the pool itself: a manager looks at the URL anew for each request
            return urllib3.connection_from_url(f"{server.scheme}://{server.netloc}", **settings)
        parts = urlsplit(proxy)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=login) if parts.username else {}
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def _proxy(parts: SplitResult) -> str:
    """The user's proxy, or nothing; an address of a private network is none of its business."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    from urllib.request import getproxies, proxy_bypass  # slow to load, and seldom needed

    host = parts.hostname or ""
    named = getproxies().get(parts.scheme)
    if not named or _private(host) or proxy_bypass(host):
        return ""
    return named if "://" in named else f"http://{named}"


def _private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False  # a name


def _reason(error: Exception) -> NoAnswer:
    """What kept the answer from coming, in words."""
    causes = _causes(error)
    system = next((c for c in causes if isinstance(c, OSError) and c.strerror), None)
    said = (system.strerror or "").lower() if system else str(causes[-1])
    if isinstance(error, exceptions.ProxyError):
        remedy = "look at the variables http_proxy, https_proxy and no_proxy"
        return NoAnswer(f"the proxy does not lead there ({said})", remedy=remedy, connecting=True)
    if isinstance(error, exceptions.SSLError):
        return _no_trust(system, said)
    if isinstance(error, exceptions.LocationValueError):
        return NoAnswer("its URL is none", final=True)
    if isinstance(system, socket.gaierror):
        return NoAnswer("nobody knows its name", connecting=True)
    if isinstance(error, exceptions.NewConnectionError):
        return NoAnswer(f"can't be reached ({said})", connecting=True)
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        connecting = isinstance(error, exceptions.ConnectTimeoutError)
        return NoAnswer("no answer in time", connecting=connecting)
    if system:
        return NoAnswer(f"the connection broke off ({said})")
    return NoAnswer("the connection broke off before the answer was whole")


def _no_trust(system: OSError | None, said: str) -> NoAnswer:
    """What is wrong with TLS."""
    if isinstance(system, ssl.SSLCertVerificationError):
        said = system.verify_message
    elif isinstance(system, ssl.SSLError) and system.reason == "WRONG_VERSION_NUMBER":
        return NoAnswer("it speaks no TLS there", remedy="is it http://?", final=True)
    elif isinstance(system, ssl.SSLError):  # it may be a connection that broke off
        return NoAnswer(f"TLS came to no end ({said})", connecting=True)
    remedy = "name its CA's file as `ca_file` of chef_server, or as knife's ssl_ca_file"
    return NoAnswer(f"its certificate is not trusted ({said})", remedy=remedy, final=True)


def _causes(error: BaseException) -> list[BaseException]:
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
