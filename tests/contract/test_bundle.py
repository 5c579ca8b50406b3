"""The packages of a bundle, sent to a node whose apt has no network and no other packages."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap import bundled
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.bundle import archive
from stackcook.bundle.packages import index
from stackcook.command import Completed
from stackcook.errors import NodeError
from tests.runner import BaseRemote
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")

TRIXIE = HostFacts({"id": "debian", "codename": "trixie", "arch": "all"}, "", 0.0)


PLACES = {"lib": "/var/lib", "cache": "/var/cache/apt", "etc": "/etc/apt"}


class Node(BaseRemote):
    """This machine without a network, and with the directories of apt in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path in ("lib/dpkg", "lib/apt/lists/partial", "cache/archives/partial"):
            (root / path).mkdir(parents=True)
        for path in ("etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d"):
            (root / path).mkdir(parents=True)
        (root / "lib/dpkg/status").touch()
        (root / "etc/sources.list").write_text("deb http://127.0.0.9/debian trixie main\n")
        (root / "etc/apt.conf.d/user").write_text('APT::Sandbox::User "root";\n')
        self.bundle = root / Path(bundled.DIRECTORY).relative_to("/var").as_posix()

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        mounts = [f"mount --bind {self.root}/{name} {place}" for name, place in PLACES.items()]
        script = " && ".join((*mounts, 'exec sh -c "$0"'))
        done = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", script, command],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        return Completed(done.returncode, done.stdout.decode())

    def __call__(self, *_: object, **__: object) -> Node:
        return self


def package(directory: Path, name: str, depends: str = "") -> Path:
    """A Debian package with one file."""
    tree, path = directory / f"tree-{name}", directory / f"{name}_1.0_all.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / name).write_text(name)
    control = f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: me <me@localhost>\n"
    control += f"{f'Depends: {depends}' if depends else 'Section: misc'}\nDescription: {name}\n"
    (tree / "DEBIAN" / "control").write_text(control)
    subprocess.run(["dpkg-deb", "--build", tree, path], check=True, stdout=subprocess.DEVNULL)
    return path


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node")


@pytest.fixture
def task(node: Node, tmp_path: Path) -> NodeTask:
    debs = [package(tmp_path, "cloud", "library"), package(tmp_path, "library")]
    debs.append(package(tmp_path, "other"))
    files = {path.name: path for path in debs}
    members: list[tuple[str, Path | str]] = [(f"packages/{n}", path) for n, path in files.items()]
    path = tmp_path / "bundle.tar"
    nodes = {"one": {"trixie-all": ["cloud_1.0_all.deb", "library_1.0_all.deb"]}}
    archive.write(
        path, {"nodes": nodes, "box": ""}, [*members, ("packages/Packages", index(files))]
    )
    setting = Setting(tmp_path)
    unpacked = archive.unpack(path, tmp_path / "bundles")
    context = replace(setting.context, opener=node, bundle=unpacked)
    return NodeTask(context, "packages", ONE, setting.host, DEPLOY, 60, lambda line: None)


def test_apt_has_the_packages_of_the_node_and_no_others(
    task: NodeTask, node: Node, tmp_path: Path
) -> None:
    assert bundled.bring(task, TRIXIE) == "2 packages, 2 of them sent"
    update = node.run("apt-get -o APT::Update::Error-Mode=any update")
    assert update.status == 0 and "127.0.0.9" not in update.output
    planned = node.run("apt-get -s install cloud").output
    assert "Inst library (1.0" in planned and "Inst cloud (1.0" in planned
    assert "Unable to locate package other" in node.run("apt-get -s install other").output
    download = node.run(
        f"cd {tmp_path} && apt-get -q download library && dpkg-deb -c library_*.deb"
    )
    assert "./library" in download.output


def test_only_what_is_missing_is_sent_and_what_is_not_needed_removed(
    task: NodeTask, node: Node
) -> None:
    bundled.bring(task, TRIXIE)
    (node.bundle / "library_1.0_all.deb").write_text("half")
    (node.bundle / "old_1.0_all.deb").write_text("old")
    assert bundled.bring(task, TRIXIE) == "2 packages, 1 of them sent"
    assert bundled.bring(task, TRIXIE) == "2 packages, 0 of them sent"
    left = sorted(path.name for path in (node.bundle).glob("*.deb"))
    assert left == ["cloud_1.0_all.deb", "library_1.0_all.deb"]


def test_a_node_of_another_release_gets_nothing(task: NodeTask, node: Node) -> None:
    facts = replace(TRIXIE, said={**TRIXIE.said, "codename": "bookworm"})
    with pytest.raises(NodeError, match="the bundle has no packages .* for bookworm-all"):
        bundled.bring(task, facts)
    assert not (node.bundle).exists()
