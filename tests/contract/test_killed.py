"""An upload that is killed shows nothing by halves, and the next one ends as if it had not been."""

from __future__ import annotations

import random
import subprocess
from queue import Queue

import pytest

from stackcook.chef.rest.client import ChefClient
from tests.contract.held import Held
from tests.contract.uploader import Clean, Uploader
from tests.contract.proxy import Fault, Proxy, Request

MOMENTS = 20
"""Into so many parts an upload is divided; it is killed once in each."""

SEED = 5


@pytest.fixture(scope="module")
def clean(uploader: Uploader) -> dict[bool, Clean]:
    """By whether the server holds the old state before."""
    return {update: uploader.clean(update=update) for update in (False, True)}


@pytest.mark.parametrize("uploader", ["goiardi"], indirect=True, scope="module")
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_next_upload_ends_as_a_clean_one(
    uploader: Uploader, clean: dict[bool, Clean], moment: int
) -> None:
    kill_and_upload_again(uploader, clean, moment)


@pytest.mark.parametrize("uploader", ["chef-zero"], indirect=True, scope="module")
@pytest.mark.parametrize("moment", range(1, MOMENTS, 3))  # it takes three times as long
def test_in_the_other_dialect_too(
    uploader: Uploader, clean: dict[bool, Clean], moment: int
) -> None:
    kill_and_upload_again(uploader, clean, moment)


def kill_and_upload_again(uploader: Uploader, clean: dict[bool, Clean], moment: int) -> None:
    """Uploads from nothing and from the old state, in turn."""
    dice = random.Random(f"{SEED} {moment}")
    update = bool(moment % 2)
    number = 1 + int((moment + dice.random()) / MOMENTS * clean[update].requests)
    fate = dice.choice((None, Fault.DROP, Fault.LOST))
    with ChefClient(uploader.server) as client:
        uploader.prepare(client, f"kill {moment}", update=update)
        killed(uploader, number, fate)
        assert Held.by(client).half_visible() == []
        assert uploader.start(uploader.server).wait(60) == 0, uploader.said.read_text()
        held = Held.by(client)
    assert held.half_visible() == []
    assert held.bare(uploader.site) == clean[update].held


def killed(uploader: Uploader, number: int, fate: Fault | None) -> None:
    """An upload that is killed when its ``number``-th request comes, the body half read or not."""
    started: Queue[subprocess.Popen[bytes]] = Queue()

    def judge(request: Request) -> Fault | None:
        if request.number != number:
            return None
        victim = started.get()
        victim.kill()
        victim.wait()
        return fate

    with Proxy(uploader.server.url, judge) as proxy:
        process = uploader.start(proxy.before(uploader.server))
        started.put(process)
        assert process.wait(60) == -9, uploader.said.read_text()
