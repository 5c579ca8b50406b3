"""Which clouds are on this machine."""

from __future__ import annotations

from pathlib import Path

from stackcook.machines.lxc import Containers
from stackcook.api.clouds import clouds_here
from tests.unit.machines.fakes import FakeHost


def test_others_are_found_by_their_containers(tmp_path: Path) -> None:
    host = FakeHost()
    host.containers = {"my-lab-c1": True, "my-lab-c2": False, "other-c1": False, "foreign": True}
    host.owners = {"my-lab-c1": tmp_path, "my-lab-c2": tmp_path, "other-c1": tmp_path / "gone"}
    mine, other = clouds_here(tmp_path / "clouds", Containers(host.run))
    assert (mine.name, mine.state, mine.memory) == ("my-lab", "1 of 2 running", 1_000_000_000)
    assert (mine.directory, mine.user, mine.expires) == (tmp_path, tmp_path.owner(), None)
    assert (other.name, other.state, other.user, other.began) == ("other", "stopped", "", None)


def test_nothing_is_there(tmp_path: Path) -> None:
    assert clouds_here(tmp_path / "clouds", Containers(FakeHost().run)) == ()
