"""Connections: kept open, lost, to IPv6 addresses, through the user's proxy."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackcook.chef.rest.client import ChefClient
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from tests.contract.servers import free_port
from tests.scripted import Scripted, scripted

KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[socket.socket, int], None]
"""What a server does with a connection; the number counts connections from 1."""


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[ChefClient, list[int]]]:
    """A client of a server that does so, and the numbers of its connections so far."""
    connections: list[int] = []

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(len(connections) + 1)
            with connection:
                serve(connection, len(connections))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with ChefClient(ChefServer(url, "alice", KEY), sleep=lambda _: None) as client:
                yield client, connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def head(connection: socket.socket) -> bytes:
    """The next request's head, and what came of its body with it; nothing at the end."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(1 << 16)):
            return b""
        received += more
    return received


def request(connection: socket.socket) -> bytes:
    """The next request; nothing at the end."""
    received = head(connection)
    while received and len(received.partition(b"\r\n\r\n")[2]) < _length(received):
        received += connection.recv(1 << 16)
    return received


def _length(received: bytes) -> int:
    found = re.search(rb"\r\nContent-Length: (\d+)", received)
    return int(found[1]) if found else 0


def test_one_connection_for_all_requests() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        while request(connection):
            connection.sendall(ANSWER)

    with serving(serve) as (client, connections):
        assert [client.get("/nodes") for _ in range(5)] == [{}] * 5
    assert connections == [1]


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """Else a request that may not be repeated would fail."""
    closed = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(ANSWER)
        connection.close()
        closed.set()

    with serving(serve) as (client, connections):
        for _ in range(3):
            closed.clear()
            assert client.post("/roles", {}) == {}
            assert closed.wait(10)
    assert connections == [1, 2, 3]


def test_responses_of_every_form() -> None:
    forms = [
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}',
        b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}',
    ]

    def serve(connection: socket.socket, number: int) -> None:
        while forms and request(connection):
            connection.sendall(forms.pop(0))

    with serving(serve) as (client, connections):
        assert [client.get("/nodes") for _ in range(3)] == [{"a": 1}] * 3
    assert connections == [1]


def test_chunks_without_an_end_are_an_error() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")

    with serving(serve) as (client, _):
        with pytest.raises(ChefServerError, match="closed before the response was complete"):
            client.post("/roles", {})


def test_a_server_that_refuses_a_big_file_is_understood(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1 << 25))

    def serve(connection: socket.socket, number: int) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass

    with serving(serve) as (client, _):
        with pytest.raises(ChefServerError, match="too large for the Chef server"):
            client.send_file("/store/x", tmp_path / "big", "0" * 32)


@pytest.mark.parametrize(
    "url",
    ["http://", "http://:80", "http://chef:what/", "http://a b/", "http://[::1/", "http://a..b/"],
)
def test_an_invalid_url(url: str) -> None:
    with ChefClient(ChefServer(url, "alice", KEY)) as client:
        with pytest.raises(ChefServerError, match="this is not a valid URL"):
            client.get("/nodes")


def test_a_user_name_cannot_add_headers() -> None:
    with serving(lambda connection, number: None) as (client, _):
        client = ChefClient(ChefServer(client.server.url, "alice\r\nX-Other: 1", KEY))
        with pytest.raises(ChefServerError, match="user's name contains characters"):
            client.get("/nodes")


def test_an_ipv6_address() -> None:
    with scripted(host="::1") as script:
        script.add("GET", "/nodes", {"one": "url"})
        with ChefClient(ChefServer(script.url, "alice", KEY)) as client:
            assert client.get("/nodes") == {"one": "url"}
        assert script.received[0].headers["Host"] == script.url.removeprefix("http://")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A proxy for HTTP that the user's environment names."""
    with scripted() as script:
        monkeypatch.setenv("http_proxy", script.url.replace("//", "//me:p%40ss@"))
        monkeypatch.delenv("no_proxy", raising=False)
        yield script


def test_the_proxy_of_the_environment_is_used(proxy: Scripted) -> None:
    proxy.add("GET", "http://chef.example.com/nodes", {"one": "url"})
    with ChefClient(ChefServer("http://chef.example.com", "alice", KEY)) as client:
        assert client.get("/nodes") == {"one": "url"}
    assert proxy.received[0].headers["Proxy-Authorization"] == "Basic bWU6cEBzcw=="


def test_the_proxy_of_knife_is_used_for_all_addresses(
    proxy: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("http_proxy")
    address = proxy.url.removeprefix("http://")
    given = {"http_proxy": address, "http_proxy_user": "me", "http_proxy_pass": "p@ss:w"}
    for host in ("chef.example.com", "10.255.1.2"):
        proxy.add("GET", f"http://{host}/nodes", {"one": "url"})
        with ChefClient(ChefServer(f"http://{host}", "alice", KEY, proxies=given)) as client:
            assert client.get("/nodes") == {"one": "url"}
    assert proxy.received[-1].headers["Proxy-Authorization"] == "Basic bWU6cEBzczp3"


@pytest.mark.parametrize("url", ["http://a b", "proxy:port", "socks5://proxy", "http://"])
def test_an_invalid_proxy_is_reported(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url)
    with ChefClient(ChefServer("http://chef.example.com", "alice", KEY)) as client:
        with pytest.raises(ChefServerError, match="proxy's URL is not valid; write http_proxy as"):
            client.get("/nodes")


def test_a_private_address_needs_no_proxy(proxy: Scripted) -> None:
    assert_direct(f"http://127.0.0.1:{free_port()}", proxy)


def test_no_proxy_names_hosts_without_a_proxy(
    proxy: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in ("example.com,localhost", "*host", "a, *.example.com ,ost"):
        monkeypatch.setenv("no_proxy", names)
        assert_direct(f"http://localhost:{free_port()}", proxy)


def assert_direct(url: str, proxy: Scripted) -> None:
    """Nothing listens there, which only a direct connection finds out."""
    with ChefClient(ChefServer(url, "alice", KEY)) as client:
        with pytest.raises(ChefServerError, match="cannot connect .*connection refused"):
            client.get("/nodes")
    assert not proxy.received


def test_a_proxy_that_does_not_run_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    with ChefClient(ChefServer("http://chef.example.com", "alice", KEY)) as client:
        with pytest.raises(ChefServerError, match=r"the proxy cannot connect .*refused.*_proxy"):
            client.get("/nodes")


def test_a_file_that_becomes_shorter_is_not_sent(tmp_path: Path) -> None:
    """Else both sides would wait: the server for the rest, the client for a response."""
    file = tmp_path / "big"
    file.write_bytes(bytes(1 << 25))

    def serve(connection: socket.socket, number: int) -> None:
        head(connection)
        os.truncate(file, 1 << 20)
        while connection.recv(1 << 20):
            pass

    with serving(serve) as (client, _):
        with pytest.raises(ChefServerError, match="big: the file became shorter during the upload"):
            client.send_file("/store/x", file, "0" * 32)
