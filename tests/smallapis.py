"""OpenStack's APIs on ports of this machine: they list, create and delete, or fail as told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.probe.client import Target

FORM = '<input type="hidden" name="csrfmiddlewaretoken" value="cs4f">'
SWIFT = "/v1/AUTH_admin"
PATHS = {"identity": "/v3", "compute": "/v2.1", "object-store": SWIFT}
TYPES = (
    *("identity", "compute", "network", "image", "placement"),
    *("block-storage", "orchestration", "object-store", "dashboard"),
)


@dataclass
class SmallApi:
    """One API. ``fault``: ``silent`` (nothing comes), an HTTP status, or empty.

    ``things`` are what exists, by path. ``only`` limits the fault to a method. ``tokens`` are those
    that it accepts, ``refused`` the paths that it does not delete. Keystone's tokens are valid for
    ``hours``.
    """

    type: str
    tokens: set[str]
    fault: str = ""
    only: str = ""
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    received: list[str] = field(default_factory=list)
    hours: int = 1
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """As the catalog has it."""
        return f"http://127.0.0.1:{self.port}{PATHS.get(self.type, '')}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer meanwhile; before and after, connections are refused."""
        with _server(self) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield
            finally:
                self.over.set()
                server.shutdown()
                thread.join()

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        """The status, and what is sent: bytes, JSON or nothing."""
        self.received.append(f"{method} {path.partition('?')[0]}")
        if self.fault and self.only in ("", method):
            if self.fault == "silent":
                self.over.wait(30)
                return 500, None
            return int(self.fault), {"error": {"message": "out of order"}}
        if path == "/v3/auth/tokens":
            times = {
                "issued_at": "2025-01-01T08:00:00.000000Z",  # by a clock that is wrong
                "expires_at": f"2025-01-01T{8 + self.hours:02}:00:00.000000Z",
            }
            return 201, {"token": {"catalog": [], "user": {"id": "u-admin"}, **times}}
        if self.type == "dashboard":
            return 200, FORM.encode()
        if token not in self.tokens:
            return 401, {"error": {"message": "not authorized"}}
        if self.type == "object-store":
            return self._swift(method, path.removeprefix(SWIFT))
        path = re.sub("^/v[0-9.]+", "", path)
        if method == "PUT":
            self.things[path] = {"name": path.rpartition("/")[2]}
            return 201, None
        if method == "DELETE" and path in self.refused:
            return 400, {"message": "status transition from deleted to deleted is not allowed"}
        if method == "DELETE":
            return (204, None) if self.things.pop(path, None) else (404, {"message": "gone"})
        return self._posted(path, json.loads(body)) if method == "POST" else self._listed(path)

    def add(self, path: str, **thing: str) -> None:
        """Something that exists already, at ``/servers/1``."""
        self.things[path] = {"id": path.rpartition("/")[2], **thing}

    def _posted(self, path: str, sent: dict[str, Any]) -> tuple[int, Any]:
        ((key, thing),) = sent.items() if len(sent) == 1 else [("", sent)]
        key = "software_config" if self.type == "orchestration" else key
        id = str(len(self.received))
        assert thing.get("user_id", "u-admin") == "u-admin"
        self.things[f"{path}/{id}"] = made = {**thing, "id": id}
        return 201, {key: made} if key else made

    def _listed(self, path: str) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        key, _, value = query.partition("=")
        if self.type == "placement":
            return 200, {"traits": [thing["name"] for thing in self.things.values()]}
        found = [thing for thing in self.things.values() if not key or thing[key] == value]
        key = path.removeprefix("/os-").strip("/").replace("-", "_")
        return 200, {key: found}

    def _swift(self, method: str, path: str) -> tuple[int, Any]:
        if method == "PUT":
            new = path not in self.things
            self.things[path] = {}
            return (201, None) if new else (202, b"<html><h1>Accepted</h1></html>")
        if path not in self.things:
            return 404, None
        below = [each for each in self.things if each.startswith(f"{path}/")]
        if method == "DELETE":
            if below:
                return 409, None
            del self.things[path]
            return 204, None
        return 200, "\n".join(each.rpartition("/")[2] for each in below).encode()


def _server(api: SmallApi) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("X-Auth-Token", "")
            status, found = api.answer(self.command, self.path, token, body)
            sent = found if isinstance(found, bytes) else json.dumps(found).encode()
            sent = b"" if found is None else sent
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Connection", "close")
            if self.path == "/v3/auth/tokens":
                self.send_header("X-Subject-Token", sorted(api.tokens)[-1])
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no fault here."""

    return Server(("127.0.0.1", api.port), Handler)


class SmallCloud(dict[str, SmallApi]):
    """APIs by type; ``tokens`` are valid, the last one is what Keystone gives next."""

    def __init__(self, types: Iterable[str] = TYPES) -> None:
        self.tokens = {"t0ken-1"}
        super().__init__({type_: SmallApi(type_, self.tokens) for type_ in types})

    @contextmanager
    def listening(self) -> Iterator[SmallCloud]:
        """All of them answer meanwhile."""
        with ExitStack() as stack:
            for api in self.values():
                stack.enter_context(api.listening())
            yield self

    def target(self, name: str = "stackcook") -> Target:
        """What probes need."""
        dashboard = self["dashboard"].url if "dashboard" in self else ""
        return Target(name, self.client(), "adm1n-pass", dashboard)

    def client(self) -> Cloud:
        """What a login gives."""
        catalog = [
            Endpoint(api.type, interface, api.url)
            for api in self.values()
            if api.type != "dashboard"
            for interface in ("admin", "internal", "public")
        ]
        return Cloud(sorted(self.tokens)[-1], tuple(catalog), user="u-admin")

    def left(self) -> dict[str, list[str]]:
        """What exists, by type."""
        return {type_: sorted(api.things) for type_, api in self.items() if api.things}
