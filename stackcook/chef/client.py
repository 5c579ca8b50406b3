"""The Chef server's REST interface: signed JSON requests, and one clear sentence a failure."""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from stackcook.chef.answers import Conflict, NotFound, judge, parse, unreachable
from stackcook.chef.signing import Signer
from stackcook.manifest.model import ChefServer

__all__ = ["CONNECTIONS", "ChefClient", "Conflict", "NotFound"]

CONNECTIONS = 8
"""Connections kept open; more threads than this wait for one."""

_CONNECT = 5.0
"""Seconds that connecting may take."""

_STREAMED = 1 << 20
"""Bytes above which a file is never wholly in memory."""

_TRIES = 4
_REPEATABLE = ("GET", "PUT")
_TRANSIENT = (500, 502, 503, 504)
_PREFERRED_VERSION = 2


class ChefClient:
    """Talks to a Chef server as one user; safe to share between threads.

    The API version is 2 where the server takes it, else the highest that it takes. ``timeout`` is
    how many seconds may pass between two bytes of an answer.
    """

    def __init__(
        self,
        server: ChefServer,
        *,
        session: requests.Session | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.server = server
        self._timeout = (_CONNECT, timeout)
        self._base = server.url.rstrip("/")
        self._signer = Signer.load(server.user, server.key)
        self._session = session or _session()
        self._proxies = _proxies(self._base)
        self._version: int | None = None

    def __enter__(self) -> ChefClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    @property
    def api_version(self) -> int:
        """The version of the server's API in use; asks the server the first time."""
        if self._version is None:
            self.get("/environments")
        assert self._version is not None
        return self._version

    def get(self, path: str) -> Any:
        """The object at ``path``, such as ``/nodes/controller``. Raises NotFound."""
        return self._request("GET", path)

    def put(self, path: str, value: Any) -> Any:
        """Replace the object at ``path``; returns what the server answers."""
        return self._request("PUT", path, value)

    def post(self, path: str, value: Any) -> Any:
        """Make an object in the collection ``path``. Raises Conflict if it is there."""
        return self._request("POST", path, value)

    def delete(self, path: str) -> Any:
        """Take the object at ``path`` away. Raises NotFound."""
        return self._request("DELETE", path)

    def send_file(self, url: str, path: Path, md5: str) -> None:
        """Put the file at the URL that the server gave for it; ``md5`` is its checksum in hex.

        Such URLs carry their own permission: nothing of ours is signed. Raises ChefServerError,
        OSError if the file can't be read.
        """
        headers = {
            "Content-Type": "application/x-binary",
            "Content-MD5": base64.b64encode(bytes.fromhex(md5)).decode(),
        }
        with path.open("rb") as file:
            # requests sends an empty stream in chunks, which servers refuse: only big ones are it.
            big = os.fstat(file.fileno()).st_size > _STREAMED
            body: bytes | BinaryIO = file if big else file.read()
            response = self._send("PUT", urljoin(self._base, url), body, headers=headers)
        judge(self.server, response)

    def _request(self, method: str, path: str, value: Any = None) -> Any:
        url = path if "://" in path else f"{self._base}/{path.lstrip('/')}"
        body = b"" if value is None else json.dumps(value).encode()
        response = self._send(method, url, body)
        if response.status_code == 406 and self._learn_version(response):
            response = self._send(method, url, body)
        answer = parse(self.server, response)
        if self._version is None:
            self._learn_version(response)
        return answer

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | BinaryIO,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send, and send again where that is safe and may help; signed unless with ``headers``."""
        for last in (False,) * (_TRIES - 1) + (True,):
            again = method in _REPEATABLE and not last
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                response = self._session.request(
                    method,
                    url,
                    data=body,
                    headers=headers or self._signed(method, url, body),
                    timeout=self._timeout,
                    proxies=self._proxies,
                    allow_redirects=False,
                )
            except requests.exceptions.RequestException as error:
                if not again or not _may_pass(error):
                    raise unreachable(self.server, error) from error
            else:
                if not again or response.status_code not in _TRANSIENT:
                    return response
            time.sleep(random.uniform(0.1, 0.5))  # jitter: others may be retrying too
        raise AssertionError("the last try returns or raises")

    def _signed(self, method: str, url: str, body: bytes | BinaryIO) -> Mapping[str, str]:
        assert isinstance(body, bytes), "files are not signed"
        signature = self._signer.headers(
            method,
            urlsplit(url).path,
            body,
            api_version=1 if self._version is None else self._version,
            now=datetime.now(timezone.utc),
        )
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Chef-Version": "18.0.0",
            **signature,
        }

    def _learn_version(self, response: requests.Response) -> bool:
        """Note which version to speak from now on; whether that is another than before."""
        before = self._version
        try:
            said = json.loads(response.headers.get("X-Ops-Server-API-Version", "{}"))
            low, high = int(said.get("min_version", 0)), int(said.get("max_version", 1))
        except (ValueError, AttributeError, TypeError):
            low, high = 0, 1
        self._version = max(low, min(high, _PREFERRED_VERSION))
        return self._version != (1 if before is None else before)


def _session() -> requests.Session:
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS, pool_block=True)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _proxies(base: str) -> dict[str, str]:
    """An address of a private network is no business of the user's proxy."""
    host = urlsplit(base).hostname or ""
    try:
        return {"no_proxy": host} if ip_address(host).is_private else {}
    except ValueError:
        return {}  # a name


def _may_pass(error: requests.exceptions.RequestException) -> bool:
    """Whether trying again may help: not if nobody listens, nor if the name or URL is wrong."""
    text = str(error)
    return (
        isinstance(
            error, (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
        )
        and not isinstance(
            error, (requests.exceptions.SSLError, requests.exceptions.ConnectTimeout)
        )
        and ("NewConnectionError" not in text)
    )
