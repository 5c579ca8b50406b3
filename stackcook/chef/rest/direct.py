"""The way to a server without a proxy between, by http.client.

urllib3 takes twice as long for a small file, and three times as long to load.
"""

from __future__ import annotations

import os
import select
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection, InvalidURL
from typing import BinaryIO, cast
from urllib.parse import SplitResult

from stackcook.chef.rest.exchange import Answer, NoAnswer, no_answer

_BLOCK = 1 << 16
"""Bytes of a file that are in memory while it is sent."""

_ALWAYS = {"User-Agent": "stackcook"}


class Direct:
    """At most ``connections`` to one server; ``connect`` and ``read`` are as Transport's.

    ``tls`` gives the settings for https. Raises NoAnswer for a URL that leads nowhere.
    """

    def __init__(
        self,
        server: SplitResult,
        *,
        connections: int,
        connect: float,
        read: float,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._server = server
        self._patience = connect, read
        self._tls = tls() if server.scheme == "https" else None
        if self._tls:
            self._tls.check_hostname = self._tls.verify_mode is not ssl.CERT_NONE
        self._idle: list[HTTPConnection] = []
        self._seats = threading.Semaphore(connections)

    def send(
        self, method: str, path: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """As Way says."""
        with self._seats:
            connection = self._take()
            try:
                answer = _exchange(connection, method, path, body, {**_ALWAYS, **headers})
            except (InvalidURL, ValueError) as error:
                connection.close()
                raise _unfit(error) from error
            except (OSError, HTTPException) as error:
                connection.close()
                raise no_answer(error) from error
            except BaseException:
                connection.close()
                raise
            if connection.sock:  # else the server wants another one for what comes next
                self._idle.append(connection)
        return answer

    def close(self) -> None:
        """As Way says."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> HTTPConnection:
        """One that is open still, the last one used; else a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            look = select.poll()
            look.register(connection.sock, select.POLLIN)
            if not look.poll(0):
                return connection
            connection.close()  # there is nothing to be read but its end

    def _connect(self) -> HTTPConnection:
        connect, read = self._patience
        try:
            connection = self._make(self._server.hostname or "", self._server.port, connect)
        except (InvalidURL, ValueError) as error:
            raise _unfit(error) from error
        try:
            connection.connect()
        except (OSError, ValueError) as error:  # the latter for a name that can't be one
            connection.close()
            raise no_answer(error, connecting=True) from error
        connection.sock.settimeout(read)
        return connection

    def _make(self, host: str, port: int | None, patience: float) -> HTTPConnection:
        if not host or port == 0:
            raise ValueError("no host, or no port")
        if self._tls:
            return HTTPSConnection(
                host, port, timeout=patience, blocksize=_BLOCK, context=self._tls
            )
        return HTTPConnection(host, port, timeout=patience, blocksize=_BLOCK)


def _exchange(
    connection: HTTPConnection,
    method: str,
    path: str,
    body: bytes | BinaryIO,
    headers: dict[str, str],
) -> Answer:
    size = 0
    if not isinstance(body, bytes):
        size = os.fstat(body.fileno()).st_size
        headers["Content-Length"] = str(size)  # else it would come in chunks, which servers refuse
    with suppress(BrokenPipeError):  # the server may have said why it takes no more
        connection.request(method, path, body, headers)
        if not isinstance(body, bytes) and body.tell() < size:
            raise NoAnswer("the file got shorter", remedy="upload again", final=True)
    with connection.getresponse() as response:
        said = cast(Mapping[str, str], response.headers)
        return Answer(method, path, response.status, said, response.read())


def _unfit(error: Exception) -> NoAnswer:
    """What no request may have: the one in a header is there by the user's name only."""
    if isinstance(error, ValueError) and "header" in str(error):
        return NoAnswer("a user's name has no line breaks", final=True)
    return NoAnswer("its URL is none", final=True)
