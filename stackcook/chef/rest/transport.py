"""HTTP over connections that stay open: a request's whole answer, or why there is none."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

from stackcook.chef.rest.direct import Direct
from stackcook.chef.rest.exchange import Answer, Way


class Transport:
    """Sends requests, from any number of threads, over at most ``connections`` to one server.

    ``connect`` and ``read`` are seconds: for connecting, and between two bytes of an answer.
    ``tls`` gives the settings of TLS when they are first needed.
    """

    def __init__(
        self,
        *,
        connections: int,
        connect: float,
        read: float,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._settings: dict[str, Any] = {
            "connections": connections,
            "connect": connect,
            "read": read,
            "tls": tls,
        }
        self._ways: dict[tuple[str, str], Way] = {}
        self._making = threading.Lock()

    def send(
        self, method: str, url: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """The answer, whatever its status; redirects are not followed. Raises NoAnswer."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return self._way(parts).send(method, path, body, headers)

    def close(self) -> None:
        """Close the connections that are open."""
        for way in self._ways.values():
            way.close()

    def _way(self, parts: SplitResult) -> Way:
        """The way to this server; all that asks for it goes the same one."""
        key = (parts.scheme, parts.netloc)
        with self._making:
            if key not in self._ways:
                self._ways[key] = self._make(parts)
            return self._ways[key]

    def _make(self, server: SplitResult) -> Way:
        if any(name.lower().endswith("_proxy") for name in os.environ):
            from stackcook.chef.rest import proxied  # slow to load, and seldom needed

            if proxy := proxied.proxy_for(server):
                return proxied.Proxied(server, proxy, **self._settings)
        return Direct(server, **self._settings)
