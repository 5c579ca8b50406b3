"""docs/kitchen.md word for word: Test Kitchen, as it is shipped, on two nodes of a cloud."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml

import stackcook.client
from stackcook.bootstrap.converge import LOCK
from stackcook.cache import cache
from stackcook.manifest.read import read
from stackcook.operations.site import Site
from tests.contract.servers import wait
from tests.pages import blocks, chapter
from tests.started import ROOT, Done, Started, command, environment

NAME = "sctkit"
ADDRESSES = {"controller": "10.0.140.10", "compute1": "10.0.140.11"}
MACHINE = {"memory": 512, "cpus": 1}
CLOUD = {
    "infrastructure.yml": yaml.safe_dump(
        {
            "cookbooks": [{"trivial": None}],
            "environments": [{"lab": None}],
            "roles": [{"single-controller": None}, {"single-compute": None}],
            "options": "-E lab",
            "nodes": [
                {"controller": {"run_list": "role[single-controller]"}},
                {"compute1": {"run_list": "role[single-compute]"}},
            ],
            "stackcook": {
                "name": NAME,
                "machines": "vagrant",
                "provider": "lxc",
                "network": "10.0.140.0/24",
                "passwords": {},
                "nodes": {node: {"address": a, **MACHINE} for node, a in ADDRESSES.items()},
            },
        }
    ),
    "environments/lab.json": '{"name": "lab"}',
    "roles/single-controller.json": '{"name": "single-controller", "run_list": ["trivial"]}',
    "roles/single-compute.json": '{"name": "single-compute", "run_list": ["trivial"]}',
    "cookbooks/trivial/metadata.rb": "name 'trivial'\nversion '0.1.0'\n",
    "cookbooks/trivial/recipes/default.rb": "file '/etc/trivial' do\n  content 'trivial'\nend\n",
}

log = logging.getLogger("lab")


_GEMS, RECIPE, KITCHEN_YML = blocks((ROOT / "docs" / "kitchen.md").read_text())[:3]
COOKBOOK = {
    "metadata.rb": "name 'motd'\nversion '0.1.0'\n",
    "recipes/default.rb": RECIPE,
    "kitchen.yml": KITCHEN_YML,
}
(COMMANDS,) = blocks(chapter("docs/kitchen.md", "Run it"))


@dataclass(frozen=True)
class Kitchen:
    """A cloud in ``root``/mycloud, a cookbook in ``root``/motd, Test Kitchen in ``gems``."""

    root: Path
    gems: Path

    @property
    def cloud(self) -> Path:
        return self.root / "mycloud"

    def stackcook(self, *argv: str) -> Done:
        words = command(self.cloud / "infrastructure.yml", *argv)
        return Started(words, cwd=self.cloud, tell=log.info, env=environment()).ended(900)

    def start(self, script: str) -> Started:
        """A script in the cookbook's directory, with its user's commands in PATH."""
        path = f"{Path(sys.executable).parent}:{self.gems / 'bin'}:{os.environ['PATH']}"
        env = environment(PATH=path, GEM_HOME=str(self.gems), GEM_PATH=str(self.gems))
        argv = ("bash", "-euc", script)
        return Started(argv, cwd=self.root / "motd", tell=log.info, env=env)

    def run(self, script: str) -> Done:
        """As :meth:`start`, to its end."""
        return self.start(script).ended(900)

    def on_node(self, node: str, script: str) -> str:
        done = self.stackcook("ssh", node, "--", script)
        assert done.status == 0, done.err
        return done.out

    def of_chef(self) -> dict[str, Any]:
        """What Chef keeps of each node: in /etc/chef, and on the server."""
        manifest, findings = read(self.cloud / "infrastructure.yml")
        assert manifest, findings
        client = Site(manifest).client
        files = "sudo find /etc/chef -type f -exec sha256sum {} +"
        return {
            node: (sorted(self.on_node(node, files).splitlines()), client.get(f"/nodes/{node}"))
            for node in ADDRESSES
        }


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def install(gems: Path) -> None:
    """The locked gems of Test Kitchen, from RubyGems."""
    lock = Path(__file__).with_name("kitchen.lock")
    fetch = Path(stackcook.client.__file__).with_name("fetch_gems.rb")
    downloads = gems / "cache"
    downloads.mkdir(parents=True)
    subprocess.run(["/usr/bin/ruby", fetch, downloads, lock], check=True)
    names = [
        f"{line.replace(' ', '-')}.gem"
        for line in lock.read_text().splitlines()
        if not line.startswith("#")
    ]
    argv = ["/usr/bin/gem", "install", "--local", "--ignore-dependencies", "--no-document"]
    argv += ["--install-dir", str(gems), "--bindir", str(gems / "bin"), *names]
    env = {**os.environ, "GEM_HOME": str(gems), "GEM_PATH": str(gems)}
    subprocess.run(argv, check=True, cwd=downloads, env=env)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """The cloud is deployed. Its directory is always the same: so is what a crashed run left."""
    kitchen = Kitchen(cache() / "lab" / NAME, tmp_path_factory.mktemp("kitchen") / "gems")
    install(kitchen.gems)
    write(kitchen.cloud, CLOUD)
    assert kitchen.stackcook("destroy", "--yes").status == 0
    shutil.rmtree(kitchen.root / "motd", ignore_errors=True)
    write(kitchen.root / "motd", COOKBOOK)
    try:
        done = kitchen.stackcook("deploy")
        assert done.status == 0, done.err
        yield kitchen
    finally:
        assert kitchen.stackcook("destroy", "--yes").status == 0
    shutil.rmtree(kitchen.root)


def updated(done: Done) -> list[str]:
    """What each chef-client says at its end, such as 0/1."""
    return re.findall(r"Infra Phase complete, (\S+) resources updated", done.out)


def test_the_page(kitchen: Kitchen) -> None:
    before = kitchen.of_chef()
    done = kitchen.run(COMMANDS)
    assert (done.status, updated(done)) == (0, ["1/1", "1/1"]), done.out
    for node in ADDRESSES:
        greeting = f"{node} of the cloud at {ADDRESSES['controller']}\n"
        assert kitchen.on_node(node, "cat /etc/motd") == greeting
    done = kitchen.run("kitchen converge")
    assert (done.status, updated(done)) == (0, ["0/1", "0/1"]), done.out

    kitchen.on_node("compute1", "sudo rm /etc/motd")
    done = kitchen.run("kitchen verify default-controller; ! kitchen verify default-compute1")
    assert done.status == 0, done.out
    assert "Failed to complete #verify action" in done.err and "on default-compute1" in done.err

    done = kitchen.run("kitchen destroy")
    assert done.status == 0, done.out
    assert kitchen.on_node("controller", "cat /etc/motd").startswith("controller of ")
    assert kitchen.of_chef() == before
    done = kitchen.stackcook("--json", "converge")
    assert (done.status, done.updated) == (0, dict.fromkeys(ADDRESSES, 0)), done.err


def test_it_waits_for_the_chef_client_that_is_running(kitchen: Kitchen) -> None:
    running = f"systemd-run --quiet --unit running flock {LOCK} sleep infinity"
    kitchen.on_node("compute1", f"sudo {running}")
    output = kitchen.root / "motd" / ".kitchen" / "logs" / "default-compute1.log"
    with kitchen.start("kitchen converge default-compute1") as converge:
        wait(lambda: "is running, will wait for it to finish" in output.read_text())
        kitchen.on_node("compute1", "sudo systemctl stop running")
        done = converge.ended(300)
    assert (done.status, len(updated(done))) == (0, 1), done.out


def test_a_changed_host_key_is_refused(kitchen: Kitchen) -> None:
    kitchen.on_node("compute1", "sudo rm -rf /tmp/kitchen")
    known_hosts = kitchen.cloud / ".stackcook" / "known_hosts"
    recorded, other = known_hosts.read_text(), paramiko.RSAKey.generate(2048)
    known_hosts.write_text(f"{ADDRESSES['compute1']} {other.get_name()} {other.get_base64()}\n")
    try:
        done = kitchen.run("kitchen converge default-compute1")
    finally:
        known_hosts.write_text(recorded)
    assert done.status != 0
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.err
    assert "kitchen" not in kitchen.on_node("compute1", "ls /tmp")
