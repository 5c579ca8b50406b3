"""The queue's login and the database's greeting, against sockets that play the server."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackcook.certificates import issue, new_authority
from stackcook.verify import backends
from stackcook.verify.backends import Unwell

Play = Callable[[socket.socket], None]


@contextmanager
def server(play: Play) -> Iterator[int]:
    """A port of this machine at which ``play`` talks to the first who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                play(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def method(number: int, arguments: bytes = b"") -> bytes:
    payload = struct.pack(">HH", 10, number) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


class Broker:
    """RabbitMQ's side of the handshake; ``heard`` is all that the client said."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.heard = b""
        self._refuse = refuse

    def __call__(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        self.heard += stream.read(8)
        connection.sendall(method(10, b"\x00\x09" + bytes(4) + b"\0\0\0\5PLAIN\0\0\0\5en_US"))
        self._frame(stream)
        if self._refuse:
            text = b"ACCESS_REFUSED - Login was refused"
            connection.sendall(method(50, b"\x01\x93" + bytes([len(text)]) + text + bytes(4)))
            return
        connection.sendall(method(30, struct.pack(">HIH", 2047, 131072, 60)))
        self._frame(stream)
        self._frame(stream)
        connection.sendall(method(41, b"\x00"))
        self._frame(stream)
        connection.sendall(method(51))

    def _frame(self, stream: socket.SocketIO) -> None:
        head = stream.read(7)
        self.heard += head + stream.read(int.from_bytes(head[3:], "big") + 1)


def test_the_queue_lets_the_services_user_in() -> None:
    broker = Broker()
    with server(broker) as port:
        backends.queue_login("127.0.0.1", port, "queue-pass", "openstack")
    assert broker.heard.startswith(b"AMQP\x00\x00\x09\x01")
    assert b"\0openstack\0queue-pass" in broker.heard
    assert b"\x00\x0a\x00\x28\x09openstack\0" in broker.heard  # the virtual host


def test_a_refused_password_is_told_without_it() -> None:
    with server(Broker(refuse=True)) as port, pytest.raises(Unwell) as caught:
        backends.queue_login("127.0.0.1", port, "queue-pass", "openstack")
    assert "rejects user openstack: ACCESS_REFUSED" in str(caught.value)
    assert "queue-pass" not in str(caught.value)


def test_something_else_than_a_queue_is_recognized() -> None:
    with server(lambda c: c.sendall(b"HTTP/1.1 400 Bad\r\n")) as port:
        with pytest.raises(Unwell, match="the AMQP login at .* failed"):
            backends.queue_login("127.0.0.1", port, "x", "/")


def greet(payload: bytes) -> Play:
    return lambda c: c.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)


def test_the_database_greets_with_its_version() -> None:
    with server(greet(b"\x0a11.8.3-MariaDB\0rest")) as port:
        assert backends.database_version("127.0.0.1", port) == "11.8.3-MariaDB"


def test_a_database_that_is_not_for_this_machine_is_up() -> None:
    with server(greet(b"\xff\x6a\x04Host '10.0.116.1' is not allowed")) as port:
        assert backends.database_version("127.0.0.1", port) == ""


def test_a_full_database_is_a_failure() -> None:
    with server(greet(b"\xff\x10\x04Too many connections")) as port:
        with pytest.raises(Unwell, match="Too many connections"):
            backends.database_version("127.0.0.1", port)


@pytest.mark.parametrize(
    "ask", [backends.database_version, lambda a, p: backends.queue_login(a, p, "x", "/")]
)
def test_a_closed_port_says_that_nothing_listens(ask: Callable[[str, int], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unwell, match="connection refused: is the service running"):
        ask("127.0.0.1", port)


def test_as_a_program_it_prints_why_and_not_the_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("queue-pass"))
    with server(Broker(refuse=True)) as port:
        assert backends.main("queue", "127.0.0.1", str(port)) == 1
    said = capsys.readouterr().out
    assert "rejects user openstack" in said and "queue-pass" not in said


def test_as_a_program_it_says_nothing_if_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    with server(greet(b"\x0a11.8.3-MariaDB\0rest")) as port:
        assert backends.main("database", "127.0.0.1", str(port)) == 0
    assert capsys.readouterr().out == ""


def web(answer: bytes) -> Play:
    def play(connection: socket.socket) -> None:
        assert connection.recv(1000).startswith(b"GET /healthcheck HTTP/1.1\r\n")
        connection.sendall(answer)

    return play


def test_a_web_server_s_body_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with server(web(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")) as port:
        assert backends.main("http", "127.0.0.1", str(port), "/healthcheck") == 0
    assert capsys.readouterr().out == "OK\n"


def test_an_api_is_asked_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def play(connection: socket.socket) -> None:
        heard.append(connection.recv(1000))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setattr("sys.stdin", io.StringIO("gAAAA-t0ken"))
    with server(play) as port:
        assert backends.main("http", "127.0.0.1", str(port), "/v3/projects") == 0
    assert b"\r\nX-Auth-Token: gAAAA-t0ken\r\n" in heard[0]


def with_certificate(directory: Path, *, ours: bool) -> ssl.SSLContext:
    """A server's TLS; the file ``ca`` has the CA that has signed it, or another one."""
    now = time.time()
    authority, other = new_authority("CA", now), new_authority("another", now)
    pair = issue(authority, ["127.0.0.1"], now)
    for name, text in (
        ("cert", pair.certificate),
        ("key", pair.key),
        ("ca", (authority if ours else other).certificate),
    ):
        (directory / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert", directory / "key")
    return context


def test_the_queue_lets_the_user_in_over_tls(tmp_path: Path) -> None:
    context, broker = with_certificate(tmp_path, ours=True), Broker()
    with server(lambda c: broker(context.wrap_socket(c, server_side=True))) as port:
        backends.queue_login("127.0.0.1", port, "queue-pass", "/", str(tmp_path / "ca"))
    assert b"\0openstack\0queue-pass" in broker.heard


@pytest.mark.parametrize("ours", [True, False])
def test_over_tls_the_certificate_has_to_be_of_the_ca(tmp_path: Path, ours: bool) -> None:
    context = with_certificate(tmp_path, ours=ours)

    def play(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError):
            secure = context.wrap_socket(connection, server_side=True)
            assert secure.recv(1000).startswith(b"GET / HTTP/1.1")
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
            secure.close()

    with server(play) as port:
        if ours:
            assert backends.http_get("127.0.0.1", port, "/", ca=str(tmp_path / "ca")) == "OK"
            return
        with pytest.raises(Unwell, match="its certificate is rejected: unable to get local issuer"):
            backends.http_get("127.0.0.1", port, "/", ca=str(tmp_path / "ca"))


@pytest.mark.parametrize(
    "answer, why",
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "/healthcheck returned 503 Busy$"),
        (
            b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 11\r\n\r\nnot synced\n",
            "/healthcheck returned 503 Busy: not synced$",
        ),
        (b"220 mail.example.com\r\n", "does not respond as a web server does"),
    ],
)
def test_a_web_server_that_is_not_well(answer: bytes, why: str) -> None:
    with server(web(answer)) as port, pytest.raises(Unwell, match=why):
        backends.http_get("127.0.0.1", port, "/healthcheck")
