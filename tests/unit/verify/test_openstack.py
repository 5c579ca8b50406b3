"""What went wrong with a request, in words; against sockets of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from stackcook.errors import VerifyError
from stackcook.verify import horizon, openstack


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_closed_port_says_that_nothing_listens(listener: socket.socket) -> None:
    where = url(listener)
    listener.close()
    with pytest.raises(VerifyError, match="connection refused: is the service running"):
        openstack.request("GET", where)


def test_silence_is_told_with_its_length(listener: socket.socket) -> None:
    with pytest.raises(VerifyError, match="no response within 0.05 s"):
        openstack.request("GET", url(listener), timeout=0.05)


def test_hanging_up_is_told(listener: socket.socket) -> None:
    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(VerifyError, match="it closed the connection"):
        openstack.request("GET", url(listener))
    thread.join()


def test_no_route_is_told() -> None:
    error = requests.ConnectionError("[Errno 113] No route to host")
    assert openstack.cause_of(error, 8) == "no route to host: is the machine up?"


def test_proxies_of_the_user_are_passed_by(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", url(listener))
    with pytest.raises(VerifyError, match="refused"):
        openstack.request("GET", "http://127.0.0.1:1/")


def test_a_password_is_in_no_failure(listener: socket.socket) -> None:
    where = url(listener)
    listener.close()
    for ask in (
        lambda: openstack.sign_in(f"{where}/v3", "s3cret", "stackcook"),
        lambda: horizon.sign_in(where, "s3cret"),
    ):
        with pytest.raises(VerifyError) as caught:
            ask()
        assert "s3cret" not in repr(caught.value.__cause__) + str(caught.value)
