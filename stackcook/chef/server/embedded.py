"""The embedded Chef server: goiardi, with authentication, as a process that outlives stackcook."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackcook.addresses import bracketed
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.knife import write_config
from stackcook.chef.server.process import Process
from stackcook.chef.server.store import Store
from stackcook.command import find_program
from stackcook.errors import ChefServerError
from stackcook.files import lock, private_directory, write_private
from stackcook.manifest.model import ChefServer

PORT = 4545
USER = "admin"

_PATIENCE = 30.0
"""Seconds that the server may take to start, to stop, or to write its data."""

_PROBE = 2.0
"""Seconds that a request that checks whether it runs may take."""

_CONFIG = """\
# Written by stackcook at each start.
ipaddress = {address}
hostname = {address}
port = {port}
conf-root = {keys}
use-auth = true
disable-webui = true
data-file = {data}
index-file = {index}
freeze-interval = 1
local-filestore-dir = {files}
obj-max-size = 1073741824
json-req-max-size = 104857600
purge-sandboxes-after = "1h"
log-file = {log}
log-level = "warning"
"""


_PORTS = 100
"""How many ports are tried, from the first one on, if others are in use."""


@dataclass(frozen=True)
class ServerStatus:
    """Whether the server runs, as which process, and where it is (or was last) reached.

    ``url`` is empty if it has never run and its address is not known.
    """

    running: bool
    pid: int | None
    url: str
    log: Path


class EmbeddedServer:
    """goiardi on ``address``:``port``, its keys and data below ``state``/chef.

    Without a ``port``, it is the one of the last start (nodes have the URL in client.rb), or else
    PORT; if others use it, the next free one. Without an ``address`` it can only be inspected and
    stopped. Several objects, also in other processes, may represent the same server.
    """

    def __init__(self, state: Path, address: str = "", port: int | None = None) -> None:
        self.state = state.absolute()
        self._address, self._chosen = address, port
        self._keys = self.state / "chef"
        self._directory = self._keys / "server"
        self._store = Store(self._directory)
        self._config = self._directory / "goiardi.toml"
        self._pid = self._directory / "pid"
        self._log = self._directory / "log"

    @classmethod
    def running(cls, state: Path) -> ChefServer | None:
        """How clients reach the running server of ``state``; ``None`` if it does not run."""
        server = cls(state)
        return server._running if server.status().running else None

    @property
    def url(self) -> str:
        """Its URL, as it is or will be started."""
        address = self._address or self._recorded.get("ipaddress")
        return f"http://{bracketed(address)}:{self.port}" if address else ""

    @property
    def chef_server(self) -> ChefServer:
        """How clients reach it, as its administrator."""
        return ChefServer(self.url, USER, self._keys / f"{USER}.pem")

    @property
    def port(self) -> int:
        """The port that it is or will be started with, if no other program uses it."""
        return self._chosen or int(self._recorded.get("port", PORT))

    @property
    def _recorded(self) -> Mapping[str, Any]:
        """The settings of the last start; empty if it was another deployment's.

        After this directory was copied, they are those of the original, which may be running.
        """
        if not self._config.is_file():
            return {}
        found = tomllib.loads(self._config.read_text())
        keys = Path(found["conf-root"])
        return found if not keys.exists() or keys.samefile(self._keys) else {}

    @property
    def _process(self) -> Process | None:
        """Its process, if it runs."""
        process = Process.load(self._pid) if self._recorded else None
        return process if process and process.alive else None

    @property
    def _running(self) -> ChefServer:
        """The running server, which may have been started with another address."""
        there = self._recorded
        url = f"http://{bracketed(there['ipaddress'])}:{there['port']}"
        return replace(self.chef_server, url=url)

    def _settings(self, port: int) -> str:
        """The text of goiardi's configuration."""
        settings = {
            "address": self._address,
            "port": port,
            "keys": str(self._keys),
            "data": str(self._store.data),
            "index": str(self._store.index),
            "files": str(self._store.files),
            "log": str(self._log),
        }
        # A JSON string or number is one in TOML, too.
        return _CONFIG.format(
            **{name: json.dumps(value, ensure_ascii=False) for name, value in settings.items()}
        )

    def start(self) -> ChefServer:
        """Start it, unless it runs already with these settings; it responds when this returns.

        Raises ChefServerError: chosen port in use, foreign address, data damaged, goiardi's own
        failure.
        """
        private_directory(self._store.files)
        with lock(self._directory / "lock"):
            process = self._process
            if process and self._config.read_text() != self._settings(self.port):
                self._save_and_end(process)
                process = None
            if not process or not self._responds_or_ends(process):
                self._start()
            write_config(self.state, self.chef_server)
        return self.chef_server

    def stop(self) -> bool:
        """Save its data and stop it; whether it ran. Raises ChefServerError if it does not stop."""
        if not self._directory.is_dir():
            return False
        with lock(self._directory / "lock"):
            process = self._process
            if not process:
                return False
            self._save_and_end(process)
        return True

    def status(self) -> ServerStatus:
        """Whether it runs; looks at the process, sends no request."""
        process = self._process
        return ServerStatus(
            running=process is not None,
            pid=process.pid if process else None,
            url=self._running.url if process else self.url,
            log=self._log,
        )

    def remember(self, port: int) -> None:
        """Record the port of the next start, as if this had been the port of the last one."""
        write_private(self._config, self._settings(port))

    def settle(self) -> None:
        """Wait until all that was written so far is on disk; at once where it does not run.

        Raises ChefServerError if that takes too long.
        """
        if not self.status().running:
            return
        before = self._store.mark()
        # It saves only after a write; goiardi removes old sandboxes by itself.
        checksum = hashlib.md5(b"settle", usedforsecurity=False).hexdigest()
        with ChefClient(self._running) as client:
            client.post("/sandboxes", {"checksums": {checksum: None}})
        # It never writes while it saves: what is saved from now on includes all before.
        if not _wait(lambda: self._store.mark() != before):
            raise self._error("has not saved its data in time", "check that the disk is not full")
        self._store.keep()

    def _start(self) -> None:
        goiardi = find_program("goiardi")
        self._store.repair()
        first = not self._store.data.exists()
        # Variables would override the settings of the file.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GOIARDI")}
        wanted = self.port
        for port in range(wanted, wanted + (1 if self._chosen else _PORTS)):
            if not self._is_free(port):
                continue
            write_private(self._config, self._settings(port))
            logged = self._log.stat().st_size if self._log.exists() else 0
            process = Process.spawn((str(goiardi), "-c", str(self._config)), self._log, env)
            process.save(self._pid)
            if self._responds_or_ends(process):
                break
            self._pid.unlink()
            if self._is_free(port):  # else another server was faster
                raise self._why_not(logged)
        else:
            raise self._error(
                "cannot start: another program uses its port",
                "stop that program, or set another `server_port` in the manifest",
            )
        if not first:
            self._rebuild_index()

    def _is_free(self, port: int) -> bool:
        """Whether nothing listens at the port. Raises ChefServerError for a foreign address."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                reason = error.strerror or str(error)
                remedy = "correct `server_address` or `server_port` in the manifest"
                if error.errno == errno.EADDRNOTAVAIL:
                    reason = "this machine does not have that address"
                    remedy = (
                        "run `stackcook deploy` to create the lab's network, or correct "
                        "`server_address` in the manifest"
                    )
                raise self._error(f"cannot start: {reason}", remedy) from error
        return True

    def _save_and_end(self, process: Process) -> None:
        # goiardi would not finish a save that is under way.
        with suppress(ChefServerError):  # end it even if it does not respond
            self.settle()
        self._end(process)

    def _end(self, process: Process) -> None:
        if not process.end(_PATIENCE):
            raise self._error(f"did not stop (process {process.pid})", f"see {self._log}")
        self._pid.unlink()
        self._store.keep()

    def _responds_or_ends(self, process: Process) -> bool:
        """Wait until it responds (true) or has ended (false)."""
        if not _wait(lambda: not process.alive or self._responds()):
            self._end(process)
            raise self._error("did not respond in time", f"see {self._log}")
        return process.alive

    def _responds(self) -> bool:
        """Whether it accepts the signature; another server at this address would not."""
        if not self.chef_server.key.exists():
            return False
        try:
            with ChefClient(self.chef_server, timeout=_PROBE) as client:
                client.get("/environments")
        except ChefServerError:
            return False
        return True

    def _rebuild_index(self) -> None:
        """Rebuild the search index, and wait until search finds everything."""
        with ChefClient(self.chef_server) as client:
            client.post("/search/reindex", {})
            for kind in ("node", "role", "client", "environment"):
                there = len(client.get(f"/{kind}s"))
                query = f"/search/{kind}?q=*:*"
                if not _wait(lambda: bool(client.get(query)["total"] >= there)):
                    raise self._error(
                        f"did not finish rebuilding its search index ({kind})", f"see {self._log}"
                    )

    def _why_not(self, logged: int) -> ChefServerError:
        """The error that goiardi logged last; ``logged``: the size of its log before the start."""
        with self._log.open("rb") as file:
            file.seek(min(logged, self._log.stat().st_size))
            lines = file.read().decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "goiardi exited without a message"
        return self._error(f"cannot start: {reason}", f"see {self._log}")

    def _error(self, what: str, remedy: str) -> ChefServerError:
        return ChefServerError(f"the embedded Chef server {what}", where=self.url, remedy=remedy)


def _wait(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
