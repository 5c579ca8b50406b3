"""The keys that a login offers: files, passphrases, certificates, a real agent."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.remote.base import Host
from stackcook.remote.identities import check_usable, identities, unlock
from stackcook.remote.ready import make_ready


def generate(path: Path, passphrase: str = "") -> Path:
    """A key as ssh-keygen makes it; fewer rounds than usual, which are for attackers."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    socket = str(tmp_path / "agent")
    said = subprocess.run(
        ["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True
    )
    yield socket
    os.kill(int(said.stdout.split("SSH_AGENT_PID=")[1].split(";")[0]), signal.SIGTERM)


def add(agent: str, key: Path) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment)


def host(*paths: Path, **more: Any) -> Host:
    return Host("one", "192.0.2.7", "me", paths, **more)


def labels(given: Host) -> list[str]:
    with identities(given) as found:
        return [each.label for each in found.usable]


def test_own_keys_come_before_others_of_the_agent(tmp_path: Path, agent: str) -> None:
    one, two, three = (generate(tmp_path / name) for name in ("one", "two", "three"))
    add(agent, one)
    add(agent, two)
    two.unlink()  # only the agent has it
    first = [f"{two} in the agent", str(three)]
    assert labels(host(two, three, agent=agent)) == [*first, "the agent's ssh-ed25519 key"]
    assert labels(host(two, three, agent=agent, only_keys=True)) == first
    public = two.with_name("two.pub")
    assert labels(host(public, agent=agent, only_keys=True)) == [f"{public} in the agent"]
    assert labels(host(agent=agent)) == ["the agent's ssh-ed25519 key"] * 2


def test_an_agent_that_is_gone_has_no_keys(tmp_path: Path) -> None:
    assert labels(host(agent=str(tmp_path / "none"))) == []


def test_a_key_with_a_passphrase_is_usable_once_it_is_unlocked(tmp_path: Path) -> None:
    key = generate(tmp_path / "key", "open sesame")
    given = host(key)
    with identities(given) as found:
        assert found.locked == [key] and found.unusable == [f"{key}: it has a passphrase"]
        with pytest.raises(NodeError, match=f"it has a passphrase.*ssh-add {key}"):
            check_usable(given, found)
    assert not unlock(key, Secret("close sesame"))
    assert unlock(key, Secret("open sesame"))
    assert labels(given) == [str(key)]


def test_a_key_with_a_passphrase_that_the_agent_has_is_used(tmp_path: Path, agent: str) -> None:
    key = generate(tmp_path / "key", "open sesame")
    unlocked = tmp_path / "unlocked"
    unlocked.write_bytes(key.read_bytes())
    unlocked.chmod(0o600)
    argv = ["ssh-keygen", "-q", "-p", "-P", "open sesame", "-N", "", "-f", str(unlocked)]
    subprocess.run(argv, check=True)
    add(agent, unlocked)
    assert labels(host(key, agent=agent)) == [f"{key} in the agent"]


def test_certificates_are_offered_before_their_key(tmp_path: Path) -> None:
    authority, key, other = (generate(tmp_path / name) for name in ("ca", "key", "other"))
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", "me"]
    for each in (key, other):
        subprocess.run([*sign, f"{each}.pub"], check=True)
    beside, elsewhere = tmp_path / "key-cert.pub", tmp_path / "other-cert.pub"
    assert labels(host(key)) == [str(beside), str(key)]
    moved = beside.rename(tmp_path / "certificate")
    assert labels(host(key)) == [str(key)]
    assert labels(host(key, certificates=(elsewhere, moved))) == [str(moved), str(key)]


class Typist:
    """Answers with ``secrets`` one after the other."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = list(secrets)
        self.asked: list[str] = []

    def secret(self, question: str) -> Secret:
        self.asked.append(question)
        return Secret(self.secrets.pop(0))

    def agrees(self, question: str) -> bool:
        raise AssertionError(question)


def test_a_passphrase_is_asked_for_once_for_all_hosts(tmp_path: Path) -> None:
    key = generate(tmp_path / "key", "open sesame")
    user = Typist("wrong", "open sesame")
    known_hosts = tmp_path / "known_hosts"
    make_ready([host(key), host(key, only_keys=True)], known_hosts, user)
    assert user.asked == [f"Passphrase of {key} (empty to skip)"] * 2
    make_ready([host(key)], known_hosts, user)
    assert labels(host(key)) == [str(key)]


def test_a_passphrase_is_not_asked_for_where_another_key_will_do(tmp_path: Path) -> None:
    locked, plain = generate(tmp_path / "locked", "open sesame"), generate(tmp_path / "plain")
    make_ready([host(locked, plain)], tmp_path / "known_hosts", Typist())
    make_ready([host(locked, password=Secret("pw"))], tmp_path / "known_hosts", Typist())
    user = Typist("")
    make_ready([host(locked)], tmp_path / "known_hosts", user)
    assert len(user.asked) == 1, "skipped"
