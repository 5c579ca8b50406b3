"""LXC containers made outside Vagrant, as hosts for tests: their files, network cards and life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackcook.command import Command, Completed, as_root, run

_CONFIG = """\
lxc.include = /usr/share/lxc/config/common.conf
lxc.arch = amd64
lxc.apparmor.profile = unconfined
lxc.mount.auto = proc:{access} sys:{access} cgroup:mixed
lxc.cap.drop =
lxc.cgroup.devices.allow = c 10:200 rwm
lxc.mount.entry = /dev/net dev/net none bind,create=dir
lxc.uts.name = {name}
lxc.rootfs.path = {root}
lxc.log.file = {directory}/log
"""
_CARD = """\
lxc.net.{number}.type = veth
lxc.net.{number}.link = {bridge}
lxc.net.{number}.name = eth{number}
lxc.net.{number}.veth.pair = {link}
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class HostError(Exception):
    """Something of the hosts does not do what it should; one line."""


@dataclass(frozen=True)
class Container:
    """A container: ``directory``, of the same name, has its configuration and its log.

    ``layer`` is what differs from the root that it shares with others, or its whole root.
    """

    directory: Path
    layer: Path

    @property
    def made(self) -> bool:
        """Whether it exists."""
        return self._config.exists()

    @property
    def _config(self) -> Path:
        return self.directory / "config"

    def make(
        self,
        base: Path | None,
        cards: Sequence[tuple[str, str]],
        files: Mapping[str, str],
        *,
        access: str = "rw",
        more: str = "",
    ) -> None:
        """Make it, with the root ``base``, if it shares one, and its own files, by path.

        ``cards`` are eth0, eth1, …: the bridge of each, and the name of this machine's end.
        ``access`` is that to /proc and /sys, as LXC names it; ``more`` is further configuration.
        """
        write(self.layer, files)
        name, directory = self.directory.name, self.directory
        root = f"overlay:{base}:{self.layer}" if base else f"dir:{self.layer}"
        text = _CONFIG.format(name=name, root=root, directory=directory, access=access)
        for number, (bridge, link) in enumerate(cards):
            text += _CARD.format(number=number, bridge=bridge, link=link)
        self._config.write_text(text + more)

    def start(self) -> None:
        """Boot it; it need not answer yet."""
        self.lxc("lxc-start", "-d", "-f", str(self._config))

    def stop(self) -> None:
        """Pull its plug; one that doesn't run is no failure."""
        if "STOPPED" not in self.lxc("lxc-info", "-s").output:
            self.lxc("lxc-stop", "-k")

    def run(self, script: str) -> str:
        """What a shell script prints that runs on it as root, past its network and sshd."""
        shell = ("--clear-env", "-v", f"PATH={_PATH}", "--", "sh", "-c", script)
        return self.lxc("lxc-attach", *shell).output

    def lxc(self, program: str, *arguments: str) -> Completed:
        """Run one of LXC's programs for it."""
        where = ("-P", str(self.directory.parent), "-n", self.directory.name)
        return checked(program, *where, *arguments)


def write(tree: Path, files: Mapping[str, str]) -> None:
    """Write files below ``tree``, by path."""
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def checked(program: str, *arguments: str) -> Completed:
    """Run a program as root; raises HostError if it fails."""
    done = run(Command(as_root(program, *arguments), apart=True), timeout=600)
    if done.status:
        said = f"{done.output}{done.errors}".strip()[-500:]
        raise HostError(f"{program} {' '.join(arguments)} failed: {said}")
    return done
