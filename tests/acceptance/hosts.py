"""Hosts for the tests of their networks: containers that configure their own network cards.

They are on a bridge of their own, without a way to any other network; this machine is its router.
"""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackcook.cache import cache
from stackcook.machines.box import ORDINARY
from tests import containers
from tests.answers import ssh_answers

NETWORK = "10.0.131"
GATEWAY = f"{NETWORK}.1"
BRIDGE = "br-hostnet"
LINK = "hostnet{}-{}"
"""This machine's end of a container's card."""

_NETWORKD = "[Match]\nName=eth0\n\n[Network]\nAddress={address}/24\nGateway={gateway}\n"
_IFUPDOWN = """\
auto lo eth0
iface lo inet loopback
iface eth0 inet static
    address {address}/24
    gateway {gateway}
source /etc/network/interfaces.d/*
"""

log = logging.getLogger("hosts")


@dataclass(frozen=True)
class Host:
    """A host with two network cards, of which the first one has ``address``."""

    name: str
    number: int
    directory: Path

    @property
    def address(self) -> str:
        """Where its SSH server listens."""
        return f"{NETWORK}.{self.number}"

    @property
    def files(self) -> dict[str, str]:
        """Its own files, by path."""
        return {
            "etc/hostname": f"{self.name}\n",
            "etc/machine-id": f"{self.number:032x}\n",
            "etc/hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n",
            "root/.ssh/authorized_keys": (self.directory / "key.pub").read_text(),
        }

    def answers(self, patience: float = 120) -> None:
        """Wait until its SSH server does."""
        assert ssh_answers(
            self.address, patience
        ), f"{self.name} does not answer within {patience:g} s"

    def silent(self, patience: float = 120) -> None:
        """Wait until it does not answer any more: it restarts."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.address, 22), timeout=1).close()
                time.sleep(0.2)
            except OSError:
                return
        raise AssertionError(f"{self.name} does not restart within {patience:g} s")

    def run(self, command: str) -> str:
        """What a shell command prints that runs on it as root."""
        raise NotImplementedError

    def has_state(self, wanted: str, patience: float = 60) -> None:
        """Wait until this has become of the last change of its network."""
        deadline = time.monotonic() + patience
        while (state := self.run("openstack-host-network state").strip()) != wanted:
            assert time.monotonic() < deadline, f"{self.name}: {state}, not {wanted}"
            time.sleep(0.2)

    def addresses(self) -> dict[str, set[str]]:
        """The addresses of each of its interfaces, without those that the kernel makes."""
        found: dict[str, set[str]] = {}
        for line in self.run("ip -o address show scope global").splitlines():
            _, name, _, address, *_ = line.split()
            found.setdefault(name, set()).add(address)
        return found


@dataclass(frozen=True)
class Container(Host):
    """A container with the cards eth0 and eth1, which ``manager`` configures."""

    manager: str = "networkd"

    def start(self, base: Path) -> None:
        """Make and boot it over the root ``base``."""
        self._layer.parent.mkdir(parents=True)
        root("mount", "-t", "tmpfs", "-o", "mode=0755", "hostnet", str(self._layer.parent))
        own = {"address": self.address, "gateway": GATEWAY}
        files = self.files
        if self.manager == "networkd":
            files["etc/systemd/network/50-eth0.network"] = _NETWORKD.format(**own)
        else:
            files["etc/network/interfaces"] = _IFUPDOWN.format(**own)
        cards = [(BRIDGE, LINK.format(self.number, card)) for card in (0, 1)]
        # With a writable /sys, networkd waits for udev, which a container does not have.
        self._container.make(base, cards, files, access="mixed")
        wants = self._layer / "etc/systemd/system/multi-user.target.wants"
        if self.manager == "networkd":
            wants.mkdir(parents=True)
            (wants / "systemd-networkd.service").symlink_to(
                "/usr/lib/systemd/system/systemd-networkd.service"
            )
        self._container.start()
        self.answers()

    def run(self, command: str) -> str:
        """What a shell command prints that runs in it as root, not over its network."""
        return self._container.run(command)

    def restart(self) -> None:
        """Restart it without asking its processes, and wait until its SSH server answers."""
        self._container.stop()
        self._container.start()
        self.answers()

    def stop(self) -> None:
        """End it; its files are lost."""
        if self._container.made:
            self._container.stop()
        attempt("umount", str(self._layer.parent))

    @property
    def _layer(self) -> Path:
        return self.directory / self.name / "layer" / "delta"

    @property
    def _container(self) -> containers.Container:
        return containers.Container(self.directory / self.name, self._layer)


@contextmanager
def network(directory: Path) -> Iterator[None]:
    """An empty ``directory`` with a key pair, and the bridge of the hosts."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    root("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "key"))
    attempt("ip", "link", "delete", BRIDGE)
    # If the bridge is missing, packets must not leave by the default route.
    unreachable = ("unreachable", f"{NETWORK}.0/24", "metric", "4096")
    attempt("ip", "route", "add", *unreachable)
    try:
        root("ip", "link", "add", BRIDGE, "type", "bridge")
        root("ip", "address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        root("ip", "link", "set", BRIDGE, "up")
        yield
    finally:
        attempt("ip", "link", "delete", BRIDGE)
        attempt("ip", "route", "delete", *unreachable)


@contextmanager
def networked(directory: Path, managers: tuple[str, ...]) -> Iterator[list[Container]]:
    """A running container for each manager. Their key is ``directory/key``."""
    made = [
        Container(f"hostnet-{manager}", number, directory, manager)
        for number, manager in enumerate(managers, 11)
    ]
    with network(directory):
        try:
            for container in made:
                container.start(base_root())
            yield made
        finally:
            for container in made:
                container.stop()


def base_root() -> Path:
    """The root of the lab's box with ifupdown, unpacked once for each box."""
    with ORDINARY.locked():
        box = ORDINARY.build(log.info)
    base = cache() / "hostnet" / ORDINARY.key
    if not base.exists():
        new = base.with_name("new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        unpack = 'tar -xOf "$0" rootfs.tar.gz | tar -xzpC "$1" --numeric-owner --strip-components=2'
        root("sh", "-c", unpack, str(box), str(new))
        shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf", follow_symlinks=True)
        root("chroot", str(new), "apt-get", "update")
        root("chroot", str(new), "apt-get", "install", "-y", "ifupdown")
        new.rename(base)
    return base


def root(program: str, *arguments: str) -> str:
    """Run a program as root; returns what it prints."""
    return containers.checked(program, *arguments).output


def attempt(*argv: str) -> None:
    """Run a program as root whose work may be done already."""
    subprocess.run(argv, capture_output=True, timeout=60)
