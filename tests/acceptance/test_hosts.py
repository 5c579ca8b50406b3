"""A cloud on hosts that were there before, each reached in another way.

The hosts are containers outside Vagrant: one with an alias, another port and another user; one
where sudo asks for a password; one behind a jump host; one whose key only the agent holds; and one
reached by IPv6.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.ownhosts import OwnHosts
from tests.hosts import Host, hosts

PASSWORD = "sudo asks for this"

WALL = """\
add table inet wall
add chain inet wall in { type filter hook input priority 0; }
add rule inet wall in ip saddr 10.0.132.1 tcp dport 22 drop
"""

SSH_CONFIG = """\
Host cloud-controller
  HostName {alias.address}
  Port 2222
  User admin
  IdentityFile {key}

Host {agent.address}
  User debian

Host {jump.address}
  ProxyJump {sudo.address}

Host *
  User debian
  IdentityFile {key}
"""


def prepare(by_alias: Host, by_password: Host, by_jump: Host, by_agent: Host, key: Path) -> None:
    """Let each host be reached in its own way only."""
    by_alias.run(
        "set -e; useradd --create-home --shell /bin/bash admin;"
        " cp -a /home/debian/.ssh /home/admin; chown -R admin: /home/admin/.ssh;"
        " sed s/debian/admin/ /etc/sudoers.d/debian >/etc/sudoers.d/admin;"
        " rm /etc/sudoers.d/debian;"
        " echo Port 2222 >/etc/ssh/sshd_config.d/port.conf; systemctl restart ssh"
    )
    by_password.run(
        f"set -e; echo 'debian:{PASSWORD}' | chpasswd;"
        " echo 'debian ALL=(ALL) ALL' >/etc/sudoers.d/debian"
    )
    by_jump.run(f"printf %s '{WALL}' | nft -f -")
    public = key.with_suffix(".pub").read_text().strip()
    by_agent.run(f"echo '{public}' >/home/debian/.ssh/authorized_keys")


@contextmanager
def agent(directory: Path) -> Iterator[tuple[Path, str]]:
    """An SSH agent with a key of which no file is left: where that was, and the agent's socket."""
    key, socket = directory / "held", directory / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    program = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        env = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True, stderr=subprocess.DEVNULL)
        key.unlink()
        yield key, str(socket)
    finally:
        program.terminate()
        program.wait(10)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnHosts]:
    root = tmp_path_factory.mktemp("repository")
    with agent(tmp_path_factory.mktemp("agent")) as (key, socket), hosts(5) as (lab, made):
        by_alias, by_password, by_jump, by_agent, by_ipv6 = made
        prepare(by_alias, by_password, by_jump, by_agent, key)
        env = {"SSH_AUTH_SOCK": socket, "STACKCOOK_BECOME_PASSWORD": PASSWORD}
        cloud = OwnHosts(root, made, env)
        config = SSH_CONFIG.format(
            alias=by_alias, sudo=by_password, jump=by_jump, agent=by_agent, key=lab.key
        )
        cloud.write(
            config,
            {
                by_alias.name: {"ssh_address": "cloud-controller"},
                by_ipv6.name: {"ssh_address": str(by_ipv6.ipv6)},
            },
        )
        yield cloud


def test_each_is_reached_by_every_command(cloud: OwnHosts) -> None:
    deployed = cloud.stackcook("deploy", timeout=40 * 60)
    assert deployed.status == 0, deployed.err
    answered = re.search(r"instances? answered on .*", deployed.err)
    assert answered, deployed.err
    for host in cloud.hosts[1:]:
        assert host.name in answered[0]
    for host in cloud.hosts:
        said = cloud.stackcook("ssh", host.name, "--", "hostname")
        assert said.out.strip() == host.name, said.err
    assert cloud.stackcook("status").status == 0
    assert cloud.stackcook("verify", timeout=600).status == 0
    assert PASSWORD not in deployed.out + deployed.err


def test_again_changes_nothing(cloud: OwnHosts) -> None:
    again = cloud.stackcook("--json", "deploy", timeout=20 * 60)
    assert again.status == 0, again.err
    assert again.updated == {host.name: 0 for host in cloud.hosts}
