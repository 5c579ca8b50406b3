"""Several clouds of one manifest, on real containers with a trivial cookbook."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackcook.cache import cache
from tests.contract.servers import wait
from tests.lab.test_bootstrap import FILES, SUDO, log
from tests.started import Done, Started, command, environment

pytestmark = pytest.mark.incremental


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The directory of the manifest, and of the clouds' data; cleared of a crashed run's."""
    root = cache() / "lab" / "scteph"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(root / "data"))
        for path in (root / "data/stackcook/clouds").glob("*"):
            if path.is_dir():
                run(root, "down", path.name)
        shutil.rmtree(root, ignore_errors=True)  # not there in most runs
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text.replace("KIND", "native"))
        yield root
        names = [cloud["name"] for cloud in clouds(root)]
        assert not names or run(root, "down", *names).status == 0
        shutil.rmtree(root)


def start(root: Path, *argv: str) -> Started:
    words = command(root / "infrastructure.yml", *argv)
    return Started(words, cwd=root, tell=log.info, env=environment())


def run(root: Path, *argv: str) -> Done:
    return start(root, *argv).ended(300)


def named(root: Path, cloud: str, *argv: str) -> Done:
    """Run a command on an ephemeral cloud."""
    words = (*command("")[:-2], "--cloud", cloud, *argv)
    return Started(words, cwd=root, tell=log.info, env=environment()).ended(60)


def clouds(root: Path) -> list[dict[str, Any]]:
    """The ephemeral clouds, as `ps` lists them."""
    done = run(root, "ps", "--json")
    assert done.status == 0, done.err
    return [cloud for cloud in done.data["clouds"] if cloud["expires"]]


def left(name: str) -> list[str]:
    """What this machine still has of a cloud: containers, interfaces, routes, tables, processes."""
    commands = (
        (*SUDO, "lxc-ls", "-1"),
        ("ip", "link"),
        (*SUDO, "nft", "list", "tables"),
        ("pgrep", "-af", f"/{name}/"),
    )
    output = [subprocess.run(argv, capture_output=True, text=True).stdout for argv in commands]
    return [line for text in output for line in text.splitlines() if name in line]


def test_two_are_deployed_at_once(root: Path) -> None:
    runs = [start(root, "--json", "up", "--ephemeral", "--name", f"scte{n}") for n in (1, 2)]
    ended = [each.ended(300) for each in runs]
    for done in ended:
        assert done.status == 0, done.err
    first, second = clouds(root)
    assert {first["name"], second["name"]} == {"scte1", "scte2"}
    assert first["state"] == second["state"] == "running"
    assert first["memory"] > 0


def test_a_command_works_on_the_one_that_is_named(root: Path) -> None:
    for name in ("scte1", "scte2"):
        (machine,) = named(root, name, "machines", "--json").data["machines"]
        there = named(root, name, "ssh", "one", "--", "cat /etc/trivial")
        assert (there.status, there.out) == (0, f"{machine['address']} lab\n")


def test_one_is_destroyed_and_the_other_stays(root: Path) -> None:
    done = run(root, "down", "scte1")
    assert done.status == 0, done.err
    assert left("scte1") == []
    (other,) = clouds(root)
    assert (other["name"], other["state"]) == ("scte2", "running")
    assert named(root, "scte2", "ssh", "one", "--", "true").status == 0


def test_a_killed_job_is_cleaned_up_when_its_time_is_over(root: Path) -> None:
    with start(root, "up", "--ephemeral", "--name", "scte3", "--ttl", "1") as killed:
        wait(lambda: "scte3-one" in " ".join(left("scte3")))
        killed.process.send_signal(signal.SIGKILL)
    assert [cloud["name"] for cloud in clouds(root)] == ["scte2"], "the first `ps` destroys it"
    assert left("scte3") == []
