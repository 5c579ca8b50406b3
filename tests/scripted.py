"""An HTTP server on this machine that answers what a test tells it to, and how badly."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Fault(Enum):
    """What becomes of an answer on its way."""

    NONE = "none"
    CLOSED = "the connection closes instead"
    HALF = "only half of the body comes"
    SILENT = "nothing comes, and the connection stays open"


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    fault: Fault


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class Scripted:
    """The replies to each method and path, in turn; the last one is repeated."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=lambda: defaultdict(list))
    over: threading.Event = field(default_factory=threading.Event)

    def add(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        fault: Fault = Fault.NONE,
    ) -> None:
        """Reply so: with ``value`` as JSON, or with ``body`` and no content type."""
        kind = {"Content-Type": "application/json"} if body is None else {}
        sent = json.dumps(value).encode() if body is None else body
        reply = Reply(status, {**kind, **(headers or {})}, sent, fault)
        self.replies[method, path].append(reply)

    def take(self, received: Received) -> Reply:
        """The next reply to the request; HTTP 404 where there is none."""
        self.received.append(received)
        wanted = self.replies.get((received.method, received.path))
        if not wanted:
            return Reply(404, {}, b'{"error": ["not in the script"]}', Fault.NONE)
        return wanted.pop(0) if len(wanted) > 1 else wanted[0]


@contextmanager
def scripted(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Scripted]:
    """A running server, on a port of its own."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = script.take(Received(self.command, self.path, self.headers, body))
            self.close_connection = reply.fault is not Fault.NONE
            if reply.fault is Fault.SILENT:
                script.over.wait(30)
            if reply.fault in (Fault.SILENT, Fault.CLOSED):
                return
            self.send_response_only(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            half = len(reply.body) // 2 if reply.fault is Fault.HALF else None
            self.wfile.write(reply.body[:half])

        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no fault here."""

    with Server((host, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        shown = f"[{host}]" if ":" in host else host
        script.url = f"http{'s' if tls else ''}://{shown}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            script.over.set()
            server.shutdown()
            thread.join()
