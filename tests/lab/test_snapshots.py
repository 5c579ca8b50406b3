"""A small cloud that is saved, lost and restored, on real containers with a trivial cookbook.

The tests are one story, each going on where the one before has ended.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackcook.cache import cache
from stackcook.machines import vagrant
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
    "Vagrantfile": f"load '{vagrant.HERE}/Vagrantfile'\n",
    "environments/lab.json": '{"name": "lab"}',
    "roles/base.json": '{"name": "base", "run_list": ["recipe[trivial]"]}',
    "cookbooks/trivial/metadata.rb": "name 'trivial'\nversion '0.1.0'\n",
    "cookbooks/trivial/recipes/default.rb": "file('/etc/trivial') { content 'first' }\n",
}
RECIPE = "cookbooks/trivial/recipes/default.rb"


def output(*argv: str) -> str:
    return subprocess.run([*SUDO, *argv], capture_output=True, text=True, check=True).stdout


def ended(lines: Sequence[str], step: str) -> bool:
    """Whether a step has ended, by what a command has printed so far: the next one has begun."""
    return any(line.split("  ")[0] == step for line in lines)


@dataclass(frozen=True)
class Cloud:
    """The cloud's directory, and what its user runs there; its snapshots are there, too."""

    root: Path

    def start(self, *argv: str, **more: str) -> Started:
        """A command that goes on meanwhile, with ``more`` in its environment."""
        env = environment(XDG_DATA_HOME=str(self.root / "data"), **more)
        words = command(self.root / "infrastructure.yml", *argv)
        return Started(words, cwd=self.root, tell=print, env=env)

    def run(self, *argv: str, status: int = 0, **more: str) -> Done:
        done = self.start(*argv, **more).ended(600)
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
    assert "nothing is deployed here; run `stackcook -f " in done.err and " deploy`" in done.err
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


def test_all_changes_are_thrown_away(cloud: Cloud) -> None:
    cloud.on("one", "echo other | sudo tee /root/mine /etc/trivial; sudo rm /etc/hostname")
    done = cloud.run("--json", "deploy", "--reset")
    assert {node["step"] for node in done.data["nodes"].values()} == {"preflight"}
    assert (
        cloud.on("one", "sudo cat /root/mine; cat /etc/trivial /etc/hostname") == "mine\nfirstone\n"
    )


def test_vagrant_still_knows_the_machines(cloud: Cloud) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

    def typed(*argv: str) -> str:
        env = environment(PATH=path)
        done = subprocess.run(
            ["vagrant", *argv], cwd=cloud.root, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for name, state in (("one", "running"), ("two", "running")):
        assert re.search(rf"^{name} +{state} ", typed("status"), re.MULTILINE)
    assert typed("ssh", "two", "-c", "hostname") == "two\n"
    typed("halt", "two")
    typed("up", "two")
    typed("destroy", "--force", "two")
    assert output("lxc-ls", "-1").split().count(f"{NAME}-two") == 0
    cloud.run("snapshot", "restore", NAME)
    assert cloud.on("two", "cat /etc/trivial") == "first"


def test_after_a_change_it_is_restored_and_converged(cloud: Cloud) -> None:
    cloud.write(RECIPE, FILES[RECIPE].replace("first", "second"))
    cloud.run("destroy", "--yes")
    done = cloud.run("--json", "deploy")
    assert done.updated == {"one": 1, "two": 1}
    assert cloud.on("one", "sudo cat /root/mine; cat /etc/trivial") == "mine\nsecond"


def test_a_new_one_of_the_same_name_leaves_the_old_one_to_its_machines(cloud: Cloud) -> None:
    cloud.run("snapshot", "save")
    assert len(cloud.stored()) == 2, "the machines are still on the old one"
    (saved,) = cloud.snapshots()
    assert saved["used_by"] == []
    done = cloud.run("--json", "deploy", "--reset")
    assert {node["step"] for node in done.data["nodes"].values()} == {"preflight"}
    assert cloud.on("one", "sudo cat /root/mine; cat /etc/trivial") == "mine\nsecond"
    refused = cloud.run("snapshot", "remove", NAME, status=2)
    assert f"in use by the machines {NAME}-one, {NAME}-two" in refused.err
    assert len(cloud.stored()) == 2
    cloud.run("snapshot", "save", "another")
    assert len(cloud.stored()) == 2, "nothing used the oldest one any more"


def test_exported_and_imported_it_is_the_same(cloud: Cloud) -> None:
    file = cloud.root / "cloud.snapshot"
    done = cloud.run("snapshot", "export", "another", str(file))
    assert "keys and passwords" in done.out and file.stat().st_mode & 0o777 == 0o600
    before = cloud.snapshots()
    assert "already" in cloud.run("snapshot", "import", str(file), status=2).err
    cloud.run("destroy", "--yes")
    cloud.run("snapshot", "remove", "another")
    cloud.run("snapshot", "remove", NAME)
    assert cloud.stored() == []

    cloud.run("snapshot", "import", str(file))
    assert cloud.snapshots() == [each for each in before if each["name"] == "another"]
    # as on a machine that has no box
    done = cloud.run("--json", "deploy", VAGRANT_HOME=str(cloud.root / "vagrant.d"))
    assert {node["step"] for node in done.data["nodes"].values()} == {"preflight"}
    assert cloud.on("one", "sudo cat /root/mine; sudo getcap /bin/ping").split() == [
        *("mine", "/bin/ping", "cap_net_raw=ep")
    ]


def test_a_save_that_is_killed_leaves_nothing_that_counts(cloud: Cloud) -> None:
    with cloud.start("snapshot", "save", "killed") as saving:
        saving.wait_for(lambda lines: ended(lines, "stop"))
    assert [each["name"] for each in cloud.snapshots()] == ["another"]
    cloud.run("deploy")
    assert cloud.on("one", "sudo cat /root/mine") == "mine\n"


def kill_restore(cloud: Cloud) -> None:
    """Begin to restore, and kill it once something has been changed."""
    with cloud.start("snapshot", "restore") as restoring:
        while not (cloud.root / ".stackcook" / "restoring").exists():
            assert restoring.process.poll() is None


def test_a_restore_that_is_killed_is_done_again(cloud: Cloud) -> None:
    cloud.on("one", "echo other | sudo tee /root/mine")
    kill_restore(cloud)
    cloud.run("deploy")
    assert cloud.on("one", "sudo cat /root/mine") == "mine\n"


def test_nothing_is_left_after_an_interrupted_restore(cloud: Cloud) -> None:
    kill_restore(cloud)
    assert "interrupted" in cloud.run("deploy", "--anew", status=2).err
    cloud.run("destroy", "--yes")
    assert not [name for name in output("lxc-ls", "-1").split() if name.startswith(NAME)]
    cloud.run("snapshot", "remove", "another")
    assert cloud.stored() == []
