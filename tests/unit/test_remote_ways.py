"""Other ways to a node than by its own address and a key: through a gateway, by a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.remote.base import Host
from stackcook.remote.ssh import connect
from tests.unit.test_remote import Session

PASSWORD = Secret("only here")


class Gate(Session):
    """Takes a password, too, and carries connections on."""

    def __init__(self, allowed: paramiko.PKey) -> None:
        super().__init__(allowed)
        self.forwards: list[tuple[str, int]] = []

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = password == PASSWORD.reveal()
        return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.forwards.append(destination)
        return int(paramiko.OPEN_SUCCEEDED)


@dataclass
class Server:
    """An SSH server at a port of 127.0.0.1."""

    host: Host
    listener: socket.socket

    def serve(self) -> None:
        allowed = paramiko.RSAKey.from_private_key_file(str(self.host.keys[0]))
        key = paramiko.ECDSAKey.generate()
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport, session = paramiko.Transport(client), Gate(allowed)
            transport.daemon = True
            transport.add_server_key(key)
            transport.start_server(server=session, event=threading.Event())
            threading.Thread(target=forward, args=(transport, session), daemon=True).start()


def forward(transport: paramiko.Transport, session: Gate) -> None:
    """Carry what comes by a forwarded channel to where it is to go, and back."""
    while transport.is_active():
        channel = transport.accept(5)
        if channel and session.forwards:
            there = socket.create_connection(session.forwards.pop())
            for ends in ((channel, there), (there, channel)):
                threading.Thread(target=carry, args=ends, daemon=True).start()


def carry(source: Any, target: Any) -> None:
    """One direction of it, until either end is closed."""
    with suppress(OSError):  # the other direction may just have closed it
        while data := source.recv(65536):
            target.sendall(data)
    target.close()


@contextmanager
def served(key: Path) -> Iterator[Host]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Host("one", "127.0.0.1", "someone", (key,), listener.getsockname()[1])
        threading.Thread(target=Server(host, listener).serve, daemon=True).start()
        yield host
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two private keys: the right one and another."""
    right, wrong = (tmp_path_factory.mktemp("keys") / name for name in ("right", "wrong"))
    for key in (right, wrong):
        paramiko.RSAKey.generate(2048).write_private_key_file(str(key))
    return right, wrong


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def test_a_password_opens_where_the_key_does_not(
    keys: tuple[Path, Path], known_hosts: Path, tmp_path: Path
) -> None:
    with served(keys[0]) as host:
        for key in (keys[1], tmp_path / "none"):
            connect(replace(host, keys=(key,), password=PASSWORD), known_hosts).close()
        wrong = replace(host, keys=(keys[1],), password=Secret("guessed"))
        with pytest.raises(NodeError, match="with .*wrong and the password was refused") as refused:
            connect(wrong, known_hosts)
    assert "guessed" not in str(refused.value)


def test_a_gateway_is_gone_through_and_both_host_keys_are_recorded(
    keys: tuple[Path, Path], known_hosts: Path
) -> None:
    with served(keys[0]) as host, served(keys[0]) as gate:
        gateway = replace(gate, name="gateway gate")
        with connect(replace(host, gateway=gateway), known_hosts) as remote:
            assert remote.run("echo here").output == "here\n"
        aliases = {line.split()[0] for line in known_hosts.read_text().splitlines()}
        assert aliases == {host.alias, gate.alias}
        closed = replace(host, gateway=replace(gateway, keys=(keys[1],)))
        with pytest.raises(NodeError, match="gateway gate: SSH login as .*wrong was refused"):
            connect(closed, known_hosts)
