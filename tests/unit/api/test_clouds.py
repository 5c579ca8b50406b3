"""Which clouds are on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.machines.lxc import Containers
from stackcook.api.clouds import clouds_here
from stackcook.run.events import RunStarted
from stackcook.run.state import State
from tests.unprivileged import unprivileged
from tests.unit.machines.fakes import FakeHost


def test_others_are_found_by_their_containers(tmp_path: Path) -> None:
    host = FakeHost()
    host.containers = {"my-lab-c1": True, "my-lab-c2": False, "other-c1": False, "foreign": True}
    host.owners = {"my-lab-c1": tmp_path, "my-lab-c2": tmp_path, "other-c1": tmp_path / "gone"}
    mine, other = clouds_here(tmp_path / "clouds", Containers(host.run))
    state = (mine.name, mine.state, mine.memory)
    assert state == (tmp_path.name, "1 of 2 running", 1_000_000_000)
    assert (mine.directory, mine.user, mine.expires) == (tmp_path, tmp_path.owner(), None)
    assert (other.name, other.state, other.user, other.began) == ("gone", "stopped", "", None)


@pytest.mark.parametrize(
    "text,name",
    [
        ("stackcook: {name: my-lab}", "my-lab"),
        ("stackcook: {name: my-lab, nets: wrong}", "my-lab"),
        ("stackcook: {", "directory"),
        (None, "directory"),
    ],
)
def test_the_name_is_that_in_the_manifest_which_was_deployed(
    tmp_path: Path, text: str | None, name: str
) -> None:
    directory = tmp_path / "directory"
    manifest = directory / "other.yml"
    with State(directory / ".stackcook") as state:
        state(RunStarted("deploy", 7.0, (), manifest=str(manifest)))
    if text:
        manifest.write_text(text)
    host = FakeHost()
    host.containers, host.owners = {"a-b-c": True}, {"a-b-c": directory}
    (found,) = clouds_here(tmp_path / "clouds", Containers(host.run))
    assert (found.name, found.began) == (name, 7.0)


def test_of_another_users_cloud_the_user_is_known(tmp_path: Path) -> None:
    """The directory is in one of mode 0700, whose owner is the user."""
    (directory := tmp_path / "hidden" / "cloud").mkdir(parents=True)
    directory.parent.chmod(0)
    host = FakeHost()
    host.containers, host.owners = {"a-c1": True}, {"a-c1": directory}
    with unprivileged():
        (found,) = clouds_here(Path("/nonexistent"), Containers(host.run))
    directory.parent.chmod(0o700)
    assert (found.name, found.state, found.user) == ("cloud", "running", tmp_path.owner())
    assert found.began is None


def test_nothing_is_there(tmp_path: Path) -> None:
    assert clouds_here(tmp_path / "clouds", Containers(FakeHost().run)) == ()
