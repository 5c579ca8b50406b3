"""A Chef server to upload to, a repository, and the programs that do it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import sample
from stackcook.chef.objects.cookbook import stored_files
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer

LIMIT = 300.0
"""Seconds that a program may take."""

_MEASURE = Path(__file__).with_name("measure.py")


class Failed(Exception):
    """A program failed, took too long, or did not upload what it should have."""


@dataclass(frozen=True)
class Run:
    """One run of a program: seconds on the clock and of CPU, MiB at most in one process."""

    seconds: float
    cpu: float
    mib: float


class Stage:
    """A repository below ``directory``, and one server after another at the same port."""

    def __init__(self, directory: Path, cookbooks: int) -> None:
        self.cookbooks = cookbooks
        self._repository = directory / "repository"
        self._directory = directory
        self._renewed = 0
        self._log = directory / "said"
        self._changes = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._server = EmbeddedServer(self._place("server"), "127.0.0.1", self._port)
        sample.write(self._repository, cookbooks)

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()

    def renew(self) -> None:
        """A new server, which has nothing, and a new home directory, which knows nothing."""
        self.close()
        # Nothing is removed: some file systems make files slowly for a while after that.
        self._renewed += 1
        for name in ("server", "home"):
            self._place(name).mkdir(mode=0o700)
        self._server = EmbeddedServer(self._place("server"), "127.0.0.1", self._port)
        server = self._server.start()
        sample.write_settings(self._repository, server.url, server.user, server.key)

    def change(self) -> None:
        """Change one file of the repository."""
        self._changes += 1
        path = sample.changed(self._repository)
        path.write_text(f"{path.read_text()}# change {self._changes}\n")

    def run(self, argv: Sequence[str], path: Path | None = None, limit: float = LIMIT) -> Run:
        """Run a program that uploads; what is in ``path`` is found before all others.

        Raises Failed, with its last words.
        """
        with self._log.open("wb") as said:
            process = subprocess.Popen(
                (sys.executable, "-I", str(_MEASURE), *argv),
                cwd=self._repository,
                env=self._environment(path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                raise Failed(f"{' '.join(argv)} took more than {limit:.0f} s") from None
            finally:
                self._end(process)
        measured = json.loads(output.splitlines()[-1])
        if measured.pop("status") != 0:
            words = output.decode() + self._log.read_text(errors="replace")
            raise Failed(f"{' '.join(argv)}: {words[-2000:]}")
        return Run(**measured)

    def check(self, *, roles: bool) -> None:
        """Raise Failed if the server does not hold the repository."""
        path = sample.changed(self._repository)
        name, recipe = path.parts[-3], path.read_bytes()
        with ChefClient(self._server.chef_server) as client:
            there = client.get("/cookbooks?num_versions=1")
            complete = len(there) == self.cookbooks
            if roles:
                complete &= len(client.get("/roles")) == sample.roles(self.cookbooks)
                complete &= len(client.get("/environments")) == sample.ENVIRONMENTS + 1
            version = there[name]["versions"][0]["version"] if complete else ""
            if complete:
                stored = stored_files(client.get(f"/cookbooks/{name}/{version}"))
                complete = stored["recipes/f3.rb"] == hashlib.md5(recipe).hexdigest()
        if not complete:
            raise Failed("the server does not hold the repository after an upload")

    def _place(self, name: str) -> Path:
        """Below which all is that the present server, or home directory, has."""
        return self._directory / f"{name}-{self._renewed}"

    def _environment(self, path: Path | None) -> dict[str, str]:
        """Nothing of the user's own that the programs would look at."""
        here = {name: value for name, value in os.environ.items() if not _is_theirs(name)}
        own = Path(sys.executable).parent
        places = [*filter(None, (path, own)), here.get("PATH", os.defpath)]
        programs = os.pathsep.join(map(str, places))
        home = str(self._place("home"))
        return {**here, "PATH": programs, "HOME": home, "CHEF_LICENSE": "accept-silent"}

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        """See that nothing of it is left."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended, and all that it started
        process.wait()


def plain_knife() -> Path | None:
    """The directory of a knife as `gem install` makes it; None, and a word why, without one."""
    program = str(_MEASURE.with_name("gem_knife"))
    done = subprocess.run((program,), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print("bench: no knife by `gem install`: only that of `stackcook setup`", file=sys.stderr)
        return None
    return Path(done.stdout.strip())


def _is_theirs(name: str) -> bool:
    theirs = ("CHEF_", "KNIFE_", "XDG_", "RUBY", "GEM_", "BUNDLE_", "PYTHON", "STACKCOOK")
    return name.startswith(theirs)
