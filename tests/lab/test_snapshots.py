"""A small cloud that is saved, lost and restored, on real containers with a trivial cookbook.

The tests are one story, each going on where the one before has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackcook.cache import cache
from tests.started import Done, Started, command, environment

pytestmark = pytest.mark.incremental

SUDO = () if os.geteuid() == 0 else ("sudo", "-n")
NAME = "scsn"
FILES = {
    "infrastructure.yml": f"""\
cookbooks: [{{trivial: }}]
environments: [{{lab: }}]
roles: [{{base: }}]
options: "-E lab"
nodes:
- one: {{run_list: "role[base]"}}
- two: {{run_list: "role[base]"}}
stackcook:
  name: {NAME}
  machines: vagrant
  provider: lxc
  network: 10.0.136.0/24
  passwords: {{bag: [secret]}}
  nodes:
    one: {{address: 10.0.136.10, memory: 512, cpus: 1}}
    two: {{address: 10.0.136.11, memory: 512, cpus: 1}}
""",
    "environments/lab.json": '{"name": "lab"}',
    "roles/base.json": '{"name": "base", "run_list": ["recipe[trivial]"]}',
    "cookbooks/trivial/metadata.rb": "name 'trivial'\nversion '0.1.0'\n",
    "cookbooks/trivial/recipes/default.rb": "file('/etc/trivial') { content 'first' }\n",
}
RECIPE = "cookbooks/trivial/recipes/default.rb"


@dataclass(frozen=True)
class Cloud:
    """The cloud's directory, and what its user runs there; its snapshots are there, too."""

    root: Path

    def start(self, *argv: str) -> Started:
        """A command that goes on meanwhile."""
        env = environment(XDG_DATA_HOME=str(self.root / "data"))
        words = command(self.root / "infrastructure.yml", *argv)
        return Started(words, cwd=self.root, tell=print, env=env)

    def run(self, *argv: str, status: int = 0) -> Done:
        done = self.start(*argv).ended(600)
        assert done.status == status, done.out + done.err
        return done

    def on(self, node: str, script: str) -> str:
        return self.run("ssh", node, "--", script).out

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def snapshots(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.run("snapshot", "list", "--json").data["snapshots"]
        return found

    def stored(self) -> list[str]:
        """The directories of its snapshots, also of those that are not complete."""
        directory = self.root / "data" / "stackcook" / "snapshots"
        return sorted(path.name for path in directory.iterdir() if path.is_dir())

    def clear(self) -> None:
        if (self.root / "infrastructure.yml").exists():
            self.run("destroy", "--yes")
        subprocess.run([*SUDO, "rm", "-rf", "--", str(self.root)], check=True)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """The cloud, deployed; its directory is always the same, so that a crashed run is cleared."""
    cloud = Cloud(cache() / "lab" / NAME)
    cloud.clear()
    for path, text in FILES.items():
        cloud.write(path, text)
    yield cloud
    cloud.clear()


def test_only_a_deployed_cloud_is_saved(cloud: Cloud) -> None:
    done = cloud.run("snapshot", "save", status=2)
    assert "nothing is deployed here" in done.err and "stackcook deploy" in done.err
    cloud.run("deploy")


def test_it_is_saved_and_runs_again(cloud: Cloud) -> None:
    cloud.on("one", "sudo setcap cap_net_raw+ep /bin/ping && echo mine | sudo tee /root/mine")
    cloud.run("snapshot", "save")
    (saved,) = cloud.snapshots()
    assert (saved["name"], saved["used_by"]) == (NAME, [])
    assert cloud.on("two", "cat /etc/trivial") == "first"


def test_a_deploy_begins_with_it_and_converges_no_node(cloud: Cloud) -> None:
    keys = {node: cloud.on(node, "sudo sha256sum /etc/chef/client.pem") for node in ("one", "two")}
    cloud.run("destroy", "--yes")
    assert "restore the machines from the snapshot scsn, saved" in cloud.run("plan").out
    done = cloud.run("--json", "deploy")
    assert {node["step"] for node in done.data["nodes"].values()} == {"preflight"}
    assert keys == {node: cloud.on(node, "sudo sha256sum /etc/chef/client.pem") for node in keys}
    assert cloud.on("one", "sudo cat /root/mine; sudo getcap /bin/ping; hostname").split() == [
        *("mine", "/bin/ping", "cap_net_raw=ep", "one")
    ]
    (saved,) = cloud.snapshots()
    assert saved["used_by"] == [f"{NAME}-one", f"{NAME}-two"]
    assert cloud.run("converge").status == 0
