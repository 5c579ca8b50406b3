"""SSH against a server of our own on the loopback: host keys, logins, commands, files."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from stackcook.errors import NodeError, Transient
from stackcook.remote import ssh
from stackcook.remote.base import Host, Unreachable, sudo
from stackcook.remote.hostkeys import forget
from stackcook.remote.login import dial
from stackcook.remote.ssh import connect, wait_for


class Session(paramiko.ServerInterface):
    """Lets one key in and runs what it is told, as a shell does."""

    def __init__(self, allowed: paramiko.PKey) -> None:
        self._allowed = allowed
        self._frozen = False

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        same = key.asbytes() == self._allowed.asbytes()
        return int(paramiko.AUTH_SUCCESSFUL if same else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self._frozen:
            threading.Event().wait(5)  # longer than anybody waits for it
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if command == b"freeze before":
            threading.Event().wait(5)
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        with channel.makefile("rb") as file:
            stdin = file.read()
        self._frozen = command == b"freeze"
        if command in (b"hang", b"freeze"):
            return
        done = subprocess.run(
            command, shell=True, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with suppress(OSError):  # who asked has hung up
            channel.sendall_stderr(done.stderr)
            channel.sendall(done.stdout)
            channel.send_exit_status(done.returncode)
        channel.close()


@dataclass
class Server:
    """An SSH server at a port of 127.0.0.1; ``key`` may be exchanged."""

    host: Host
    key: paramiko.PKey
    listener: socket.socket

    def serve(self) -> None:
        allowed = paramiko.RSAKey.from_private_key_file(str(self.host.keys[0]))
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.daemon = True
            transport.add_server_key(self.key)
            transport.start_server(server=Session(allowed), event=threading.Event())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two private keys: the right one and another."""
    directory = tmp_path_factory.mktemp("keys")
    for name in ("right", "wrong"):
        paramiko.RSAKey.generate(2048).write_private_key_file(str(directory / name))
    return directory / "right", directory / "wrong"


@pytest.fixture
def server(keys: tuple[Path, Path]) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    host = Host("one", "127.0.0.1", "someone", (keys[0],), listener.getsockname()[1])
    server = Server(host, paramiko.ECDSAKey.generate(), listener)
    threading.Thread(target=server.serve, daemon=True).start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "state" / "known_hosts"


def test_a_host_key_is_recorded_once_for_us_alone_to_read(
    server: Server, known_hosts: Path
) -> None:
    for _ in range(2):
        connect(server.host, known_hosts).close()
    kind, key = server.key.get_name(), server.key.get_base64()
    assert known_hosts.read_text() == f"{server.host.alias} {kind} {key}\n"
    assert known_hosts.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("same_kind", [True, False])
def test_a_changed_host_key_is_refused_and_how_to_forget_it_said(
    server: Server, known_hosts: Path, same_kind: bool
) -> None:
    connect(server.host, known_hosts).close()
    server.key = paramiko.ECDSAKey.generate() if same_kind else paramiko.RSAKey.generate(2048)
    with pytest.raises(NodeError) as refused:
        connect(server.host, known_hosts)
    assert not isinstance(refused.value, Unreachable)
    assert str(refused.value).startswith("one: the SSH host key of [127.0.0.1]:")
    assert f"ssh-keygen -f {known_hosts} -R" in str(refused.value)
    forget(server.host.alias, known_hosts)
    connect(server.host, known_hosts).close()


def test_a_command_does_not_wait_for_acknowledgements(server: Server) -> None:
    with dial(server.host, 5) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_login_reads_its_own_host_key_among_many(server: Server, known_hosts: Path) -> None:
    connect(server.host, known_hosts).close()
    mine, damaged = known_hosts.read_text(), "10.0.0.9 ssh-ed25519 AAAAB\n"
    hashed = paramiko.HostKeys.hash_host(server.host.alias)
    for line in (mine, mine.replace(server.host.alias, hashed), mine.replace(" ", ",10.1.1.1 ", 1)):
        known_hosts.write_text(damaged + line + damaged)
        connect(server.host, known_hosts).close()
        assert known_hosts.read_text() == damaged + line + damaged
    known_hosts.write_text(damaged + mine[:-9] + "\n")
    with pytest.raises(NodeError, match=r"known_hosts: invalid SSH host key on line 2"):
        connect(server.host, known_hosts)


def test_a_wrong_key_is_named(server: Server, known_hosts: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(NodeError, match=r"login as someone@127.0.0.1:\d+ with .*wrong was refused"):
        connect(replace(server.host, keys=(keys[1],)), known_hosts)


def test_a_key_that_was_put_right_is_used(
    server: Server, known_hosts: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    host = replace(server.host, keys=(tmp_path / "key",))
    for text, why in (("no key", "cannot use the SSH key"), (keys[1].read_text(), "was refused")):
        host.keys[0].write_text(text)
        with pytest.raises(NodeError, match=why):
            connect(host, known_hosts)
    host.keys[0].write_text(keys[0].read_text())
    connect(host, known_hosts).close()


@pytest.mark.parametrize(
    "content, why",
    [(None, "No such file"), (b"text", "not a valid"), (b"\xbc\0", "it is a binary file")],
)
def test_a_key_that_is_none_is_named_before_anything_is_sent(
    known_hosts: Path, tmp_path: Path, content: bytes | None, why: str
) -> None:
    key = tmp_path / "key"
    if content:
        key.write_bytes(content)
    with pytest.raises(NodeError, match=f"cannot use the SSH key {key} .*{why}"):
        connect(Host("one", "127.0.0.1", "someone", (key,), 1), known_hosts)


def test_a_dead_host_is_unreachable(keys: tuple[Path, Path], known_hosts: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(
        Unreachable, match=rf"no SSH response from .*:{port} \(Connection refused\)"
    ):
        connect(Host("one", "127.0.0.1", "someone", (keys[0],), port), known_hosts)


def test_a_port_that_is_not_ssh_is_unreachable(keys: tuple[Path, Path], known_hosts: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = Host("one", "127.0.0.1", "someone", (keys[0],), silent.getsockname()[1])
        with pytest.raises(Unreachable, match="no SSH banner came in time"):
            connect(host, known_hosts, timeout=0.1)


def test_commands_have_status_lines_and_input(server: Server, known_hosts: Path) -> None:
    lines: list[str] = []
    with connect(server.host, known_hosts) as remote:
        done = remote.run("cat; echo two >&2; exit 3", stdin="one\n", on_line=lines.append)
        apart = remote.run("echo one; echo 'sudo: warning' >&2", apart=True)
    assert (done.status, lines) == (3, ["two", "one"]), "the fake server sends stderr first"
    assert done.output == "two\none\n"
    assert (apart.output, apart.errors) == ("one\n", "sudo: warning\n")


def test_a_command_that_does_not_end_is_left(server: Server, known_hosts: Path) -> None:
    with connect(server.host, known_hosts) as remote:
        with pytest.raises(NodeError, match="did not finish within 0 s: hang"):
            remote.run("hang", timeout=0.1)


def test_a_command_that_is_silent_for_long_is_waited_for(
    server: Server, known_hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "SILENCE", 0.02)
    with connect(server.host, known_hosts) as remote:
        done = remote.run("sleep 0.2; echo here", timeout=60)
    assert (done.status, done.output) == (0, "here\n")


@pytest.mark.parametrize("command", ["freeze", "freeze before"])
def test_a_node_that_stops_answering_is_not_waited_for(
    server: Server, known_hosts: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(ssh, "SILENCE", 0.02)
    monkeypatch.setattr(ssh, "ANSWER", 0.5)
    with connect(server.host, known_hosts) as remote:
        with pytest.raises(Transient, match="was lost .no response within 0.5 s"):
            remote.run(command, timeout=3600)


def test_a_connection_that_is_closed_meanwhile_is_an_error(
    server: Server, known_hosts: Path
) -> None:
    remote = connect(server.host, known_hosts)
    remote.close()
    with pytest.raises(NodeError, match="the SSH connection was lost"):
        remote.run("true")


def test_closing_a_connection_ends_the_wait_for_a_command(
    server: Server, known_hosts: Path
) -> None:
    remote = connect(server.host, known_hosts)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(remote.run, "hang", timeout=3600)
        remote.close()
        assert isinstance(running.exception(timeout=30), NodeError)


def test_a_connection_says_whether_the_node_answers(server: Server, known_hosts: Path) -> None:
    with connect(server.host, known_hosts) as remote:
        assert remote.answers(timeout=30)
        remote.close()
        assert not remote.answers(timeout=30)


def test_root_needs_no_sudo_and_quoting_holds() -> None:
    command = sudo("echo 'a  b' \"$0\"")
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == "a  b sh\n"


def test_waiting_is_only_for_what_may_pass(server: Server, known_hosts: Path) -> None:
    tries: list[float] = []

    def opener(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> object:
        tries.append(timeout)
        raise Unreachable("booting") if len(tries) < 3 else NodeError("wrong key")

    with pytest.raises(NodeError, match="wrong key"):
        wait_for(
            server.host, known_hosts, patience=60, opener=opener, sleep=tries.append  # type: ignore
        )
    assert tries[1:2] == [1.0]
