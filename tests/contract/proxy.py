"""A proxy in front of a Chef server that counts requests and does to them what networks do.

What becomes of a request is a judge's to say. :class:`Faults` decides by a seed, by what is asked
for and how often it was asked before; so threads that come in another order get the same faults.
"""

from __future__ import annotations

import os
import random
import re
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from stackcook.manifest.model import ChefServer


class Fault(Enum):
    """What may happen to a request."""

    DROP = "the connection closes before the server hears of it"
    RESET = "the same, with a reset"
    LOST = "the server carries it out, the answer is lost"
    HALF = "the answer ends half way"
    STALL = "the answer is held back until the client gives up"
    ERROR = "500 instead of passing it on"
    BAD_GATEWAY = "502 after the server has carried it out"


@dataclass(frozen=True)
class Reply:
    """An answer of the proxy's own; the server hears nothing."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A request that came: the how manieth of all, and of those for the same thing (from 1)."""

    method: str
    path: str
    number: int
    nth: int

    @property
    def thing(self) -> str:
        """Method and path; each sandbox has another number, and is the same thing."""
        return _thing(self.method, self.path)


Judge = Callable[[Request], Fault | Reply | None]
"""What is done to a request; ``None`` passes it on. Called before its body is read."""


@dataclass(frozen=True)
class Faults:
    """A judge by seed: a fault of ``kinds`` happens to ``share`` of the requests."""

    seed: int
    kinds: tuple[Fault, ...] = tuple(Fault)
    share: float = 0.1

    def __call__(self, request: Request) -> Fault | None:
        dice = random.Random(f"{self.seed} {request.thing} {request.nth}")
        return dice.choice(self.kinds) if dice.random() < self.share else None


class Proxy:
    """Listens on a port of 127.0.0.1 and passes on to ``upstream`` what the judge lets through."""

    def __init__(self, upstream: str, judge: Judge = lambda request: None) -> None:
        self.judge = judge
        self.stall = 60.0
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self.upstream = urlsplit(upstream).netloc
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._listener.daemon_threads = False  # so that closing waits for those that answer
        self.address = f"127.0.0.1:{self._listener.server_port}"
        self.url = upstream.replace(self.upstream, self.address)

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._listener.shutdown()
        self._listener.server_close()

    def before(self, server: ChefServer) -> ChefServer:
        """The server as it is reached through here."""
        return replace(server, url=self.url)

    def take(self, method: str, path: str) -> Request:
        """Count a request."""
        with self._lock:
            thing = _thing(method, path)
            self._counts[thing] += 1
            request = Request(method, path, len(self.requests) + 1, self._counts[thing])
            self.requests.append(request)
        return request


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def handle(self) -> None:
        """As the base class, but a client that was killed is no news."""
        with suppress(OSError):
            super().handle()

    def _handle(self) -> None:
        fate = self.proxy.judge(self.proxy.take(self.command, self.path))
        wanted = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(wanted)
        self.close_connection = fate is not None or len(body) < wanted
        try:
            if isinstance(fate, Reply):
                self._answer(fate.status, fate.headers, fate.body)
            elif fate in (Fault.DROP, Fault.RESET):
                self._hang_up(reset=fate is Fault.RESET)
            elif fate is Fault.ERROR:
                self._answer(500, {}, b'{"error": ["fault"]}')
            else:
                self._pass_on(fate, body, wanted)
        except OSError:
            self.close_connection = True  # the client has gone, or died half way

    do_GET = do_PUT = do_POST = do_DELETE = _handle

    def _pass_on(self, fate: Fault | None, body: bytes, wanted: int) -> None:
        status, headers, answer = self._ask(body, wanted)
        if fate is Fault.LOST:
            self._hang_up()
        elif fate is Fault.BAD_GATEWAY:
            self._answer(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")
        elif fate is Fault.HALF:
            self._answer(status, headers, answer, cut=True)
        else:
            if fate is Fault.STALL:
                self._wait()
            self._answer(status, headers, answer)

    def _ask(self, body: bytes, wanted: int) -> tuple[int, dict[str, str], bytes]:
        """The server's answer, in which its own address is the proxy's."""
        server = HTTPConnection(self.proxy.upstream, timeout=60)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("host", "connection", "accept-encoding"):
                    server.putheader(name, value)
            server.putheader("Host", self.proxy.upstream)
            server.endheaders(body or None)
            if len(body) < wanted:
                raise ConnectionAbortedError("the client died half way, so does the request")
            response: HTTPResponse = server.getresponse()
            answer = response.read()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("connection", "content-length", "transfer-encoding")
            }
        finally:
            server.close()
        ours, theirs = self.proxy.address.encode(), self.proxy.upstream.encode()
        return response.status, headers, answer.replace(theirs, ours)

    def _answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def _hang_up(self, *, reset: bool = False) -> None:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())  # what a mere close() would leave to the files of it

    def _wait(self) -> None:
        """Until the client has gone, or the time of a stall is over."""
        for _ in range(int(self.proxy.stall / 0.05)):
            there, _, _ = select.select([self.connection], [], [], 0.05)
            if there or self.proxy.stopped.is_set():
                return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _thing(method: str, path: str) -> str:
    return f"{method} {re.sub('/sandboxes/[^/]+', '/sandboxes/N', path)}"
