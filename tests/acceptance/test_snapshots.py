"""How fast a cloud with an answering instance comes back from a snapshot, and that a kill at any
moment leaves nothing that only looks like one.

Deploys a cloud of its own (two nodes) and keeps its snapshots in a directory of its own, so it does
not take the cloud of LAB. Logs a line with the word FIGURE for each command that it times. Takes
about an hour and a half; the tests are one story, each going on where the one before has ended.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labs import SUDO, Lab, prepared
from tests.started import Started, command, environment

DEPLOY = 90.0
"""Seconds from no machine to a verified cloud with an answering instance."""

RESET = 60.0
"""Seconds from a used cloud to its snapshot, verified as well."""

MOMENTS = 10
"""At how many moments a save and a restore are killed."""

log = logging.getLogger("lab")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The deployed cloud; its snapshots are beside its directory, on the same disk."""
    with prepared("sctsnap", "10.0.137", "10.0.138") as lab, pytest.MonkeyPatch.context() as patch:
        data = lab.root.with_name("sctsnap.data")
        lab.run(*SUDO, "rm", "-rf", "--", str(data))
        patch.setenv("XDG_DATA_HOME", str(data))
        done = lab.stackcook("deploy", timeout=60 * 60)
        assert done.status == 0, done.err
        yield lab
        lab.stackcook("destroy", "--yes", timeout=600)  # the machines use the snapshots
        lab.run(*SUDO, "rm", "-rf", "--", str(data))  # in the lab's directory, which goes next


def ok(lab: Lab, *argv: str, instance: bool = False) -> float:
    """Run a command that must succeed; how long it took. With ``instance``, one must answer."""
    began = time.monotonic()
    done = lab.stackcook(*argv, timeout=30 * 60)
    seconds = time.monotonic() - began
    assert done.status == 0, done.out + done.err
    if instance:
        assert re.search(r"an instance answered on \S+ \(compute1\)", done.out + done.err)
    log.info("FIGURE %s: %.1f s", " ".join(argv), seconds)
    return seconds


def snapshots(lab: Lab) -> dict[str, int]:
    """Name → size in bytes of each snapshot that counts."""
    done = lab.stackcook("snapshot", "list", "--json")
    assert done.status == 0, done.err
    return {each["name"]: each["size"] for each in done.data["snapshots"]}


def networks(lab: Lab) -> set[str]:
    """The networks of the cloud, as its users see them; what tests use as a mark."""
    return {row["Name"] for row in lab.openstack("network", "list")}


def mark(lab: Lab, name: str) -> None:
    done = lab.run("openstack", "--os-cloud", "stackcook", "network", "create", name)
    assert done.status == 0, done.err


def killed(lab: Lab, seconds: float, *argv: str) -> None:
    """Send SIGKILL to stackcook alone after so many seconds, unless it has ended before."""
    words = command(lab.manifest, *argv)
    env = environment()
    with Started(words, cwd=lab.root, tell=lambda line: log.info("%s", line), env=env) as run:
        try:
            run.process.wait(seconds)
        except Exception:  # it still runs: this is the moment
            log.info("SIGKILL %.1f s after `%s` began", seconds, " ".join(argv))


def test_it_is_saved(lab: Lab) -> None:
    mark(lab, "saved")
    ok(lab, "snapshot", "save", "base")
    log.info("FIGURE the snapshot has %.2f GB", snapshots(lab)["base"] / 1e9)
    ok(lab, "deploy", instance=True)


@pytest.mark.parametrize("number", range(3))
def test_a_verified_cloud_comes_back(lab: Lab, number: int) -> None:
    ok(lab, "destroy", "--yes")
    assert lab.leftovers() == []
    assert ok(lab, "deploy", instance=True) <= DEPLOY
    assert "saved" in networks(lab)


@pytest.mark.parametrize("number", range(3))
def test_a_used_cloud_is_reset(lab: Lab, number: int) -> None:
    mark(lab, "unwanted")
    fill = "dd if=/dev/urandom of=/var/lib/unwanted bs=1M count=200 2>&1; rm -r /etc/nova"
    assert lab.on("compute1", fill).status == 0
    assert ok(lab, "deploy", "--reset", instance=True) <= RESET
    assert {"saved", "unwanted"}.intersection(networks(lab)) == {"saved"}
    assert lab.on("compute1", "test -d /etc/nova && ! test -e /var/lib/unwanted").status == 0


def test_after_a_change_all_nodes_converge(lab: Lab) -> None:
    path = lab.root / "environments" / "lab.json"
    before = path.read_text()
    document = json.loads(before)
    settings = document["default_attributes"]["openstack"]
    settings.setdefault("image", {}).setdefault("conf", {})["DEFAULT"] = {"max_header_line": 16385}
    path.write_text(json.dumps(document))
    try:
        ok(lab, "destroy", "--yes")
        ok(lab, "deploy", instance=True)
        assert lab.on("controller", "grep -r 16385 /etc/glance").status == 0
        assert "saved" in networks(lab)
    finally:
        path.write_text(before)
    ok(lab, "deploy", "--reset", instance=True)
    assert lab.on("controller", "! grep -r 16385 /etc/glance").status == 0


def test_a_restore_that_is_killed_is_done_again(lab: Lab) -> None:
    """At moments from its begin to the last step; half of them from no machine at all."""
    whole = ok(lab, "snapshot", "restore", "base", instance=True)
    for moment in range(MOMENTS):
        mark(lab, "unwanted")
        if moment % 2:
            ok(lab, "destroy", "--yes")
        killed(lab, whole * (moment + 0.5) / MOMENTS, "snapshot", "restore", "base")
        if moment % 4 == 3:  # the way back is open, too
            ok(lab, "destroy", "--yes")
            assert lab.leftovers() == []
        ok(lab, "deploy", instance=True)
        there = networks(lab)
        assert "saved" in there, f"moment {moment}"
        if "unwanted" in there:
            assert moment == 0, "only at the first moment was nothing changed yet"
            ok(lab, "snapshot", "restore", "base")


def test_a_save_that_is_killed_does_not_count(lab: Lab) -> None:
    """At moments from its begin to its end: the cloud goes on, and the old snapshot counts."""
    whole = ok(lab, "snapshot", "save", "trial")
    ok(lab, "snapshot", "remove", "trial")
    for moment in range(MOMENTS):
        killed(lab, whole * (moment + 0.5) / MOMENTS, "snapshot", "save", "trial")
        there = snapshots(lab)
        if "trial" in there:  # it was complete already
            assert there["trial"] >= there["base"] * 0.9
            ok(lab, "snapshot", "remove", "trial")
        assert set(snapshots(lab)) == {"base"}
        ok(lab, "deploy", instance=True)
        assert "saved" in networks(lab)
    ok(lab, "snapshot", "save", "trial")  # which clears what the killed ones have left
    ok(lab, "snapshot", "remove", "trial")
    store = Path(os.environ["XDG_DATA_HOME"]) / "stackcook" / "snapshots"
    assert len([path for path in store.iterdir() if path.is_dir()]) == 1


def test_it_is_carried_to_another_place(lab: Lab) -> None:
    """Export, lose all, import, deploy; a damaged file is refused."""
    ok(lab, "deploy", "--reset")
    file = lab.root / "cloud.snapshot"
    ok(lab, "snapshot", "export", "base", str(file))
    log.info("FIGURE the file has %.2f GB", file.stat().st_size / 1e9)
    assert file.stat().st_mode & 0o777 == 0o600
    ok(lab, "destroy", "--yes")
    ok(lab, "snapshot", "remove", "base")

    damaged = lab.root / "damaged.snapshot"
    shutil.copyfile(file, damaged)
    with damaged.open("r+b") as change:
        change.seek(file.stat().st_size // 2)
        change.write(b"damage")
    done = lab.stackcook("snapshot", "import", str(damaged), timeout=30 * 60)
    assert done.status == 2 and "is damaged" in done.err
    with damaged.open("r+b") as change:
        change.truncate(file.stat().st_size // 3)
    done = lab.stackcook("snapshot", "import", str(damaged), timeout=30 * 60)
    assert done.status == 2 and "is damaged" in done.err
    damaged.unlink()
    assert snapshots(lab) == {}

    killed(lab, 5, "snapshot", "import", str(file))
    assert snapshots(lab) == {}
    ok(lab, "snapshot", "import", str(file))
    assert ok(lab, "deploy", instance=True) <= DEPLOY
    assert "saved" in networks(lab)


def test_nothing_is_left(lab: Lab) -> None:
    done = lab.stackcook("snapshot", "remove", "base")
    assert done.status == 2 and "in use by the machines sctsnap-compute1" in done.err
    ok(lab, "destroy", "--yes")
    ok(lab, "snapshot", "remove", "base")
    assert lab.leftovers() == []
    store = Path(os.environ["XDG_DATA_HOME"]) / "stackcook" / "snapshots"
    assert [path for path in store.iterdir() if path.is_dir()] == []
