"""Two clouds begin with one snapshot, side by side; Tempest tests one while the other is destroyed.

Deploys a cloud of its own (two nodes), saves and destroys it, and keeps snapshots and clouds in a
directory of its own, so it does not take the cloud of LAB. Logs a line with the word FIGURE for
what it times. Takes 25 minutes; the tests are one story.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import there
from tests.labs import SUDO, Lab, prepared
from tests.started import Started, command, environment

NAMES = ("scteph1", "scteph2")

log = logging.getLogger("lab")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A cloud that is saved and destroyed."""
    with prepared("scteph0", "10.0.139", "10.0.141") as lab, pytest.MonkeyPatch.context() as patch:
        data = lab.root.with_name("scteph0.data")
        patch.setenv("XDG_DATA_HOME", str(data))
        clear(lab, data)
        for argv in (("deploy",), ("snapshot", "save"), ("destroy", "--yes")):
            done = lab.stackcook(*argv, timeout=60 * 60)
            assert done.status == 0, done.err
        yield lab
        clear(lab, data)


def clear(lab: Lab, data: Path) -> None:
    """Take away clouds and snapshots."""
    for manifest in data.glob("stackcook/clouds/*/infrastructure.yml"):
        there(manifest.parent).clear()
    lab.run(*SUDO, "rm", "-rf", "--", str(data))


def cloud(name: str) -> Lab:
    """An ephemeral cloud of this user."""
    return there(Path(os.environ["XDG_DATA_HOME"]) / "stackcook" / "clouds" / name)


def started(lab: Lab, *argv: str) -> Started:
    words = command(lab.manifest, *argv)
    return Started(words, cwd=lab.root, tell=log.info, env=environment())


def test_both_are_deployed_at_once(lab: Lab) -> None:
    began = time.monotonic()
    runs = [started(lab, "up", "--ephemeral", "--name", name) for name in NAMES]
    for run in runs:
        done = run.ended()
        assert done.status == 0, done.err
        assert "2 machines of scteph0" in done.out + done.err
        assert "an instance answered" in done.out + done.err
    log.info("FIGURE both clouds from one snapshot: %.0f s", time.monotonic() - began)


def test_one_is_tested_while_the_other_is_destroyed(lab: Lab) -> None:
    tested, destroyed = map(cloud, NAMES)
    tempest = started(tested, "--json", "verify", "--tempest", "smoke")
    with tempest:
        tempest.wait_for(lambda lines: any("tempest" in line for line in lines))
        done = lab.stackcook("down", destroyed.name, timeout=600)
        assert done.status == 0, done.err
        assert destroyed.leftovers() == []
        assert tempest.process.poll() is None, "Tempest ended before the other was destroyed"
        done = tempest.ended(2 * 60 * 60)
    bad = [test for test in done.data["tests"] if test["result"] in ("failed", "not run")]
    assert (done.status, bad) == (0, [])
    log.info("FIGURE %d tests passed beside it", done.data["counts"]["passed"])


def test_nothing_is_left(lab: Lab) -> None:
    last = cloud(NAMES[0])
    done = lab.stackcook("down", last.name, timeout=600)
    assert done.status == 0, done.err
    assert last.leftovers() == [] and not last.root.exists()
