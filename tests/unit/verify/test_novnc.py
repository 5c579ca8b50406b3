"""Consoles over a WebSocket, against a server of this machine that answers as Nova's proxy does."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from stackcook.errors import VerifyError
from stackcook.verify.instance import novnc

GREETING = b"RFB 003.008\n"


def frame(payload: bytes, opcode: int = 2) -> bytes:
    return bytes((0x80 | opcode, len(payload))) + payload


def upgraded(request: bytes, then: bytes) -> bytes:
    found = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
    assert found
    accepted = novnc.accepted(found.group(1).decode())
    head = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    return head.encode() + then


class Proxy:
    """Answers one request with what ``answer`` makes of it; ``asked`` is the request."""

    def __init__(self, listener: socket.socket) -> None:
        self.answer: Callable[[bytes], bytes] = lambda request: b""
        self.asked = b""
        self._listener = listener
        self.at = f"127.0.0.1:{listener.getsockname()[1]}"

    def connect(self) -> None:
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            novnc.connect(f"http://{self.at}/vnc_lite.html?path=%3Ftoken%3Ds3cret", timeout=5)
        finally:
            thread.join()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while b"\r\n\r\n" not in self.asked:
                self.asked += connection.recv(4096)
            connection.sendall(self.answer(self.asked))


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Proxy(listener)


def test_a_console_opens_as_in_a_browser(proxy: Proxy) -> None:
    proxy.answer = lambda request: upgraded(request, frame(GREETING))
    proxy.connect()
    lines = proxy.asked.decode().split("\r\n")
    assert lines[0] == "GET /?token=s3cret HTTP/1.1"
    assert {f"Host: {proxy.at}", f"Origin: http://{proxy.at}", "Upgrade: websocket"} <= {*lines}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda _: b"HTTP/1.1 403 Forbidden\r\n\r\n", "returned 403 Forbidden, not 101"),
        (lambda _: b"", "returned nothing, not 101"),
        (lambda _: b"HTTP/1.1 101 Hello\r\n\r\n", "responds, but not as a WebSocket"),
        (lambda request: upgraded(request, b""), "closed the connection before"),
        (lambda request: upgraded(request, frame(b"SSH-2.0")), "not with VNC's protocol"),
        (
            lambda request: upgraded(request, frame(b"\x03\xf3Failed to connect", 8)),
            "does not reach the instance's VNC server: Failed to connect",
        ),
    ],
)
def test_a_failure_says_what_happened_instead(
    proxy: Proxy, answer: Callable[[bytes], bytes], cause: str
) -> None:
    proxy.answer = answer
    with pytest.raises(VerifyError) as caught:
        proxy.connect()
    assert caught.value.what.startswith(f"the WebSocket of http://{proxy.at}/vnc_lite.html ")
    assert cause in caught.value.what
    assert "s3cret" not in caught.value.what


def test_a_closed_port_says_that_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(VerifyError, match="connection refused: is the service running"):
        novnc.connect(f"http://{at}/vnc_lite.html")
