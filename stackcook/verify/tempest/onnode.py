"""Tempest on a node, over SSH: installed, run and removed by ``tempest.sh``."""

from __future__ import annotations

import gzip
import shlex
from base64 import b64decode
from binascii import Error as Base64Error
from pathlib import Path

from stackcook.command import Completed, Say, last_line
from stackcook.errors import VerifyError
from stackcook.remote.base import Remote, as_root

DIRECTORY = "/var/lib/stackcook-tempest"
"""Where everything is on the node; only root can read it, as it holds the admin's password."""

_SCRIPT = Path(__file__).with_name("tempest.sh")
_STREAM = Path(__file__).with_name("stream.py")
_UNIT = "stackcook-tempest"
"""In which tempest.sh runs the tests."""

_INSTALL = 900.0
_LIST = 300.0
_REMOVE = 900.0


class OnNode:
    """Tempest on the node of a connection. Methods raise VerifyError, and NodeError as it does."""

    def __init__(self, remote: Remote, node: str) -> None:
        self._remote = remote
        self._node = node
        self.journal = f"see why with `stackcook ssh {node} -- sudo journalctl -n 50 -u {_UNIT}`"

    def install(self) -> None:
        """Remove what a killed run has left, and install the package if it is missing."""
        self._put("tempest.sh", _SCRIPT.read_text())
        self._call("prepare", timeout=_REMOVE)
        self._call("install", timeout=_INSTALL)

    def configure(self, config: str) -> None:
        """Write tempest.conf."""
        self._put("workspace/etc/tempest.conf", config)
        self._put("workspace/stream.py", _STREAM.read_text())

    def tests(self) -> str:
        """The list of all tests, as Tempest prints it."""
        return self._call("list", timeout=_LIST).output

    def room(self) -> tuple[int, int]:
        """The node's CPUs, and its free memory in MiB."""
        command = "nproc; awk '$1 == \"MemAvailable:\" {print int($2 / 1024)}' /proc/meminfo"
        done = self._remote.run(command, timeout=30, apart=True)
        try:
            cpus, memory = map(int, done.output.split())
        except ValueError as error:
            raise VerifyError(
                f"cannot read CPUs and memory: {done.quoted}",
                remedy=f"`stackcook ssh {self._node} -- nproc` must print just a number",
            ) from error
        return cpus, memory

    def run(self, tests: str, workers: int, on_line: Say) -> None:
        """Run the tests of a list, one line each; ``on_line`` gets what ``stream.py`` prints.

        A failed test is no error.
        """
        self._put("workspace/tests.txt", tests)
        self._call("run", str(workers), on_line=on_line)

    def subunit(self) -> bytes:
        """The results of the last run as a subunit stream (version 2)."""
        done = self._call("subunit", timeout=300)
        try:
            return gzip.decompress(b64decode(done.output))
        except (Base64Error, OSError, EOFError) as error:
            what = f"cannot read Tempest's results ({error})"
            raise VerifyError(what, remedy="run it again to keep them") from error

    def remove(self, *, packages: bool) -> None:
        """Stop Tempest; delete what the tests have left in the cloud, and the directory's files.

        With ``packages`` also the packages that were installed for it.
        """
        self._call("uninstall" if packages else "remove", timeout=_REMOVE)

    def _put(self, name: str, text: str) -> None:
        """Write a file below the directory, mode 0600."""
        path = shlex.quote(f"{DIRECTORY}/{name}")
        command = f"umask 077 && mkdir -p {DIRECTORY} && cat >{path}"
        done = as_root(self._remote, command, stdin=text, timeout=60)
        if done.status != 0:
            raise VerifyError(
                f"cannot write {path} on {self._node}: {done.last}",
                remedy=f"see what is full with `stackcook ssh {self._node} -- df -h`",
            )

    def _call(
        self, *arguments: str, timeout: float | None = None, on_line: Say | None = None
    ) -> Completed:
        command = f"sh {DIRECTORY}/tempest.sh {shlex.join(arguments)} </dev/null"
        done = as_root(self._remote, command, timeout=timeout, on_line=on_line, apart=True)
        if done.status != 0:
            last = last_line(done.errors.strip() or done.output)
            updates = f"`stackcook ssh {self._node} -- sudo apt-get update`"
            remedies = {"install": f"check that {updates} succeeds", "run": self.journal}
            raise VerifyError(
                f"`{DIRECTORY}/tempest.sh {arguments[0]}` on {self._node} failed: {last}",
                remedy=remedies.get(arguments[0], ""),
            )
        return done
