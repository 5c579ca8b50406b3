"""Two labs on one machine at the same time, while other network interfaces come and go."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stackcook.cache import cache
from stackcook.command import as_root
from stackcook.machines import vagrant
from tests.scale.cloud import say
from tests.scale.repository import FILES
from tests.started import Done, Started, command, environment

ROUNDS = 5
LABS = {"sctside1": "10.0.121", "sctside2": "10.0.122"}

COME_AND_GO = """\
link add sctcome type veth peer name sctgo
address add 198.51.100.1/30 dev sctcome
link set sctcome up
link delete sctcome
"""


@contextmanager
def interfaces_that_come_and_go() -> Iterator[None]:
    """Create and delete a pair of interfaces, over and over."""
    ended, failures, count = threading.Event(), list[str](), 0

    def loop() -> None:
        nonlocal count
        while not ended.is_set():
            argv = as_root("ip", "-batch", "-")
            done = subprocess.run(argv, input=COME_AND_GO, capture_output=True, text=True)
            count += 1
            if done.returncode:
                failures.append(done.stderr)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        say("%d times, interfaces came and went", count)
    assert count > 10 and not failures, failures[:3]


@pytest.fixture
def labs() -> Iterator[list[Path]]:
    """The manifests, in directories that are always the same: a crashed run's are removed."""
    manifests = []
    for name, network in LABS.items():
        root = cache() / "lab" / name
        manifest = root / "infrastructure.yml"
        if manifest.exists():
            assert both([manifest], "destroy", "--yes")[0].status == 0
            shutil.rmtree(root)
        for path, text in FILES.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "Vagrantfile").write_text(f"load '{vagrant.HERE}/Vagrantfile'\n")
        document = {
            "cookbooks": [{"trivial": None}],
            "environments": [{"lab": None}],
            "roles": [{"base": None}],
            "nodes": [{"one": {"run_list": "role[base]", "options": "-E lab"}}],
            "stackcook": {
                "name": name,
                "provider": "lxc",
                "network": f"{network}.0/24",
                "passwords": {},
                "nodes": {"one": {"address": f"{network}.10", "memory": 512, "cpus": 1}},
            },
        }
        manifest.write_text(json.dumps(document))
        manifests.append(manifest)
    yield manifests
    for done in both(manifests, "destroy", "--yes"):
        assert done.status == 0, done.err
    for manifest in manifests:
        shutil.rmtree(manifest.parent)


def both(manifests: list[Path], *arguments: str) -> list[Done]:
    """Run stackcook on all manifests at the same time."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                Started(command(path, *arguments), cwd=path.parent, tell=say, env=environment())
            )
            for path in manifests
        ]
        return [each.ended() for each in started]


def test_two_labs_side_by_side(labs: list[Path]) -> None:
    for number in range(1, ROUNDS + 1):
        say("round %d of %d", number, ROUNDS)
        with interfaces_that_come_and_go():
            deployed = both(labs, "deploy")
            nodes = both(labs, "ssh", "one", "cat", "/etc/trivial/node")
            destroyed = both(labs, "destroy", "--yes")
        assert [done.status for done in deployed] == [0, 0], deployed
        assert [done.out for done in nodes] == [f"one {net}.10 lab\n" for net in LABS.values()]
        assert [done.status for done in destroyed] == [0, 0], destroyed
        assert not (labs[0].parent / ".stackcook").exists()
