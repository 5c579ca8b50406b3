"""Fifteen hosts, each broken in another way: one preflight names all, and changes nothing.

The hosts are containers outside Vagrant, which stackcook reaches by ``~/.ssh/config``.
"""

from __future__ import annotations

import hashlib
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator

import pytest

from stackcook.bootstrap.findings import KINDS
from stackcook.errors import Severity
from tests.acceptance.ownhosts import OwnHosts
from tests.hosts import Host, hosts
from tests.junit import validate
from tests.output import document

HOLD_LOCK = """
use Fcntl;
open(my $file, ">>", "/var/lib/dpkg/lock-frontend") or die;
my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
fcntl($file, F_SETLK, $lock) or die;
sleep;
"""

LISTEN = """
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die;
sleep;
"""

CLOCK = """#!/bin/sh
test "$*" != +%s || exec /usr/bin/date -d "1 hour" +%s
exec /usr/bin/date "$@"
"""

WALL = """\
add table inet wall
add chain inet wall in { type filter hook input priority 0; }
add rule inet wall in udp dport 6081 drop
"""

Break = Callable[[Host], object]


def by(script: str) -> Break:
    """Break a host with a shell script."""
    return lambda host: host.run(script)


def program(name: str, code: str) -> Break:
    """Let a Perl program run on the host until it is stopped."""
    return by(f"systemd-run --quiet --unit={name} /usr/bin/perl -e {shlex.quote(code)}")


def another_host_key(host: Host) -> None:
    """As after a new installation; this machine knows the old key."""
    key = "/etc/ssh/ssh_host_ed25519_key"
    host.run(f"rm {key} {key}.pub /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh")


def narrow(host: Host) -> None:
    """Let no packet over 1400 bytes through, between this host and the others."""
    subprocess.run(["ip", "link", "set", host.link, "mtu", "1400"], check=True)


BROKEN: dict[str, Break] = {
    "port": program("web", LISTEN),
    "disk-space": by("mount -t tmpfs -o size=500M tmpfs /var"),
    "clock": by(
        f"printf %s {shlex.quote(CLOCK)} >/usr/local/bin/date; chmod 755 /usr/local/bin/date"
    ),
    "release": by("sed -i 's/13/12/; s/trixie/bookworm/' /etc/os-release"),
    "memory": lambda host: host.limit_memory(700),
    "dns": by("echo nameserver 127.0.0.99 >/etc/resolv.conf"),
    "mirror": by(
        "rm -f /etc/apt/sources.list.d/*;"
        " echo deb http://127.0.0.9:9/debian trixie main >/etc/apt/sources.list"
    ),
    "apt-lock": program("holder", HOLD_LOCK),
    "hostname-duplicate": by("echo host11 >/etc/hostname; hostname host11"),
    "interface": by("ip link del eth1"),
    "host-key": another_host_key,
    "sudo": by("rm /etc/sudoers.d/debian"),
    "tunnel": by(f"printf %s {shlex.quote(WALL)} | nft -f -"),
    "mtu": narrow,
    "leftover": by(
        "mkdir /etc/chef;"
        " echo 'chef_server_url \"http://10.0.132.99:4545\"' >/etc/chef/client.rb"
    ),
}
"""ID of a finding → what breaks a host so. The first one is the controller's."""

VOLATILE = ("var/log/", "var/lib/systemd/", "var/tmp/", "tmp/", "run/")
"""What a host itself changes all the time."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnHosts]:
    with hosts(len(BROKEN) + 1) as (lab, made):
        repository = OwnHosts(tmp_path_factory.mktemp("repository"), made)
        repository.write(f"Host 10.0.132.*\n  User debian\n  IdentityFile {lab.key}\n")
        yield repository
        # not `destroy`: some of the hosts cannot be given back
        assert repository.stackcook("server", "stop").status == 0


def files(host: Host) -> dict[str, tuple[int, str]]:
    """Path → mode and checksum of each file that differs from the installed system."""
    found = {}
    for path in sorted(host.layer.rglob("*")):
        name = str(path.relative_to(host.layer))
        if not name.startswith(VOLATILE):
            mode = path.lstat().st_mode
            content = path.read_bytes() if stat.S_ISREG(mode) else b""
            found[name] = (mode, hashlib.sha256(content).hexdigest())
    return found


def test_one_preflight_names_all_fifteen_and_changes_nothing(repository: OwnHosts) -> None:
    broken = dict(zip(BROKEN, repository.hosts, strict=False))
    for kind, host in broken.items():
        BROKEN[kind](host)
    before = {host.name: files(host) for host in repository.hosts}
    done = repository.stackcook("--json", "deploy", "--preflight-only")
    assert done.status == 4
    findings = document(done.out)["data"]["findings"]
    found = {(finding["id"], finding["node"]) for finding in findings}
    assert found >= {(kind, host.name) for kind, host in broken.items()}
    assert all(finding["remedy"] for finding in findings)
    written = {name: repository.root / f"found.{name}" for name in ("html", "junit")}
    options = [word for name, path in written.items() for word in (f"--{name}", str(path))]
    assert repository.stackcook("preflight", *options).status == 4
    failures = {
        (case.get("name"), case.get("classname"))
        for case in validate(written["junit"].read_text()).iter("testcase")
        if case.find("failure") is not None
    }
    errors = {kind: host for kind, host in broken.items() if KINDS[kind].severity is Severity.ERROR}
    assert failures >= {(kind, f"preflight.{host.name}") for kind, host in errors.items()}
    page = written["html"].read_text()
    assert all(f'id="{host.name}"' in page for host in repository.hosts)
    after = {host.name: files(host) for host in repository.hosts}
    assert after == before


def test_the_external_interface_must_have_no_address(repository: OwnHosts) -> None:
    host = repository.hosts[-1]
    address = "10.0.133.99/24"

    def named() -> list[str]:
        data = document(repository.stackcook("--json", "preflight").out)["data"]
        mine = (each for each in data["findings"] if each["node"] == host.name)
        return [each["what"] for each in mine if each["id"] == "interface"]

    assert named() == []
    host.run(f"ip address add {address} dev eth1")
    what = f"eth1 is for the external network: its address {address} would no longer work"
    assert named() == [what]
    host.run(f"ip address del {address} dev eth1")
    assert named() == []
