"""The Chef server's REST interface: signed JSON requests, and one clear sentence a failure."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from stackcook.chef.rest.answers import (
    Conflict,
    NotFound,
    accepted,
    parse,
    patience,
    skew,
    strange,
    unreachable,
    wants_older_signatures,
)
from stackcook.chef.rest.exchange import Answer, NoAnswer
from stackcook.chef.rest.tls import context
from stackcook.chef.rest.transport import Transport
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from stackcook.meanwhile import Meanwhile

if TYPE_CHECKING:
    from stackcook.chef.rest.signing import Signer

__all__ = ["CONNECTIONS", "ChefClient", "Conflict", "NotFound"]

CONNECTIONS = 8
"""Connections kept open; more threads than this wait for one."""

_CONNECT = 5.0
"""Seconds that connecting may take."""

_STREAMED = 1 << 20
"""Bytes above which a file is never wholly in memory."""

_TRIES = 6
_PATIENCE = 120.0
"""Seconds after which nothing is tried again."""
_WAIT = 0.2
"""Seconds before the second try; doubled for each after it, and shortened at random."""
_LONGEST_WAIT = 30.0

_REPEATABLE = ("GET", "PUT", "DELETE")
_TRANSIENT = (429, 500, 502, 503, 504)
_PREFERRED_VERSION = 2
_NEWEST_PROTOCOL, _OLDER_PROTOCOL = "1.3", "1.1"


class ChefClient:
    """Talks to a Chef server as one user; safe to share between threads.

    The API version is 2 where the server takes it, else the highest that it takes. ``timeout`` is
    how many seconds may pass between two bytes of an answer. The key is read meanwhile: what is
    wrong with it is said at the first request.
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
        self._signer = Meanwhile(partial(_signer, server))
        self._transport = Transport(
            connections=CONNECTIONS,
            connect=_CONNECT,
            read=timeout,
            tls=partial(context, server),
        )
        self._version: int | None = None
        self._protocol = server.protocol
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
        """As :meth:`get`; raises ChefServerError for what is no JSON map, too."""
        answer = self.get(path)
        if not isinstance(answer, dict):
            raise strange(self.server, f"GET {path}")
        return answer

    def put(self, path: str, value: Any) -> Any:
        """Replace the object at ``path``; returns what the server answers."""
        return self._request("PUT", path, value)

    def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
        """Make an object in the collection ``path``. Raises Conflict if it is there.

        With ``repeat`` it is tried again as other requests are: the Conflict may then be with
        what an earlier try made.
        """
        return self._request("POST", path, value, repeat=repeat)

    def delete(self, path: str) -> Any:
        """Take the object at ``path`` away. Raises NotFound."""
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
                        "it has just changed", where=str(path), remedy="upload again"
                    )
            whole = url if "://" in url else urljoin(f"{self._base}/", url)
            answer, _ = self._send("PUT", whole, body, headers=headers)
        accepted(self.server, answer)

    def _request(self, method: str, path: str, value: Any = None, *, repeat: bool = True) -> Any:
        url = f"{self._base}/{path.lstrip('/')}"
        body = b"" if value is None else json.dumps(value).encode()
        send = partial(self._send, method, url, body, repeat=repeat or method in _REPEATABLE)
        spoken = (self._protocol, self._spoken)
        answer, tries = send()
        if wants_older_signatures(answer) and spoken[0] == _NEWEST_PROTOCOL:
            self._protocol = _OLDER_PROTOCOL
            answer, tries = send()
        if answer.status == 406 and self._learn_version(answer) != spoken[1]:
            answer, tries = send()
        if method == "DELETE" and answer.status == 404 and tries > 1:
            return {}  # an earlier try took it away, and its answer got lost
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
        """The answer and the number of tries: again where that may help, if it may be repeated.

        Signed unless with ``headers``.
        """
        begun = time.monotonic()
        for tries in range(1, _TRIES + 1):
            last = not repeat or tries == _TRIES or time.monotonic() - begun > _PATIENCE
            wait = _WAIT * 2 ** (tries - 1) * random.uniform(0.5, 1)  # others retry, too
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                signed = headers or self._signed(method, url, body)
                answer = self._transport.send(method, url, body, signed)
            except NoAnswer as error:
                # Who has never been reached may have another address.
                if last or error.final or (error.connecting and not self._reached):
                    raise unreachable(self.server, error) from error
            else:
                self._reached = True
                self._heard = answer.headers, datetime.now(timezone.utc)
                if last or answer.status not in _TRANSIENT:
                    return answer, tries
                wait = max(wait, patience(answer.headers, most=_LONGEST_WAIT))
            self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _signed(self, method: str, url: str, body: bytes | BinaryIO) -> Mapping[str, str]:
        assert isinstance(body, bytes), "files are not signed"
        signature = self._signer.result().headers(
            method,
            urlsplit(url).path,
            body,
            api_version=self._spoken,
            now=datetime.now(timezone.utc),
            protocol=self._protocol,
        )
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Chef-Version": "18.0.0",
            **signature,
        }

    @property
    def skew(self) -> float:
        """Seconds that this machine's clock is ahead of the server's, by its last answer."""
        return skew(*self._heard)

    @property
    def _spoken(self) -> int:
        return 1 if self._version is None else self._version

    def _learn_version(self, answer: Answer) -> int:
        """Note which version to speak from now on."""
        try:
            said = json.loads(answer.headers.get("X-Ops-Server-API-Version", "{}"))
            low, high = int(said.get("min_version", 0)), int(said.get("max_version", 1))
        except (ValueError, AttributeError, TypeError):
            low, high = 0, 1
        self._version = max(low, min(high, _PREFERRED_VERSION))
        return self._version


def _signer(server: ChefServer) -> Signer:
    # Loading the library, and its checking of the key, take longer than many an upload.
    from stackcook.chef.rest.signing import Signer

    return Signer.load(server.user, server.key)
