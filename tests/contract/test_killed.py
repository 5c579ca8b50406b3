"""An upload that is killed shows nothing by halves, and the next one ends as if it had not been."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from stackcook.chef.client import ChefClient
from stackcook.chef.upload import upload
from stackcook.manifest.model import ChefServer
from tests.contract.held import Held
from tests.contract.proxy import Fault, Proxy, Request
from tests.contract.servers import running
from tests.contract.uploads import Site

MOMENTS = 20
"""Into so many parts an upload is divided; it is killed once in each."""

SEED = 5


@dataclass(frozen=True)
class Lab:
    """A server, and the repository that goes to it."""

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


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("killed")
    with running(request.param, directory) as server:
        yield Lab(server, Site(directory / "repository"))


@dataclass(frozen=True)
class Clean:
    """An upload that nobody kills: how many requests it is, and what the server then holds."""

    requests: int
    held: Any


@pytest.fixture(scope="module")
def clean(lab: Lab) -> dict[bool, Clean]:
    """Of an upload to a server that holds nothing, and of one to a server with the old state."""
    found = {}
    with ChefClient(lab.server) as client:
        for update in (False, True):
            lab.prepare(client, f"clean {update}", update=update)
            with Proxy(lab.server.url) as proxy:
                assert run(lab, proxy.before(lab.server)).wait(60) == 0
            found[update] = Clean(len(proxy.requests), Held.by(client).bare(lab.site))
    return found


def run(lab: Lab, server: ChefServer) -> subprocess.Popen[bytes]:
    """Start ``stackcook upload`` to the server, or the proxy before it."""
    lab.site.manifest(server, new=True)
    with lab.said.open("wb") as said:
        return subprocess.Popen(
            lab.site.command,
            cwd=lab.site.root,
            env=lab.site.environment,
            stdout=said,
            stderr=said,
        )


@pytest.mark.parametrize("lab", ["goiardi"], indirect=True, scope="module")
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_next_upload_ends_as_a_clean_one(
    lab: Lab, clean: dict[bool, Clean], moment: int
) -> None:
    kill_and_upload_again(lab, clean, moment)


@pytest.mark.parametrize("lab", ["chef-zero"], indirect=True, scope="module")
@pytest.mark.parametrize("moment", range(1, MOMENTS, 3))  # it takes three times as long
def test_in_the_other_dialect_too(lab: Lab, clean: dict[bool, Clean], moment: int) -> None:
    kill_and_upload_again(lab, clean, moment)


def kill_and_upload_again(lab: Lab, clean: dict[bool, Clean], moment: int) -> None:
    """Uploads from nothing and from the old state, in turn."""
    dice = random.Random(f"{SEED} {moment}")
    update = bool(moment % 2)
    number = 1 + int((moment + dice.random()) / MOMENTS * clean[update].requests)
    fate = dice.choice((None, Fault.DROP, Fault.LOST))
    with ChefClient(lab.server) as client:
        lab.prepare(client, f"kill {moment}", update=update)
        killed(lab, number, fate)
        assert Held.by(client).half_visible() == []
        assert run(lab, lab.server).wait(60) == 0, lab.said.read_text()
        held = Held.by(client)
    assert held.half_visible() == []
    assert held.bare(lab.site) == clean[update].held


def killed(lab: Lab, number: int, fate: Fault | None) -> None:
    """An upload that is killed when its ``number``-th request comes, the body half read or not."""
    started: Queue[subprocess.Popen[bytes]] = Queue()

    def judge(request: Request) -> Fault | None:
        if request.number != number:
            return None
        victim = started.get()
        victim.kill()
        victim.wait()
        return fate

    with Proxy(lab.server.url, judge) as proxy:
        process = run(lab, proxy.before(lab.server))
        started.put(process)
        assert process.wait(60) == -9, lab.said.read_text()
