"""A lab of many nodes: LXC containers over one root, each with its own systemd, sshd and client.

    python -m tests.scale.lab up 100
    python -m tests.scale.lab status
    python -m tests.scale.lab down

What the nodes write is in memory, and gone with them. Needs root. A lab that a crash has left is
cleared by the next ``up`` or ``down``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from stackcook.cache import cache
from stackcook.chef.server.process import Process
from stackcook.errors import StackcookError
from stackcook.files import lock
from stackcook.machines.box import ORDINARY
from stackcook.machines.network import LabNetwork
from tests.scale.machine import LabError, Machine, checked

NAME = "scale"
NETWORK = IPv4Network("10.0.118.0/23")
FIRST = 10
"""The first node's number in the network."""

AT_ONCE = 4
"""Machines that boot at the same time."""

INSTANCES = 12
"""Of inotify, that one machine's systemd and services take; the kernel counts root's together."""

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_BASE_SCRIPT = Path(__file__).with_name("base.sh")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lab:
    """``root`` is the lab's directory; nothing of the lab is elsewhere but the shared root."""

    root: Path

    @property
    def key(self) -> Path:
        """What logs in to every node, as vagrant; of a kind that a knife without ed25519 reads."""
        return self.root / "ssh" / "id_ecdsa"

    @property
    def network(self) -> LabNetwork:
        """The bridge br-scale."""
        return LabNetwork(NAME, NETWORK, self.root)

    def machines(self) -> tuple[Machine, ...]:
        """Those that are there, running or not."""
        made = sorted((self.root / "lxc").glob(f"{NAME}-*/config"))
        return tuple(self._machine(int(path.parent.name.split("-")[-1])) for path in made)

    def up(self, count: int, say: Say) -> tuple[Machine, ...]:
        """Clear what is left of an earlier lab, then boot ``count`` nodes; all answer at the end.

        Raises LabError or StackcookError; what was started by then is the next ``down``'s.
        """
        self.down(say)
        base = _base(say)
        began = time.monotonic()
        self.root.mkdir(parents=True, exist_ok=True)
        self._raise_limit(count)
        self.network.up()
        self._make_key()
        machines = tuple(self._machine(number) for number in range(1, count + 1))
        self.network.guard(machine.address for machine in machines)
        public = self.key.with_suffix(".pub").read_text()

        def boot(machine: Machine) -> None:
            machine.make(base, self.network.bridge, self.network.address, public)
            machine.start()
            machine.answers()

        _each(machines, boot, say, "up")
        say(f"{count} nodes up in {time.monotonic() - began:.0f} s")
        return machines

    def down(self, say: Say) -> None:
        """Take the lab away, whatever is left of it."""
        if not self.root.exists():
            self.network.down()
            return
        began, machines = time.monotonic(), self.machines()
        for pid in self.root.glob("*/.stackcook/chef/server/pid"):
            if server := Process.load(pid):
                server.end(10)
        _each(machines, Machine.kill, say, "down")
        for layer in self._layers.glob("*"):
            if os.path.ismount(layer):
                checked("umount", str(layer))
        self.network.down()
        if (limit := self.root / "inotify").exists():
            checked("sysctl", "-q", "-w", f"fs.inotify.max_user_instances={limit.read_text()}")
        shutil.rmtree(self.root)
        say(f"{len(machines)} nodes away in {time.monotonic() - began:.0f} s")

    def status(self) -> str:
        """How many run, and the memory that they take."""
        running = [machine for machine in self.machines() if machine.running]
        taken = sum(machine.memory() for machine in running)
        written = sum(machine.written() for machine in running)
        return (
            f"{len(running)} of {len(self.machines())} nodes run; they hold {taken >> 20} MiB,"
            f" {written >> 20} MiB of it files"
        )

    @property
    def _layers(self) -> Path:
        return self.root / "layers"

    def _machine(self, number: int) -> Machine:
        name = f"{NAME}-{number:03}"
        interface = IPv4Interface((NETWORK[FIRST + number], NETWORK.prefixlen))
        return Machine(name, number, interface, self.root / "lxc" / name, self._layers / name)

    def _make_key(self) -> None:
        self.key.parent.mkdir(mode=0o700)
        kind = ("-m", "PEM", "-t", "ecdsa", "-N", "", "-C", NAME)
        argv = ("ssh-keygen", "-q", *kind, "-f", str(self.key))
        subprocess.run(argv, check=True)

    def _raise_limit(self, count: int) -> None:
        """Let so many systemds watch files; ``down`` sets the limit back."""
        before = int(_INOTIFY.read_text())
        if (wanted := 128 + count * INSTANCES) > before:
            (self.root / "inotify").write_text(str(before))
            checked("sysctl", "-q", "-w", f"fs.inotify.max_user_instances={wanted}")


@contextmanager
def locked() -> Iterator[Lab]:
    """The one lab of this machine, held against other processes that bring it up or use it."""
    directory = cache() / "lab"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{NAME}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("somebody else uses the lab") from None
        yield Lab(directory / NAME)


def _base(say: Say) -> Path:
    """The root that all nodes share, unpacked once for each box."""
    made_of = f"{ORDINARY.key}-{hashlib.sha256(_BASE_SCRIPT.read_bytes()).hexdigest()[:8]}"
    with ORDINARY.locked():
        packed = ORDINARY.build(say)
    bases = cache() / NAME
    bases.mkdir(parents=True, exist_ok=True)
    with lock(bases / "lock"):
        base = bases / made_of
        if not base.exists():
            say("unpacking the root that all nodes share")
            new = bases / "new"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            checked("sh", str(_BASE_SCRIPT), str(packed), str(new))
            new.rename(base)
    return base


def _each(
    machines: Sequence[Machine], work: Callable[[Machine], None], say: Say, what: str
) -> None:
    """Do ``work`` on every machine, a few at once; raises the first error once all have ended."""
    done = 0

    def one(machine: Machine) -> Exception | None:
        nonlocal done
        try:
            work(machine)
        except (LabError, OSError) as error:
            return error
        done += 1
        if done % 10 == 0:
            say(f"{done} of {len(machines)} {what}")
        return None

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        errors = [error for error in pool.map(one, machines) if error]
    if errors:
        raise LabError(f"{len(errors)} of {len(machines)} are not {what}: {errors[0]}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.scale.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up").add_argument("count", type=int)
    commands.add_parser("down")
    commands.add_parser("status")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        with locked() as lab:
            if arguments.command == "up":
                lab.up(arguments.count, say)
            elif arguments.command == "down":
                lab.down(say)
            else:
                print(lab.status())
    except (LabError, StackcookError) as error:
        print(f"the lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
