"""The way to a server through the user's proxy, by urllib3."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions

from stackcook.chef.rest.exchange import Answer, NoAnswer, causes, no_answer

_ERRORS = (exceptions.HTTPError, OSError)
"""What urllib3 raises; the second for what it forgets to translate."""


class Proxied:
    """As Direct, but through the proxy at the URL ``proxy``."""

    def __init__(
        self,
        server: SplitResult,
        proxy: str,
        *,
        connections: int,
        connect: float,
        read: float,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._origin = f"{server.scheme}://{server.netloc}"
        self._timeout = urllib3.Timeout(connect=connect, read=read)
        settings: dict[str, Any] = {"maxsize": connections, "block": True}
        if server.scheme == "https":
            settings["ssl_context"] = context = tls()
            settings["cert_reqs"] = context.verify_mode  # else it is set back
            if context.verify_mode is ssl.CERT_NONE:
                urllib3.disable_warnings(exceptions.InsecureRequestWarning)  # one for each request
        parts = urlsplit(proxy)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=login) if parts.username else {}
        self._manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)

    def send(
        self, method: str, path: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """As Way says."""
        if not isinstance(body, bytes):  # else it would come in chunks, which servers refuse
            headers = {**headers, "Content-Length": str(os.fstat(body.fileno()).st_size)}
        try:
            response = self._manager.urlopen(
                method,
                f"{self._origin}{path}",
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
        """As Way says."""
        self._manager.clear()


def proxy_for(server: SplitResult) -> str:
    """The user's proxy, or nothing; an address of a private network is none of its business."""
    host = server.hostname or ""
    named = getproxies().get(server.scheme)
    if not named or _private(host) or proxy_bypass(host):
        return ""
    return named if "://" in named else f"http://{named}"


def _private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False  # a name


def _reason(error: Exception) -> NoAnswer:
    """What kept the answer from coming, by urllib3's word for it and what that was raised for."""
    chain = causes(error)
    system = next((c for c in chain if isinstance(c, OSError) and c.strerror), None)
    if isinstance(error, exceptions.ProxyError):
        said = (system.strerror or "").lower() if system else str(chain[-1])
        remedy = "look at the variables http_proxy, https_proxy and no_proxy"
        return NoAnswer(f"the proxy does not lead there ({said})", remedy=remedy, connecting=True)
    if isinstance(error, exceptions.LocationValueError):
        return NoAnswer("its URL is none", final=True)
    if isinstance(error, exceptions.TimeoutError):
        connecting = isinstance(error, exceptions.ConnectTimeoutError)
        return no_answer(TimeoutError(), connecting=connecting)
    connecting = isinstance(error, exceptions.NewConnectionError)
    return no_answer(system or error, connecting=connecting)
