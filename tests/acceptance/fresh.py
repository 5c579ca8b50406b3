"""Fresh Debian systems: the files of one, or a machine that runs it and can have a lab of its own.

A machine is a privileged container, in whose network namespace nothing else runs.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from stackcook.cache import cache
from stackcook.files import lock
from stackcook.machines.network import LabNetwork
from tests.containers import Container, checked
from tests.started import ROOT, Done, Started

SOURCES = r"""
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE "s/^(\S+) $codename(|-updates|-security) main\$/deb \1 SUITE\2 main/p" | sort -u
"""
"""Prints this machine's apt sources for another suite."""

AUTHORITIES = Path("/usr/local/share/ca-certificates")
"""Certificate authorities of the network that this machine is in."""

INSTALLED = "ca-certificates,dbus,git,iproute2,libpam-systemd,make,sudo,systemd-sysv,tzdata"
"""What a machine has: what Debian's installer leaves, and what the README asks for."""

_CONTAINER = """\
lxc.mount.auto = cgroup:rw:force
lxc.cgroup.devices.allow = a
lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file
lxc.net.0.flags = up
lxc.net.0.ipv4.address = {address}/{length}
lxc.net.0.ipv4.gateway = {gateway}
"""
"""All control groups and all devices, for the containers within it; FUSE is for lxcfs."""

_LXCFS = "[Unit]\nConditionVirtualization=\n"
"""Lets lxcfs run in a container: what stands for a machine here is one."""

BOOT = 120
"""Seconds that a machine may take until all its services run."""

DEPLOY = 2 * 60 * 60.0
"""Seconds that the first deploy may take: it downloads 1 GB, and builds gems and the box."""

VERIFIED = re.compile(r"\d+ checks passed; an instance answered on \S+ \(compute1\)")
"""What `deploy` prints at the end, for a cloud with one compute node."""

log = logging.getLogger("fresh")


def debian(root: Path, suite: str, packages: str, *options: str) -> None:
    """Make a new Debian in the directory ``root``, with ``packages`` from this machine's mirror.

    ``options`` are mmdebstrap's.
    """
    script = SOURCES.replace("SUITE", suite)
    sources = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--dpkgopt=force-unsafe-io"]
    argv += [f"--include={packages}", *options, suite, str(root), "-"]
    subprocess.run(argv, input=sources.stdout, text=True, check=True)


@dataclass(frozen=True)
class Machine:
    """A machine with a fresh Debian 12; its container and its files are in ``directory``."""

    directory: Path
    network: LabNetwork

    @property
    def root(self) -> Path:
        """Its root file system."""
        return self.directory / "root"

    @property
    def _container(self) -> Container:
        return Container(self.directory, self.root)

    def boot(self) -> None:
        """Install it, and wait until it has booted."""
        self.network.up()
        self.directory.mkdir(parents=True)
        debian(self.root, "bookworm", INSTALLED, "--skip=cleanup/apt/lists")
        name, address = self.directory.name, self.network.network[10]
        files = {
            "etc/hostname": f"{name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {name}\n",
            "etc/resolv.conf": Path("/etc/resolv.conf").read_text(),
            "etc/systemd/system/lxcfs.service.d/container.conf": _LXCFS,
        }
        for path in AUTHORITIES.glob("*.crt"):
            files[str(path.relative_to("/"))] = path.read_text()
        more = _CONTAINER.format(
            address=address, length=self.network.network.prefixlen, gateway=self.network.address
        )
        card = (self.network.bridge, f"{name}-0")
        self._container.make(None, [card], files, more=more)
        self._container.start()
        # Until systemd listens, there is nothing that could wait.
        self._container.run(
            f"timeout {BOOT} sh -c 'until systemctl is-system-running --wait; do sleep 0.2; done'"
            " && update-ca-certificates"
        )

    def clear(self) -> None:
        """Take it away, whatever is left of it."""
        if self._container.made:
            self._container.stop()
        self.network.down()
        shutil.rmtree(self.directory, ignore_errors=True)

    def add_user(self, name: str) -> None:
        """Add a user who may become root by sudo, without a password."""
        self._container.run(
            f"useradd --create-home --shell /bin/bash {name}"
            f" && echo '{name} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{name}"
        )

    def fill_cache(self, user: str) -> None:
        """Give the user the gems and boxes of the cache CACHE, if that is in the environment."""
        if "CACHE" in os.environ:
            target = self.home(user) / ".cache/stackcook"
            target.mkdir(parents=True)
            parts = (f"{os.environ['CACHE']}/{part}" for part in ("gems", "boxes"))
            checked("cp", "-a", *parts, str(target))
            self.give(user, ".cache")

    def home(self, user: str) -> Path:
        """The home directory of a user, as this machine sees it."""
        return self.root / ("root" if user == "root" else f"home/{user}")

    def give(self, user: str, name: str) -> None:
        """Make the user the owner of a file or a directory in the user's home."""
        self._container.run(f"chown -R {user}: ~{user}/{shlex.quote(name)}")

    def clone(self, user: str) -> None:
        """Give the user a clone of this checkout, in ``stackcook``: what was committed."""
        checked(
            "git", "clone", "--quiet", "--no-hardlinks", str(ROOT), f"{self.home(user)}/stackcook"
        )
        self.give(user, "stackcook")

    def run(
        self, user: str, command: str, *, where: str = ".", typed: str = "", timeout: float = 600
    ) -> Done:
        """Run a shell command as a user who has just logged in, in a directory of the user's home.

        With ``typed``, it runs on a terminal and gets this text as input.
        """
        log.info("%s:%s$ %s", user, where, command)
        if typed:
            command = f"script --quiet --return --command {shlex.quote(command)} /dev/null"
        inside = ("su", "-", user, "-c", f"cd {where} && {command}")
        container = ("-P", str(self.directory.parent), "-n", self.directory.name)
        argv = ("lxc-attach", *container, "--clear-env", "--", *inside)
        done = Started(argv, cwd=self.directory, tell=log.info, stdin=typed).ended(timeout)
        assert done.status == 0, f"{command}: {done.out}{done.err}"
        return done


@contextmanager
def machine(name: str, network: IPv4Network) -> Iterator[Machine]:
    """A fresh machine; with STACKCOOK_LAB_KEEP in the environment it is left."""
    directory = cache() / "fresh" / name
    directory.parent.mkdir(parents=True, exist_ok=True)
    with lock(directory.with_suffix(".lock")):
        made = Machine(directory, LabNetwork(name, network, directory))
        made.clear()
        try:
            made.boot()
            yield made
        finally:
            if "STACKCOOK_LAB_KEEP" not in os.environ:
                made.clear()
