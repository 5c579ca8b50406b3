"""One machine of the lab: an LXC container over the shared root, and the faults it can be given."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from stackcook.command import Command, Completed, as_root, run
from tests.answers import ssh_answers

BOOT = 120.0
"""Seconds that a machine may take until its sshd answers."""

HOST_KEY = "ssh_host_ecdsa_key"

SIZE = "4g"
"""Of a machine's disk, in memory; what is not written takes none."""

_CONFIG = """\
lxc.include = /usr/share/lxc/config/common.conf
lxc.arch = amd64
lxc.apparmor.profile = unconfined
# Read-only where the kernel is everybody's: a node's systemd sets nothing on the host.
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.uts.name = {name}
lxc.rootfs.path = overlay:{base}:{upper}
lxc.log.file = {log}
lxc.net.0.type = veth
lxc.net.0.link = {bridge}
lxc.net.0.name = eth0
lxc.net.0.flags = up
lxc.net.0.veth.pair = {link}
lxc.net.0.ipv4.address = {interface}
lxc.net.0.ipv4.gateway = {gateway}
"""


class LabError(Exception):
    """Something of the lab does not do what it should; one line."""


@dataclass(frozen=True)
class Machine:
    """``directory`` has its configuration, ``layer`` what it changes of the shared root."""

    name: str
    number: int
    interface: IPv4Interface
    directory: Path
    layer: Path

    @property
    def address(self) -> IPv4Address:
        """Where its sshd listens."""
        return self.interface.ip

    @property
    def link(self) -> str:
        """This machine's end of its cable."""
        return f"scale{self.number}"

    def make(self, base: Path, bridge: str, gateway: IPv4Address, public_key: str) -> None:
        """Its configuration and identity: name, machine-id, host key, and who may log in."""
        upper = self.layer / "delta0"
        self.layer.mkdir(parents=True)
        checked("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "scale", str(self.layer))
        self.directory.mkdir(parents=True)
        (self.directory / "config").write_text(
            _CONFIG.format(
                name=self.name,
                base=base,
                upper=upper,
                log=self.directory / "log",
                bridge=bridge,
                link=self.link,
                interface=self.interface,
                gateway=gateway,
            )
        )
        ssh, home = upper / "etc/ssh", upper / "home/vagrant/.ssh"
        ssh.mkdir(parents=True)
        (upper / "etc/hostname").write_text(f"{self.name}\n")
        (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        (upper / "etc/machine-id").write_text(f"{self.number:032x}\n")
        key = ("-t", "ecdsa", "-N", "", "-C", self.name, "-f", str(ssh / HOST_KEY))
        checked("ssh-keygen", "-q", *key)
        home.mkdir(parents=True)
        (home / "authorized_keys").write_text(public_key)
        for made, mode in ((home.parent, 0o700), (home, 0o700), (home / "authorized_keys", 0o600)):
            made.chmod(mode)
            shutil.chown(made, 1000, 1000)  # vagrant, in the box

    def start(self) -> None:
        """Boot it; it need not answer yet."""
        self._lxc("lxc-start", "-d", "-f", str(self.directory / "config"))

    def answers(self, patience: float = BOOT) -> None:
        """Wait until its sshd says so; raises LabError if it doesn't in time."""
        if not ssh_answers(self.address, patience):
            raise LabError(f"{self.name} does not answer within {patience:.0f} s")

    @property
    def running(self) -> bool:
        """Whether it has been started and not ended; a frozen one has not."""
        return "RUNNING" in (state := self._state()) or "FROZEN" in state

    def kill(self) -> None:
        """Pull its plug, frozen or not; one that doesn't run is no failure."""
        state = self._state()
        if "FROZEN" in state:
            self.thaw()
        if "STOPPED" not in state:
            self._lxc("lxc-stop", "-k")

    def freeze(self) -> None:
        """Stop all its processes where they are; its kernel still answers pings and SYNs."""
        self._lxc("lxc-freeze")

    def thaw(self) -> None:
        """Let them go on."""
        self._lxc("lxc-unfreeze")

    def unplug(self) -> None:
        """Take its network away, at this machine's end of the cable."""
        checked("ip", "link", "set", self.link, "down")

    def plug(self) -> None:
        """Give it back."""
        checked("ip", "link", "set", self.link, "up")

    def new_host_key(self) -> None:
        """Another SSH host key, as a machine that was made anew has."""
        key = f"/etc/ssh/{HOST_KEY}"
        self.run(f"rm {key} && ssh-keygen -q -t ecdsa -N '' -f {key} && systemctl restart ssh")

    def reboot(self) -> None:
        """Start it anew without asking its processes, as its reset button would."""
        self.run("systemctl reboot --force --force")

    def fill_disk(self) -> None:
        """Leave no room on its disk."""
        self._resize(f"{self.written()}")

    def has(self, path: str, patience: float = BOOT) -> None:
        """Wait until it has written ``path``, from its root; raises LabError if it doesn't."""
        deadline = time.monotonic() + patience
        while not (self.layer / "delta0" / path).exists():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} does not write {path}")
            time.sleep(0.02)

    def free_disk(self) -> None:
        """Give the room back."""
        self._resize(SIZE)

    def _resize(self, size: str) -> None:
        checked("mount", "-o", f"remount,size={size}", str(self.layer))

    def written(self) -> int:
        """Bytes of its files that are not the shared root's."""
        return shutil.disk_usage(self.layer).used

    def run(self, command: str) -> Completed:
        """Run a shell command in it as root, past its network and sshd."""
        return self._lxc("lxc-attach", "--clear-env", "--", "/bin/sh", "-c", command)

    def memory(self) -> int:
        """Bytes that its processes and files hold, its share of the common root not counted."""
        said = self._lxc("lxc-cgroup", "memory.usage_in_bytes").output
        return int(said.strip())

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        return int(self._lxc("lxc-cgroup", "cpuacct.usage").output.strip()) / 1e9

    def _state(self) -> str:
        return self._lxc("lxc-info", "-s").output

    def _lxc(self, program: str, *arguments: str) -> Completed:
        where = ("-P", str(self.directory.parent), "-n", self.name)
        return checked(program, *where, *arguments)


def checked(program: str, *arguments: str) -> Completed:
    """Run a program as root; raises LabError if it fails."""
    done = run(Command(as_root(program, *arguments)), timeout=300)
    if done.status:
        raise LabError(f"{program} {' '.join(arguments)} failed: {done.output.strip()[-500:]}")
    return done
