"""A cloud on hosts that were there before, each reached in another way; then they are given back.

The hosts are containers outside Vagrant: one with an alias, another port and another user; one
where sudo asks for a password; one behind a jump host; one whose key only the agent holds; and one
reached by IPv6.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackcook.bootstrap import record
from tests.acceptance.ownhosts import OwnHosts
from tests.hosts import Host, hosts
from tests.labs import log

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


LISTS = (
    "packages manual units enabled users groups directories gems links up addresses routes"
    " namespaces bridges domains rules mounts"
)

SNAPSHOT = f"""
for each in {LISTS}; do list $each | sed "s|^|$each |"; done
find /etc -xdev -printf 'etc %p %y %m %u %g %l\\n' | sort
find /etc -xdev -type f -exec sha256sum {{}} + | sort -k2
"""

KEPT = re.compile(r" /etc/ld\.so\.cache")
"""Lines of a difference that are as the documentation says."""


def snapshot(host: Host) -> list[str]:
    """What a host has: the lists of state.sh, and each file of /etc."""
    state = Path(record.__file__).with_name("state.sh").read_text()
    return host.run(state + SNAPSHOT).splitlines()


def differences(host: Host, before: Mapping[str, list[str]]) -> list[str]:
    """The lines that differ from the snapshot before, without those that may."""
    both = (before[host.name], snapshot(host))
    diff = [*difflib.unified_diff(*both, "before", "after", lineterm="", n=0)]
    log.info("%s:\n%s", host.name, "\n".join(diff) or "no difference")
    return [line for line in diff[2:] if line[0] in "+-" and not KEPT.search(line)]


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    """Host → its snapshot before the first deploy."""
    return {}


@pytest.fixture(scope="module")
def cloud(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, list[str]]
) -> Iterator[OwnHosts]:
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
        before |= {host.name: snapshot(host) for host in made}
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


def test_a_node_is_removed_and_added_again(cloud: OwnHosts, before: dict[str, list[str]]) -> None:
    leaving = cloud.hosts[-1]
    done = cloud.stackcook("node", "remove", leaving.name, "--yes", timeout=20 * 60)
    assert done.status == 0, done.err
    assert differences(leaving, before) == []
    again = cloud.stackcook("deploy", "--limit", leaving.name, timeout=40 * 60)
    assert again.status == 0, again.err


def test_they_are_given_back_as_they_were(cloud: OwnHosts, before: dict[str, list[str]]) -> None:
    by_hand = "touch /srv/mine; mkdir /var/lib/mine; echo mine >/etc/mine.conf"
    cloud.hosts[1].run(by_hand)
    done = cloud.stackcook("destroy", "--yes", timeout=20 * 60)
    assert done.status == 0, done.err
    for host in cloud.hosts:
        assert [line for line in differences(host, before) if "mine" not in line] == []
    assert cloud.hosts[1].run("ls /srv/mine /etc/mine.conf; ls -d /var/lib/mine").split() == [
        "/etc/mine.conf",
        "/srv/mine",
        "/var/lib/mine",
    ]


def test_a_later_deploy_works_at_once(cloud: OwnHosts) -> None:
    done = cloud.stackcook("deploy", timeout=40 * 60)
    assert done.status == 0, done.err
