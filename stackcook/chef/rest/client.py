"""A client of the Chef server's REST interface: signed JSON requests, and clear errors."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

from stackcook.chef.rest.answers import (
    Conflict,
    NotFound,
    accepted,
    parse,
    patience,
    skew,
    strange,
)
from stackcook.chef.rest.signing import Signer
from stackcook.chef.rest.transport import CONNECTIONS, Answer, NoAnswer, Transport, split_url
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from stackcook.retry import REQUEST, TRANSIENT_STATUSES

__all__ = ["CONNECTIONS", "ChefClient", "Conflict", "NotFound"]

logger = logging.getLogger(__name__)

_STREAMED = 1 << 20
"""Bytes above which a file is never read into memory as a whole."""

_PATIENCE = 120.0
"""Seconds after which a request is not retried any more."""

_LONGEST_WAIT = 30.0
"""Maximum seconds to wait between two tries, even if the server asks for more."""

_REPEATABLE = ("GET", "PUT", "DELETE")
_PREFERRED_VERSION = 2


class ChefClient:
    """Talks to a Chef server as one user; safe to share between threads.

    The API version is 2 where the server supports it, else the highest that it does. ``timeout`` is
    how many seconds may pass between two bytes of a response. The key and the certificates are read
    at the first request.
    """

    def __init__(
        self,
        server: ChefServer,
        *,
        timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self._base = server.url.rstrip("/")
        self._sleep = sleep
        self._transport = Transport(server, timeout=timeout)
        self._version: int | None = None
        self._reached = False
        self._heard: tuple[Mapping[str, str], datetime] = ({}, datetime.now(timezone.utc))

    def __enter__(self) -> ChefClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

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

    def get_map(self, path: str) -> dict[str, Any]:
        """As :meth:`get`; also raises ChefServerError if the response is not a JSON map."""
        answer = self.get(path)
        if not isinstance(answer, dict):
            raise strange(self.server, f"GET {path}")
        return answer

    def put(self, path: str, value: Any) -> Any:
        """Replace the object at ``path``; returns what the server answers."""
        return self._request("PUT", path, value)

    def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
        """Create an object in the collection ``path``. Raises Conflict if it already exists.

        With ``repeat`` it is tried again as other requests are: the Conflict may then be with
        what an earlier try made.
        """
        return self._request("POST", path, value, repeat=repeat)

    def delete(self, path: str) -> Any:
        """Delete the object at ``path``. Raises NotFound."""
        answer = self._request("DELETE", path)
        if not isinstance(answer, dict):
            raise strange(self.server, f"DELETE {path}")
        return answer

    def send_file(self, url: str, path: Path, md5: str) -> None:
        """Put the file at the URL that the server gave for it; ``md5`` is its checksum in hex.

        Such URLs carry their own permission: nothing of ours is signed. Raises ChefServerError,
        also for a small file that is not what it was; OSError if it can't be read.
        """
        headers = {
            "Content-Type": "application/x-binary",
            "Content-MD5": base64.b64encode(bytes.fromhex(md5)).decode(),
        }
        with path.open("rb") as file:
            body: bytes | BinaryIO = file
            if os.fstat(file.fileno()).st_size <= _STREAMED:
                body = file.read()
                if hashlib.md5(body, usedforsecurity=False).hexdigest() != md5:
                    raise ChefServerError(
                        "the file changed during the upload", where=str(path), remedy="upload again"
                    )
            whole = url if "://" in url else urljoin(f"{self._base}/", url)
            answer, _ = self._send("PUT", whole, body, headers=headers)
        accepted(self.server, answer)

    def _request(self, method: str, path: str, value: Any = None, *, repeat: bool = True) -> Any:
        url = f"{self._base}/{path.lstrip('/')}"
        body = b"" if value is None else json.dumps(value).encode()
        repeat = repeat or method in _REPEATABLE
        spoken = self._spoken
        answer, tries = self._send(method, url, body, repeat=repeat)
        if answer.status == 406 and self._learn_version(answer) != spoken:
            answer, tries = self._send(method, url, body, repeat=repeat)
        if method == "DELETE" and answer.status == 404 and tries > 1:
            return {}  # an earlier try deleted it, and its response was lost
        parsed = parse(self.server, answer)
        if self._version is None:
            self._learn_version(answer)
        return parsed

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | BinaryIO,
        *,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> tuple[Answer, int]:
        """The response and the number of tries; with ``repeat`` there may be more than one.

        Signed unless with ``headers``.
        """
        begun = time.monotonic()
        tries = 0
        while True:
            tries += 1
            patient = repeat and time.monotonic() - begun <= _PATIENCE
            wait = REQUEST.after(tries) if patient else None
            try:
                answer = self._send_once(method, url, body, headers, tries)
            except NoAnswer as error:
                error.where = self.server.url
                # A server that has never been reached may have another address.
                unknown = error.connecting and not self._reached
                if wait is None or not error.transient or unknown:
                    raise
                reason = error.what
            else:
                self._reached = True
                self._heard = answer.headers, datetime.now(timezone.utc)
                if wait is None or answer.status not in TRANSIENT_STATUSES:
                    return answer, tries
                wait = max(wait, patience(answer.headers, most=_LONGEST_WAIT))
                reason = f"HTTP {answer.status}"
            path = split_url(url).path
            logger.info("%s %s: %s; retrying in %.1f s", method, path, reason, wait)
            self._sleep(wait)

    def _send_once(
        self,
        method: str,
        url: str,
        body: bytes | BinaryIO,
        headers: Mapping[str, str] | None,
        number: int,
    ) -> Answer:
        path = split_url(url).path  # a query may hold a secret: it is not logged
        headers = headers or self._signed(method, path, body)
        begun = time.monotonic()
        outcome = "no response"
        try:
            answer = self._transport.send(method, url, body, headers)
            outcome = f"HTTP {answer.status}"
            return answer
        finally:
            milliseconds = (time.monotonic() - begun) * 1000
            logger.debug("%s %s: %s, %.0f ms, try %d", method, path, outcome, milliseconds, number)

    def _signed(self, method: str, path: str, body: bytes | BinaryIO) -> Mapping[str, str]:
        assert isinstance(body, bytes), "files are not signed"
        signature = self._signer.headers(
            method, path, body, api_version=self._spoken, now=datetime.now(timezone.utc)
        )
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Chef-Version": "18.0.0",
            **signature,
        }

    @cached_property
    def _signer(self) -> Signer:
        return Signer.load(self.server.user, self.server.key)

    @property
    def skew(self) -> float:
        """Seconds that this machine's clock is ahead of the server's, by its last answer."""
        return skew(*self._heard)

    @property
    def _spoken(self) -> int:
        return 1 if self._version is None else self._version

    def _learn_version(self, answer: Answer) -> int:
        """Remember which API version to use from now on."""
        try:
            said = json.loads(answer.headers.get("X-Ops-Server-API-Version", "{}"))
            low, high = int(said.get("min_version", 0)), int(said.get("max_version", 1))
        except (ValueError, AttributeError, TypeError):
            low, high = 0, 1
        self._version = max(low, min(high, _PREFERRED_VERSION))
        return self._version
