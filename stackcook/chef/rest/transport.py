"""HTTP to a Chef server by urllib3: with or without TLS, directly or through the user's proxy."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import InvalidURL
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3 import exceptions

from stackcook.chef.rest.proxies import Proxy, find_proxy
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

CONNECTIONS = 8
"""Connections to one server that are kept open; more threads than this wait for one."""

_CONNECT = 5.0
"""Seconds that connecting may take."""

_BLOCK = 1 << 16
"""Bytes of a file that are in memory while it is sent."""

_CERTIFICATES = (".crt", ".pem")
"""Suffixes of the files in ``trusted_certs`` that knife reads."""


@dataclass(frozen=True)
class Answer:
    """A response; ``path`` is that of the request, without its query, which may hold a secret."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(ChefServerError):
    """No complete response came.

    ``connecting``: the request was never sent. ``transient`` is false if a retry can never succeed.
    """

    def __init__(
        self, what: str, *, remedy: str = "", connecting: bool = False, transient: bool = True
    ) -> None:
        super().__init__(
            what, remedy=remedy or "check that it is running and that its URL is correct"
        )
        self.connecting = connecting
        self.transient = transient


class Transport:
    """Sends requests, from any number of threads, over connections that stay open.

    ``timeout``: seconds that may pass between two bytes of a response. Certificates are verified
    as ``server`` says.
    """

    def __init__(self, server: ChefServer, *, timeout: float) -> None:
        self._server = server
        self._timeout = urllib3.Timeout(connect=_CONNECT, read=timeout)
        self._managers: dict[tuple[str, Proxy | None], urllib3.PoolManager] = {}
        self._making = threading.Lock()
        self._proxy = lru_cache(
            self._find_proxy
        )  # reading all of the environment for each file is slow

    def send(
        self, method: str, url: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """The response, whatever its status; redirects are not followed.

        A file is sent from its beginning. Raises NoAnswer, or ChefServerError if the file of a CA
        cannot be read.
        """
        parts = split_url(url)
        headers = {"User-Agent": "stackcook", **headers}
        content: bytes | Iterator[bytes]
        if isinstance(body, bytes):
            content = body
        else:  # the length keeps it from being sent in chunks, which Chef servers refuse
            size = os.fstat(body.fileno()).st_size
            headers["Content-Length"] = str(size)
            content = _blocks(body, size)
        try:
            response = self._manager(parts).urlopen(
                method,
                url,
                body=content,
                headers=headers,
                retries=False,
                redirect=False,
                enforce_content_length=True,
            )
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise _failure(error) from error
        return Answer(method, parts.path or "/", response.status, response.headers, response.data)

    def close(self) -> None:
        """Close the connections that are open."""
        for manager in self._managers.values():
            manager.clear()

    def _find_proxy(self, scheme: str, host: str) -> Proxy | None:
        try:
            return find_proxy(scheme, host, self._server.proxies, os.environ)
        except ValueError as error:
            remedy = f"write {scheme}_proxy as http://HOST:PORT"
            raise NoAnswer(
                "the proxy's URL is not valid", remedy=remedy, transient=False
            ) from error

    def _manager(self, url: SplitResult) -> urllib3.PoolManager:
        proxy = self._proxy(url.scheme, url.hostname or "")
        with self._making:
            if (url.scheme, proxy) not in self._managers:
                self._managers[url.scheme, proxy] = self._make(url.scheme, proxy)
            return self._managers[url.scheme, proxy]

    def _make(self, scheme: str, proxy: Proxy | None) -> urllib3.PoolManager:
        settings: dict[str, Any] = {"maxsize": CONNECTIONS, "block": True, "timeout": self._timeout}
        if scheme == "https":
            context = tls_context(self._server)
            settings |= {"ssl_context": context, "cert_reqs": context.verify_mode}
            if context.verify_mode is ssl.CERT_NONE:  # would be repeated for each request
                urllib3.disable_warnings(exceptions.InsecureRequestWarning)
        if not proxy:
            return urllib3.PoolManager(**settings)
        headers = urllib3.make_headers(proxy_basic_auth=proxy.login) if proxy.login else {}
        return urllib3.ProxyManager(proxy.url, proxy_headers=headers, **settings)


def split_url(url: str) -> SplitResult:
    """The parts of a URL. Raises NoAnswer if it is not valid."""
    try:
        return urlsplit(url)
    except ValueError as error:  # half a pair of brackets
        raise _invalid_url() from error


def tls_context(server: ChefServer) -> ssl.SSLContext:
    """Which certificates are trusted; urllib3 itself compares the host's name with them.

    With a ``ca_file`` only its CAs count, besides ``trusted_certs``; else the system's, or those of
    SSL_CERT_FILE. Raises ChefServerError for a file that holds no certificate.
    """
    if server.ca_file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, server.ca_file)
    else:
        context = ssl.create_default_context()
    context.check_hostname = False  # urllib3 1.26 could not connect to an IP address otherwise
    # A server's own certificate may be trusted without that of the CA which signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if server.trusted_certs and server.trusted_certs.is_dir():
        for path in sorted(server.trusted_certs.iterdir()):
            if path.suffix in _CERTIFICATES:
                _trust(context, path)
    if not server.verify:
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one
        reason = (
            "the file contains no certificate"
            if isinstance(error, ssl.SSLError)
            else error.strerror
        )
        raise ChefServerError(
            f"cannot read the certificate of the Chef server's CA ({reason})",
            where=str(path),
            remedy="put a certificate in PEM there, or remove the setting",
        ) from error


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The file's content; raises ChefServerError if it is shorter than ``size`` by now."""
    file.seek(0)
    while size > 0:
        block = file.read(min(_BLOCK, size))
        if not block:
            raise ChefServerError(
                "the file became shorter during the upload",
                where=str(file.name),
                remedy="upload again",
            )
        size -= len(block)
        yield block


def _failure(error: Exception) -> NoAnswer:
    """Why no response came, from what urllib3 raised and what caused that."""
    chain = _causes(error)
    system = next((c for c in chain if isinstance(c, OSError) and c.strerror), None)
    reason = ((system.strerror or "") if system else str(chain[-1])).lower()
    if any(isinstance(c, (exceptions.LocationValueError, InvalidURL)) for c in chain):
        return _invalid_url()
    if isinstance(error, exceptions.ProxyError):
        remedy = "check http_proxy, https_proxy and no_proxy, in the environment and in config.rb"
        return NoAnswer(
            f"the proxy cannot connect to the Chef server ({reason})",
            remedy=remedy,
            connecting=True,
        )
    if isinstance(system, ssl.SSLError) or isinstance(error, exceptions.SSLError):
        return _tls_failure(system, reason)
    if isinstance(error, ValueError):  # by http.client; the user's name is in a header
        what = "the user's name contains characters that HTTP does not allow"
        return NoAnswer(what, remedy="correct the user name", transient=False)
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return NoAnswer("cannot resolve the Chef server's host name", connecting=True)
    if isinstance(error, exceptions.NewConnectionError):
        return NoAnswer(f"cannot connect to the Chef server ({reason})", connecting=True)
    if isinstance(error, exceptions.TimeoutError):
        connecting = isinstance(error, exceptions.ConnectTimeoutError)
        return NoAnswer("the Chef server did not respond in time", connecting=connecting)
    if system:
        return NoAnswer(f"the connection to the Chef server was lost ({reason})")
    return NoAnswer("the connection to the Chef server was closed before the response was complete")


def _invalid_url() -> NoAnswer:
    remedy = "write it as https://chef.example.com/organizations/NAME"
    return NoAnswer("this is not a valid URL", remedy=remedy, transient=False)


def _tls_failure(error: OSError | None, reason: str) -> NoAnswer:
    """``error`` is None where urllib3 itself has compared the host's name."""
    if error is None or isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message if error else reason
        return NoAnswer(
            f"the Chef server's certificate is not trusted ({reason})",
            remedy="set `ca_file` of chef_server, or knife's ssl_ca_file, to the certificate of "
            "its CA",
            transient=False,
        )
    if getattr(error, "reason", "") == "WRONG_VERSION_NUMBER":
        what = "the Chef server does not use TLS on this port"
        return NoAnswer(what, remedy="use http:// instead of https:// in its URL", transient=False)
    return NoAnswer(f"the TLS handshake failed ({reason})", connecting=True)  # may have broken off


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
