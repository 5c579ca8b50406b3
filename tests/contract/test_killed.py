"""An upload that is killed shows nothing by halves, and the next one ends as if it had not been."""

from __future__ import annotations

import random
import subprocess
from queue import Queue

import pytest

from stackcook.chef.rest.client import ChefClient
from tests.contract.held import Held
from tests.contract.lab import Clean, Lab
from tests.contract.proxy import Fault, Proxy, Request

MOMENTS = 20
"""Into so many parts an upload is divided; it is killed once in each."""

SEED = 5


@pytest.fixture(scope="module")
def clean(lab: Lab) -> dict[bool, Clean]:
    """By whether the server holds the old state before."""
    return {update: lab.clean(update=update) for update in (False, True)}


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
        assert lab.start(lab.server).wait(60) == 0, lab.said.read_text()
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
        process = lab.start(proxy.before(lab.server))
        started.put(process)
        assert process.wait(60) == -9, lab.said.read_text()
