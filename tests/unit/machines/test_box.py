"""Which box is which, and when one is built; tests/lab builds one."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.chef.repository.packages import Packages
from stackcook.command import Command, Completed, Say
from stackcook.errors import MachineError
from stackcook.machines import box
from stackcook.machines.box import ORDINARY, Box, warm_boxes
from stackcook.machines.factory import DEFAULT_NETWORK
from stackcook.machines.network import LabNetwork
from stackcook.machines.vagrant import VagrantMachines
from tests.fakes import two_stages
from tests.runner import FakeRun

DATABASE = Packages(("mariadb-client", "mariadb-server"), ("ntp",))


@pytest.fixture(autouse=True)
def own_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))


class Scripts(FakeRun):
    """Stands for the scripts that build boxes, which run as root; ``built`` are the arguments."""

    def __init__(self, status: int = 0) -> None:
        self.built: list[list[str]] = []
        self.status = status

    def answer(self, command: Command, say: Say) -> Completed:
        words = list(command.argv)
        words = words[next(n for n, word in enumerate(words) if word.endswith(".sh")) :]
        self.built.append([Path(words[0]).name, *words[1:]])
        Path(words[1]).touch()
        return Completed(self.status, "one\ntwo\nE: no such package\n")


def test_a_box_that_is_there_is_not_built() -> None:
    scripts = Scripts()
    for each in (ORDINARY, Box(DATABASE)):
        with each.locked():
            each.path.touch()
            assert each.build(print, run=scripts) == each.path
    assert scripts.built == []


def test_a_warm_box_is_built_from_the_ordinary_one() -> None:
    scripts, warm = Scripts(), Box(DATABASE)
    with warm.locked():
        assert warm.build(print, run=scripts).exists()
    ordinary, (script, new, base, archives, *packages) = scripts.built
    assert (ordinary[0], script) == ("box.sh", "warm.sh")
    assert (Path(new).parent, base) == (warm.path.parent, str(ORDINARY.path))
    assert Path(archives).is_dir()
    assert packages == ["mariadb-client mariadb-server", "ntp"]


def test_a_box_that_is_built_again_replaces_the_one_in_vagrant(tmp_path: Path) -> None:
    scripts, warm = Scripts(), Box(DATABASE)
    with warm.locked():
        warm.build(print, run=scripts)
        known = tmp_path / "vagrant" / "boxes" / warm.name / "0" / "lxc" / "metadata.json"
        known.parent.mkdir(parents=True)
        known.touch()
        assert warm.added()
        warm.build(print, run=scripts)
        assert warm.added()
        warm.build(print, again=True, run=scripts)
    assert not warm.added()
    assert [script for script, *_ in scripts.built] == ["box.sh", "warm.sh", "warm.sh"]


def test_only_the_boxes_of_the_machines_count_as_renewed(tmp_path: Path) -> None:
    manifest = two_stages(tmp_path)
    network = LabNetwork(manifest.name, DEFAULT_NETWORK, tmp_path)
    warm, other = Box(DATABASE), Box(Packages(("other",)))
    packages = {node.name: DATABASE for node in manifest.nodes}

    def built(box: Box, again: bool) -> float:
        with box.locked():
            box.build(print, again=again, run=Scripts())
        made = VagrantMachines(manifest, network, "lxc", named_packages=lambda: packages)
        return made.box_renewed

    assert built(warm, False) == built(other, True) == built(ORDINARY, True) == 0.0
    assert built(warm, True) >= warm.path.stat().st_mtime


def test_a_box_that_cannot_be_built_leaves_the_old_one() -> None:
    warm = Box(DATABASE)
    with warm.locked():
        warm.build(print, run=Scripts())
        warm.path.write_text("old")
        with pytest.raises(MachineError) as caught:
            warm.build(print, again=True, run=Scripts(status=1))
    assert str(caught.value) == (
        f"{warm.name}: the box could not be built: one two E: no such package; "
        "run `stackcook box build --warm` to see the whole output"
    )
    assert warm.path.read_text() == "old"


def test_nodes_with_the_same_packages_share_a_box() -> None:
    compute = Packages(("nova-compute",))
    found = warm_boxes({"db": DATABASE, "compute1": compute, "compute2": compute})
    assert found == {Box(DATABASE): ["db"], Box(compute): ["compute1", "compute2"]}
    keys = {each.key for each in (*found, ORDINARY, Box(Packages((), ("nova-compute",))))}
    assert len(keys) == 4
    assert all(key.startswith(ORDINARY.key) for key in keys)


def test_whether_there_are_warm_boxes() -> None:
    with ORDINARY.locked():
        ORDINARY.path.touch()
    with Box(DATABASE).locked():
        assert not box.any_warm()
        Box(DATABASE).path.touch()
    assert box.any_warm()
