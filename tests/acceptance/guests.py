"""QEMU guests for the tests of networks: Debian's cloud kernel has bonds and VLANs.

Their cards are on the bridge of :mod:`tests.acceptance.hosts`, and on no other network.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackcook.cache import cache
from stackcook.machines.box import ORDINARY
from tests.acceptance.hosts import (
    BRIDGE,
    GATEWAY,
    Host,
    attempt,
    base_root,
    network,
    root,
)
from tests.containers import write

_NETWORK = "[Match]\nMACAddress={mac}\n\n[Network]\nAddress={address}/24\nGateway={gateway}\n"
_INSTALL = "apt-get update && apt-get install -y --no-install-recommends"
_PACKAGES = "linux-image-cloud-amd64 initramfs-tools udev"


@dataclass(frozen=True)
class Guest(Host):
    """A guest whose two cards are in the PCI slots ``slots``, which give them their names."""

    slots: tuple[int, int] = (4, 5)

    def mac(self, card: int) -> str:
        """The MAC address of a card, 0 or 1."""
        return f"52:54:00:13:{self.number:02x}:{card:02x}"

    @property
    def files(self) -> dict[str, str]:
        """Its own files, by path; its systemd-networkd runs from the first boot on."""
        own = _NETWORK.format(mac=self.mac(0), address=self.address, gateway=GATEWAY)
        return {**super().files, "etc/systemd/network/50-first.network": own}

    def tap(self, card: int) -> str:
        """This machine's end of a card."""
        return f"hostnet{self.number}-{card}"

    @contextmanager
    def running(self, tree: Path) -> Iterator[None]:
        """Make its disk of the root ``tree`` and its own files, and boot it."""
        place = self.directory / self.name
        write(place / "own", self.files)
        wants = place / "own/etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True)
        unit = "systemd-networkd.service"
        (wants / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
        merged, disk = place / "merged", place / "disk"
        merged.mkdir()
        lower = f"lowerdir={place / 'own'}:{tree}"
        root("mount", "-t", "overlay", "-o", lower, "hostnet", str(merged))
        try:
            root("mke2fs", "-q", "-t", "ext4", "-d", str(merged), str(disk), "3G")
        finally:
            root("umount", str(merged))
        for card in (0, 1):
            attempt("ip", "link", "delete", self.tap(card))
            root("ip", "tuntap", "add", self.tap(card), "mode", "tap")
            root("ip", "link", "set", self.tap(card), "master", BRIDGE, "up")
        with subprocess.Popen(self._qemu(tree, disk), stdin=subprocess.DEVNULL) as process:
            try:
                self.answers(patience=400)
                yield
            finally:
                process.kill()
                for card in (0, 1):
                    attempt("ip", "link", "delete", self.tap(card))

    def _qemu(self, tree: Path, disk: Path) -> Sequence[str]:
        log = self.directory / self.name / "console"
        argv = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "512", "-smp", "1"]
        argv += ["-kernel", str(tree / "vmlinuz"), "-initrd", str(tree / "initrd.img")]
        argv += ["-append", "console=ttyS0 root=/dev/vda rw", "-serial", f"file:{log}"]
        argv += ["-drive", f"file={disk},if=virtio,format=raw", "-device", "virtio-rng-pci"]
        for card, slot in enumerate(self.slots):
            argv += ["-netdev", f"tap,id=n{card},ifname={self.tap(card)},script=no,downscript=no"]
            mac = self.mac(card)
            argv += ["-device", f"virtio-net-pci,netdev=n{card},mac={mac},addr={slot:#x},romfile="]
        return argv

    def run(self, command: str) -> str:
        """What a shell command prints that runs on it as root, by SSH."""
        key = ("-i", str(self.directory / "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=20")
        trust = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        return root("ssh", "-q", *key, *trust, f"root@{self.address}", command)


def guest_root() -> Path:
    """The root of the containers with a kernel, made once for each box."""
    tree = cache() / "hostnet" / f"{ORDINARY.key}-guest"
    if not tree.exists():
        new = tree.with_name("new-guest")
        shutil.rmtree(new, ignore_errors=True)
        root("cp", "-a", str(base_root()), str(new))
        root("chroot", str(new), "sh", "-c", f"{_INSTALL} {_PACKAGES}")
        new.rename(tree)
    return tree


@contextmanager
def guests(directory: Path, made: Sequence[Guest]) -> Iterator[Sequence[Guest]]:
    """The guests, running, one booted after the other."""
    with network(directory), ExitStack() as running:
        for guest in made:
            running.enter_context(guest.running(guest_root()))
        yield made
