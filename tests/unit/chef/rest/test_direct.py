"""Connections that stay open, and what servers do to them."""

from __future__ import annotations

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

KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[socket.socket, int], None]
"""What a server does with a connection, which is its how manieth (from 1)."""


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[ChefClient, list[int]]]:
    """A client of a server that does so, and the numbers of the connections that there were."""
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


def test_one_that_was_closed_meanwhile_is_made_anew() -> None:
    """Else what may not be repeated would fail for nothing."""
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


def test_answers_of_every_form() -> None:
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


def test_chunks_without_an_end_are_no_answer() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")

    with serving(serve) as (client, _):
        with pytest.raises(ChefServerError, match="broke off before the answer was whole"):
            client.post("/roles", {})


def test_who_takes_no_more_of_a_file_may_say_why(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1 << 25))

    def serve(connection: socket.socket, number: int) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass

    with serving(serve) as (client, _):
        with pytest.raises(ChefServerError, match="too big for the Chef server"):
            client.send_file("/store/x", tmp_path / "big", "0" * 32)


@pytest.mark.parametrize("url", ["http://", "http://:80", "http://chef:what/", "http://a b/"])
def test_a_url_that_leads_nowhere(url: str) -> None:
    with ChefClient(ChefServer(url, "alice", KEY)) as client:
        with pytest.raises(ChefServerError, match="its URL is none"):
            client.get("/nodes")


def test_nothing_is_put_into_the_headers() -> None:
    with serving(lambda connection, number: None) as (client, _):
        client = ChefClient(ChefServer(client.server.url, "alice\r\nX-Other: 1", KEY))
        with pytest.raises(ChefServerError, match="a user's name has no line breaks"):
            client.get("/nodes")
