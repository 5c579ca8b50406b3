"""The way to a server without a proxy between: sockets that stay open, answers by http.client.

A request is written here in one piece: libraries look at each header and URL again for every file,
which takes longer than all that the network does with a small one.
"""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO, cast
from urllib.parse import SplitResult

from stackcook.chef.exchange import Answer, NoAnswer, no_answer

_UNFIT = re.compile(r"[^\x21-\x7e]")
"""What no target of a request, and no name of a host, may have in it."""

_ALWAYS = (("Accept-Encoding", "identity"), ("User-Agent", "stackcook"))


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
        try:
            port = server.port
        except ValueError:
            port = 0
        host = server.hostname or ""
        self._named = server.netloc.rpartition("@")[2]
        if not host or port == 0 or _UNFIT.search(self._named):
            raise NoAnswer("its URL is none", final=True)
        self._tls = tls() if server.scheme == "https" else None
        if self._tls:
            self._tls.check_hostname = self._tls.verify_mode is not ssl.CERT_NONE
        self._address = host, port or (443 if self._tls else 80)
        self._patience = connect, read
        self._idle: list[socket.socket] = []
        self._seats = threading.Semaphore(connections)

    def send(
        self, method: str, path: str, body: bytes | BinaryIO, headers: Mapping[str, str]
    ) -> Answer:
        """As Way says."""
        with self._seats:
            connection = self._take()
            try:
                answer, stays = self._exchange(connection, method, path, body, headers)
            except (OSError, HTTPException) as error:
                connection.close()
                raise no_answer(error) from error
            except BaseException:
                connection.close()
                raise
            if stays:
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """As Way says."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> socket.socket:
        """One that is open still, the last one used; else a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            look = select.poll()
            look.register(connection, select.POLLIN)
            if not look.poll(0):
                return connection
            connection.close()  # there is nothing to be read but its end

    def _connect(self) -> socket.socket:
        connect, read = self._patience
        connection = None
        try:
            connection = socket.create_connection(self._address, connect)
            # What is left of a request goes at once, whatever the server has confirmed.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(read)
        except (OSError, ValueError) as error:  # the latter for a name that can't be one
            if connection:
                connection.close()
            raise no_answer(error, connecting=True) from error
        return connection

    def _exchange(
        self,
        connection: socket.socket,
        method: str,
        path: str,
        body: bytes | BinaryIO,
        headers: Mapping[str, str],
    ) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again."""
        size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._named}", f"Content-Length: {size}"]
        lines += [f"{name}: {value}" for name, value in (*_ALWAYS, *headers.items())]
        head = "\r\n".join((*lines, "", "")).encode()
        if _UNFIT.search(path):
            raise NoAnswer("its URL is none", final=True)
        if head.count(b"\n") > len(lines) + 1:
            raise NoAnswer("a user's name has no line breaks", final=True)
        with suppress(BrokenPipeError):  # it may have said why it takes no more
            if isinstance(body, bytes):
                connection.sendall(head + body)
            else:
                connection.sendall(head)
                if connection.sendfile(body, count=size) < size:
                    raise NoAnswer("the file got shorter", remedy="upload again", final=True)
        response = HTTPResponse(connection, method=method)
        with closing(response):
            response.begin()
            said = cast(Mapping[str, str], response.headers)
            answer = Answer(method, path, response.status, said, response.read())
        return answer, not response.will_close
