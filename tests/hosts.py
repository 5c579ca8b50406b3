"""Hosts that stackcook did not make: LXC containers with a plain Debian 13, outside Vagrant.

    python -m tests.hosts up DIRECTORY COUNT
    python -m tests.hosts down DIRECTORY

Each has two interfaces, configured by ifupdown: eth0 in the management network, with an IPv4 and
an IPv6 address, and eth1, without an address, in the external network. The user ``debian`` logs in
with the key and has sudo. Needs root; what a crash has left is cleared by the next ``up`` or
``down``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

from stackcook.cache import cache
from stackcook.files import lock
from stackcook.machines import lxcfs
from stackcook.machines.network import LabNetwork
from tests.answers import ssh_answers
from tests.containers import Container, HostError, checked

NAME = "hosts"
NETWORK = IPv4Network("10.0.132.0/24")
EXTERNAL = IPv4Network("10.0.133.0/24")
IPV6 = IPv6Address("fd00:132::")
FIRST = 10
"""The last number of the first host's addresses; the bridge has 1."""

DEBIAN = 1000
"""The user and group ID of the user debian."""

BOOT = 60.0
"""Seconds that a host may take until its sshd answers."""

_SCRIPT = Path(__file__).with_name("hosts.sh")

_INTERFACES = """\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address {address}/{length}
    gateway {gateway}
iface eth0 inet6 static
    address {ipv6}/64
    dad-attempts 0

auto eth1
iface eth1 inet manual
"""


@dataclass(frozen=True)
class Host:
    """One host; ``number`` is the last part of its addresses, ``directory`` has its files."""

    number: int
    directory: Path

    @property
    def name(self) -> str:
        """Its host name and the container's name."""
        return f"host{self.number}"

    @property
    def address(self) -> IPv4Address:
        """Its address in the management network."""
        return NETWORK[self.number]

    @property
    def ipv6(self) -> IPv6Address:
        """The same for IPv6."""
        return IPV6 + int(f"0x{self.number}", 16)

    @property
    def layer(self) -> Path:
        """What differs from the files that all hosts share."""
        return self.directory / "layer"

    @property
    def container(self) -> Container:
        """What it is."""
        return Container(self.directory, self.layer)

    def make(self, base: Path, networks: Sequence[LabNetwork], public_key: str) -> None:
        """Its container: files, configuration of its network, host name, and who may log in."""
        management, external = networks
        interfaces = _INTERFACES.format(
            address=self.address,
            length=NETWORK.prefixlen,
            gateway=management.address,
            ipv6=self.ipv6,
        )
        hosts = f"127.0.0.1 localhost\n::1 localhost\n{self.address} {self.name}\n"
        files = {
            "etc/network/interfaces": interfaces,
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": hosts,
            "etc/resolv.conf": Path("/etc/resolv.conf").read_text(),
            "home/debian/.ssh/authorized_keys": public_key,
        }
        cards = [(management.bridge, self.link), (external.bridge, f"{self.name}-1")]
        self.container.make(base, cards, files)
        (self.layer / "etc/ssh").mkdir()
        checked("ssh-keygen", "-q", "-A", "-f", str(self.layer))
        home = self.layer / "home/debian"
        for path, mode in (
            (home, 0o755),
            (home / ".ssh", 0o700),
            (home / ".ssh/authorized_keys", 0o600),
        ):
            path.chmod(mode)
            os.chown(path, DEBIAN, DEBIAN)

    def answers(self, patience: float = BOOT) -> None:
        """Wait until its sshd answers; raises HostError if it doesn't in time."""
        if not ssh_answers(self.address, patience):
            raise HostError(f"{self.name} does not answer within {patience:.0f} s")

    def run(self, script: str) -> str:
        """What a shell script prints that runs on it as root, past its network and sshd."""
        return self.container.run(script)

    def limit_memory(self, size: int) -> None:
        """Give it so many MiB."""
        self.container.lxc("lxc-cgroup", "memory.limit_in_bytes", f"{size << 20}")

    @property
    def link(self) -> str:
        """This machine's end of eth0."""
        return f"{self.name}-0"

    def host_key(self) -> str:
        """Its public SSH key, as in a file known_hosts, without a host name."""
        key = (self.layer / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
        return " ".join(key.split()[:2])


@dataclass(frozen=True)
class Hosts:
    """The hosts whose files are below ``directory``; all have the same two networks."""

    directory: Path

    @property
    def key(self) -> Path:
        """The private key of the user debian."""
        return self.directory / "id_ed25519"

    @property
    def networks(self) -> tuple[LabNetwork, LabNetwork]:
        """The bridges br-hosts and ex-hosts."""
        return (
            LabNetwork(NAME, NETWORK, self.directory),
            LabNetwork(NAME, EXTERNAL, self.directory, key="external_network"),
        )

    def up(self, count: int) -> tuple[Host, ...]:
        """Clear what is left of earlier hosts, and boot ``count``; all answer at the end."""
        self.down()
        base = _base()
        if refused := lxcfs.start():
            raise HostError(f"lxcfs does not run: {refused}")
        self.directory.mkdir(parents=True, mode=0o700)
        checked("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        public = self.key.with_suffix(".pub").read_text()
        for network in self.networks:
            network.up()
        management = self.networks[0]
        checked("ip", "address", "replace", f"{IPV6 + 1}/64", "dev", management.bridge, "nodad")
        hosts = tuple(self._host(FIRST + number) for number in range(count))
        management.guard(host.address for host in hosts)
        for host in hosts:
            host.make(base, self.networks, public)
            host.container.start()
        for host in hosts:
            host.answers()
        return hosts

    def down(self) -> None:
        """Take them away, whatever is left of them."""
        for path in sorted((self.directory / "lxc").glob("host*")):
            container = self._host(int(path.name.removeprefix("host"))).container
            if container.made:
                container.stop()
        for network in self.networks:
            network.down()
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def _host(self, number: int) -> Host:
        return Host(number, self.directory / "lxc" / f"host{number}")


@contextmanager
def hosts(count: int) -> Iterator[tuple[Hosts, tuple[Host, ...]]]:
    """So many hosts; with STACKCOOK_LAB_KEEP in the environment they are left."""
    directory = cache() / "lab"
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / f"{NAME}.lock"):
        lab = Hosts(directory / NAME)
        try:
            yield lab, lab.up(count)
        finally:
            if "STACKCOOK_LAB_KEEP" not in os.environ:
                lab.down()


def _base() -> Path:
    """The files that all hosts share, made once for each change of the script."""
    base = cache() / NAME / hashlib.sha256(_SCRIPT.read_bytes()).hexdigest()[:12]
    base.parent.mkdir(parents=True, exist_ok=True)
    with lock(base.parent / "lock"):
        if not base.exists():
            checked("bash", str(_SCRIPT), str(base))
    return base


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.hosts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        command = commands.add_parser(name)
        command.add_argument("directory", type=lambda word: Path(word).resolve())
        if name == "up":
            command.add_argument("count", type=int)
    arguments = parser.parse_args()
    lab = Hosts(arguments.directory)
    if arguments.command == "down":
        lab.down()
        return 0
    for host in lab.up(arguments.count):
        print(host.name, host.address, host.ipv6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
