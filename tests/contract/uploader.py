"""A Chef server, and a repository that goes to it by ``stackcook upload``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.upload import upload
from stackcook.manifest.model import ChefServer
from tests.contract.held import Held
from tests.contract.proxy import Proxy
from tests.contract.servers import running
from tests.contract.uploads import Site


@dataclass(frozen=True)
class Clean:
    """An upload that nothing disturbs: how many requests it is, what the server then holds."""

    requests: int
    held: Any


@dataclass(frozen=True)
class Uploader:
    """A running server, and the site that is uploaded to it."""

    server: ChefServer
    site: Site

    @property
    def said(self) -> Path:
        """What the last upload said."""
        return self.site.root.with_name("said")

    def prepare(self, client: ChefClient, salt: str, *, update: bool) -> None:
        """A server that holds nothing, or the old state; on disk is the new one."""
        Held.by(client).wipe(client)
        if update:
            self.site.write(new=False, salt=salt)
            upload(client, self.site.repository(self.site.manifest(self.server, new=False)))
        self.site.write(new=True, salt=salt)

    def start(self, server: ChefServer) -> subprocess.Popen[bytes]:
        """Start ``stackcook upload`` to the server, or to the proxy before it."""
        self.site.manifest(server, new=True)
        with self.said.open("wb") as said:
            return subprocess.Popen(
                self.site.command,
                cwd=self.site.root,
                env=self.site.environment,
                stdout=said,
                stderr=said,
            )

    def clean(self, *, update: bool) -> Clean:
        """Upload undisturbed, to a server that holds nothing or the old state."""
        with ChefClient(self.server) as client:
            self.prepare(client, f"clean {update}", update=update)
            with Proxy(self.server.url) as proxy:
                status = self.start(proxy.before(self.server)).wait(60)
            assert status == 0, self.said.read_text()
            return Clean(len(proxy.requests), Held.by(client).bare(self.site))


@contextmanager
def uploader_to(server: str, directory: Path) -> Iterator[Uploader]:
    """To one of SERVERS."""
    with running(server, directory) as chef_server:
        yield Uploader(chef_server, Site(directory / "repository"))
