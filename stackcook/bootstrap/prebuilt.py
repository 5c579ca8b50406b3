"""The Chef client as files for nodes: built once on this machine, and kept in its cache."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from stackcook.cache import cache
from stackcook.client import BUILD, FETCH, LOCK, collect, gems
from stackcook.command import Command, Runner, Say, as_root, run
from stackcook.errors import NodeError, Transient
from stackcook.files import checksum, lock
from stackcook.retry import output_is_transient

OnStart = Callable[[Callable[[], None]], None]


class Prebuilt:
    """Builds what is missing; thread-safe. Methods raise NodeError if that fails.

    ``say`` gets a line before a build; ``on_start`` gets a function that ends it.
    """

    def __init__(self, runner: Runner = run) -> None:
        self._run = runner
        self._lock = threading.Lock()
        self._failed: dict[Path, NodeError] = {}

    def package(self, codename: str, architecture: str, say: Say, on_start: OnStart) -> Path:
        """A Debian package with the compiled gems, for one release and architecture.

        It can be built only for this machine's architecture, and by root.
        """
        path = self._directory / f"stackcook-chef-client_{codename}_{architecture}.deb"

        def build(gems: Path) -> Command:
            say(f"building the Chef client for {codename} (takes one to three minutes, only once)")
            files = map(str, (path, codename, architecture, gems, FETCH, LOCK))
            return Command(as_root("bash", str(BUILD), *files))

        with self._lock:  # one for all nodes; and after a failure not one for each
            if path in self._failed:
                raise self._failed[path]
            try:
                return self._built(path, build, on_start)
            except NodeError as error:
                self._failed[path] = error
                raise

    def archive(self, say: Say, on_start: OnStart) -> Path:
        """A tar archive of the gems, not compiled, and a ``list`` in the order to install them."""
        path = self._directory / "gems.tar"

        def download(gems: Path) -> Command:
            say("downloading the Chef client's gems")
            return Command(("/usr/bin/ruby", str(FETCH), str(gems), str(LOCK)))

        with self._lock:
            return self._built(path, download, on_start)

    @property
    def _directory(self) -> Path:
        key = hashlib.sha256(LOCK.read_bytes() + BUILD.read_bytes()).hexdigest()[:12]
        return cache() / "client" / key

    def _built(self, path: Path, command: Callable[[Path], Command], on_start: OnStart) -> Path:
        """The file, made by the command unless it is there, as whole as when it was made."""
        recorded = path.with_name(f"{path.name}.sha256")
        with lock(path.with_name("lock")), tempfile.TemporaryDirectory() as collected:
            if path.exists() and recorded.exists() and recorded.read_text() == checksum(path):
                return path
            directory = Path(collected)
            collect(directory)
            done = self._run(command(directory), on_start=on_start)
            if done.status:
                kind = Transient if output_is_transient(done.output.splitlines()) else NodeError
                raise kind(f"cannot make {path.name}: {done.last}", where="this machine")
            if path.suffix == ".tar":
                _pack(directory, path)
            recorded.write_text(checksum(path))
        return path


def _pack(directory: Path, path: Path) -> None:
    names = [f"{name}-{version}.gem" for name, version in gems().items()]
    (directory / "list").write_text("\n".join(names) + "\n")
    with tarfile.open(path, "w") as archive:
        for name in (*names, "list"):
            archive.add(directory / name, name)
