"""Logging in to a real sshd, as ssh(1) does: its configuration, its agent, its known hosts."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.command import Secret
from stackcook.errors import NodeError, UsageError
from stackcook.files import pieces
from stackcook.remote.base import Access, Host, HostKeys, Unreachable, as_root
from stackcook.remote.config import Config
from stackcook.remote.identities import unlock
from stackcook.remote.openssh import arguments
from stackcook.remote.ready import make_ready
from stackcook.remote.resolve import Wanted, resolve
from stackcook.remote.ssh import connect, reachable
from tests.contract.sshd import PASSWORD, USER, Sshd, generate, started

NEW = Access(agent="", accept_new=True)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Sshd, Sshd]]:
    """A host, and one to jump over."""
    with started("127.0.0.71") as host, started("127.0.0.72") as jump:
        yield host, jump


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's ~/.ssh."""
    directory = tmp_path / ".ssh"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "state" / "known_hosts"


def reached(home: Path, servers: tuple[Sshd, Sshd], more: str = "", access: Access = NEW) -> Host:
    """The host that ``ssh web`` reaches."""
    host, jump = servers
    (home / "config").write_text(
        f"{more}\n"
        f"Host web\n HostName {host.address}\n Port {host.port}\n User {USER}\n"
        f"Host jump\n HostName {jump.address}\n Port {jump.port}\n User {USER}\n"
    )
    return resolve(Wanted("web", "web"), Config(home.parent, home / "none"), access)


def whoami(host: Host, known_hosts: Path) -> str:
    with connect(host, known_hosts) as remote:
        return remote.run("whoami").output.strip()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    place = str(tmp_path / "agent")
    argv = ["ssh-agent", "-s", "-a", place]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    yield place
    os.kill(int(said.split("SSH_AGENT_PID=")[1].split(";")[0]), signal.SIGTERM)


def test_an_alias_with_another_port_and_user(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path
) -> None:
    servers[0].allow(generate(home / "id_ed25519"))
    host = reached(home, servers)
    assert whoami(host, known_hosts) == USER
    assert known_hosts.read_text().startswith(f"[127.0.0.71]:{servers[0].port} ssh-ed25519 ")
    assert reachable(host, known_hosts, 5)


def test_a_key_that_only_the_agent_has(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path, agent: str
) -> None:
    key = generate(home / "lab")
    servers[0].allow(key)
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment)
    key.unlink()
    access = replace(NEW, agent=agent)
    assert whoami(reached(home, servers, access=access), known_hosts) == USER
    only = f"IdentitiesOnly yes\nIdentityFile {key}\n"
    assert whoami(reached(home, servers, only, access), known_hosts) == USER
    with pytest.raises(
        NodeError, match=f"with the password was refused .*{home}/other: No such file"
    ):
        other = f"IdentitiesOnly yes\nIdentityFile {home}/other\n"
        whoami(replace(reached(home, servers, other, access), password=Secret("x")), known_hosts)


def test_a_key_with_a_passphrase(home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path) -> None:
    key = generate(home / "id_ed25519", "open sesame")
    servers[0].allow(key)
    host = reached(home, servers)
    with pytest.raises(NodeError, match=f"it has a passphrase.*ssh-add {key}"):
        whoami(host, known_hosts)
    assert unlock(key, Secret("open sesame"))
    assert whoami(host, known_hosts) == USER


def test_a_certificate(home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path) -> None:
    key, authority = generate(home / "id_ed25519"), generate(home / "ca")
    server = servers[0]
    server.allow()
    with pytest.raises(NodeError, match=f"with {key} was refused"):
        whoami(reached(home, servers), known_hosts)
    (server.directory / "ca.pub").write_text((home / "ca.pub").read_text())
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", USER, f"{key}.pub"]
    subprocess.run(argv, check=True)
    assert whoami(reached(home, servers), known_hosts) == USER


def test_a_password_and_what_was_tried(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path
) -> None:
    key = generate(home / "id_ed25519")
    servers[0].allow()
    host = reached(home, servers, access=replace(NEW, password=Secret(PASSWORD)))
    assert whoami(host, known_hosts) == USER
    with pytest.raises(NodeError, match=f"with {key} and the password was refused") as raised:
        whoami(replace(host, password=Secret("guessed")), known_hosts)
    assert "guessed" not in str(raised.value)


def test_a_host_behind_another_one(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path
) -> None:
    key = generate(home / "id_ed25519")
    for server in servers:
        server.allow(key)
    host = reached(home, servers, "Host web\n ProxyJump jump\n")
    assert [each.name for each in host.way] == ["gateway jump", "web"]
    assert whoami(host, known_hosts) == USER
    assert reachable(host, known_hosts, 5)
    # `stackcook ssh` hands the same way to ssh(1)
    argv = ["ssh", *arguments(host, (key,), known_hosts), "-F", str(home / "config"), "--", "web"]
    done = subprocess.run([*argv, "whoami"], capture_output=True, text=True, timeout=30)
    assert done.stdout == f"{USER}\n", done.stderr


def test_a_command_that_leads_to_the_host(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path
) -> None:
    key = generate(home / "id_ed25519")
    for server in servers:
        server.allow(key)
    options = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i {key}"
    jump = f"ssh {options} -p {servers[1].port} {USER}@{servers[1].address}"
    assert whoami(reached(home, servers, f"Host web\n ProxyCommand {jump} -W %h:%p"), known_hosts)
    with pytest.raises(Unreachable, match="through its ProxyCommand"):
        whoami(reached(home, servers, "Host web\n ProxyCommand false\n"), known_hosts)


def test_an_ipv6_address(home: Path, known_hosts: Path) -> None:
    key = generate(home / "id_ed25519")
    with started("::1") as server:
        server.allow(key)
        host = Host("six", "::1", USER, (key,), server.port)
        assert whoami(host, known_hosts) == USER
        assert known_hosts.read_text().startswith(f"[::1]:{server.port} ")
        assert whoami(replace(host, host_keys=HostKeys.YES), known_hosts) == USER


def test_sudo_with_a_password(home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path) -> None:
    servers[0].allow(generate(home / "id_ed25519"))
    host = reached(home, servers, access=replace(NEW, become=Secret(PASSWORD)))
    large = home / "large"
    large.write_bytes(b"0123456789abcdef" * 1_000_000)
    with connect(host, known_hosts) as remote:
        for _ in range(2):  # nothing is remembered: timestamp_timeout is 0
            done = as_root(remote, "id -u; cat", stdin="script\n", apart=True)
            assert (done.output, done.errors) == ("0\nscript\n", "")
        done = as_root(remote, "id -u; sha256sum", stdin="script\n", content=pieces(large))
        whole = hashlib.sha256(b"script\n" + large.read_bytes()).hexdigest()
        assert done.output == f"0\n{whole}  -\n"
        done = as_root(remote, "head -c 100 >/dev/null; echo full; exit 3", content=pieces(large))
        assert (done.status, done.output) == (3, "full\n")
    with connect(replace(host, become=Secret("wrong")), known_hosts) as remote:
        with pytest.raises(NodeError, match="sudo does not accept the password of debian"):
            as_root(remote, "id -u", stdin="script\n")
    with connect(replace(host, become=None), known_hosts) as remote:
        assert as_root(remote, "id -u").status == 1


class User:
    """Answers ``yes`` or not; notes the questions."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.questions: list[str] = []

    def secret(self, question: str) -> Secret:
        raise AssertionError(question)

    def agrees(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


def test_unknown_host_keys_are_asked_about(
    home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path
) -> None:
    key = generate(home / "id_ed25519")
    for server in servers:
        server.allow(key)
    host = reached(home, servers, "Host web\n ProxyJump jump\n", Access(agent=""))
    with pytest.raises(NodeError, match="gateway jump: .*is not known.*--accept-new-host-keys"):
        whoami(host, known_hosts)
    with pytest.raises(UsageError, match="were not accepted"):
        make_ready([host], known_hosts, User(False))
    user = User(True)
    make_ready([host, replace(host, name="again")], known_hosts, user)
    assert len(user.questions) == 2, "the gateway first, then what is behind it"
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(servers[0].directory / "host_key.pub")],
        capture_output=True,
        text=True,
    ).stdout
    assert printed.split()[1] in user.questions[1]
    assert whoami(host, known_hosts) == USER
    make_ready([host], known_hosts, user)
    assert len(user.questions) == 2


def test_the_users_known_hosts(home: Path, servers: tuple[Sshd, Sshd], known_hosts: Path) -> None:
    servers[0].allow(generate(home / "id_ed25519"))
    host = reached(home, servers, access=Access(agent=""))
    public = (servers[0].directory / "host_key.pub").read_text()
    (home / "known_hosts").write_text(f"{host.alias} {public}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(home / "known_hosts")], check=True)
    assert whoami(host, known_hosts) == USER
    wrong = (generate(home / "wrong").with_name("wrong.pub")).read_text()
    (home / "known_hosts").write_text(f"{host.alias} {wrong}")
    for access in (Access(agent=""), NEW):
        with pytest.raises(NodeError, match=f"has changed to .*line 1 of {home}/known_hosts"):
            whoami(reached(home, servers, access=access), known_hosts)


def test_a_name_that_does_not_resolve_is_not_tried_again(home: Path, known_hosts: Path) -> None:
    host = Host("one", "no-such-host.invalid", USER, (generate(home / "id_ed25519"),))
    with pytest.raises(NodeError, match="cannot resolve the name no-such-host.invalid") as raised:
        whoami(host, known_hosts)
    assert not raised.value.transient
