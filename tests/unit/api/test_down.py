"""Ephemeral clouds are destroyed, whoever else does so, and whatever is left of their source."""

from __future__ import annotations

import shutil
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from stackcook.api.down import destroy_expired, down
from stackcook.api.ephemeral import Ephemeral, create, default_directory, every
from stackcook.api.manifest import load
from stackcook.errors import ChefServerError, ExitCode, InputError
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.parallel import parallel_map
from stackcook.run.events import Event
from stackcook.run.lock import exclusive
from tests.fakes import FakeSite
from tests.unit.machines.fakes import FakeHost

MANIFEST = """\
berksfile:
nodes:
- one: {run_list: "recipe[a]"}
stackcook:
  machines: vagrant
  provider: lxc
  network: 10.0.112.0/24
  policy: {lock: Policyfile.lock.json, group: lab}
  client: {package: client.deb}
  tls: {mode: public, certificate: cert.pem, key: key.pem}
  nodes: {one: {address: 10.0.112.10}}
"""
FILES = ("Berksfile", "Policyfile.lock.json", "client.deb", "cert.pem", "key.pem")


class Destroyed(FakeSite):
    """A site whose local state is deleted, as that of the real one."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__()
        self._state = manifest.state

    def remove(self) -> str:
        shutil.rmtree(self._state)
        return super().remove()


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the original manifest."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (root := tmp_path / "source").mkdir()
    for name in FILES:
        (root / name).touch()
    (root / "cookbooks").mkdir()
    (root / "infrastructure.yml").write_text(MANIFEST)
    return root


def made(source: Path, name: str) -> Ephemeral:
    """A cloud that has expired."""
    manifest, findings = read(source / "infrastructure.yml")
    assert manifest and not findings, findings
    host = FakeHost()
    return create(manifest, default_directory(), 60.0, 0.0, name=name, run=host.run)


def ignore(_: Event) -> None:
    """Show nothing."""


def site(manifest: Manifest) -> FakeSite:
    return Destroyed(manifest)


def test_it_is_destroyed_although_its_source_is_gone(source: Path) -> None:
    cloud = made(source, "ci-42")
    shutil.rmtree(source)
    with pytest.raises(InputError, match="file not found: Berksfile"):
        load(cloud.manifest, "deploy")
    sites: list[FakeSite] = []

    def make_site(manifest: Manifest) -> FakeSite:
        sites.append(Destroyed(manifest))
        return sites[-1]

    assert down(cloud, make_site, ignore) == ExitCode.DONE  # type: ignore
    assert "destroy one" in sites[0].asked
    assert every(default_directory()) == () and not cloud.directory.exists()


def test_other_errors_of_its_manifest_are_shown(source: Path) -> None:
    cloud = made(source, "ci-42")
    cloud.manifest.write_text("nodes: 1\n")
    with pytest.raises(InputError, match="nodes is not a list"):
        down(cloud, site, ignore)  # type: ignore
    assert cloud.directory.exists()


def test_one_that_has_been_destroyed_meanwhile_is_no_failure(source: Path) -> None:
    cloud = made(source, "ci-42")
    for _ in range(2):
        assert down(cloud, site, ignore) == ExitCode.DONE  # type: ignore
        assert not cloud.directory.exists()


def test_two_commands_may_destroy_expired_clouds_at_the_same_time(source: Path) -> None:
    names = [f"ci-{number}" for number in range(8)]
    for name in names:
        made(source, name)
    said: list[str] = []
    codes = parallel_map(lambda _: destroy_expired(site, said.append), range(4))  # type: ignore
    assert codes == [ExitCode.DONE] * 4
    assert {line.partition(", which")[0] for line in said} == {
        f"destroying the ephemeral cloud {name}" for name in names
    }
    assert [path.name for path in default_directory().iterdir()] == ["lock"]


def test_one_whose_lock_cannot_be_read_does_not_stop_the_command(source: Path) -> None:
    cloud = made(source, "ci-42")
    (cloud.state / "lock").mkdir(parents=True)  # or it is another user's, after `sudo stackcook`
    said: list[str] = []
    assert destroy_expired(site, said.append) == ExitCode.USAGE  # type: ignore
    assert said[-1].startswith("it was not destroyed ([Errno 21] Is a directory")


def test_one_that_another_command_begins_to_destroy_is_left_to_it(source: Path) -> None:
    cloud = made(source, "ci-42")
    said: list[str] = []

    def make_site(manifest: Manifest) -> FakeSite:
        other.__enter__()
        return Destroyed(manifest)

    other = exclusive(cloud.state, "destroy")
    code = destroy_expired(make_site, said.append)  # type: ignore
    other.__exit__(None, None, None)
    assert code == ExitCode.DONE and len(said) == 1
    assert cloud.directory.exists()


@pytest.mark.parametrize(
    "error, code, why",
    [
        (ChefServerError("no luck"), ExitCode.CHEF_SERVER, "exit code 6"),
        (PermissionError(13, "Permission denied", "x"), ExitCode.USAGE, "Permission denied: 'x'"),
    ],
)
def test_a_failure_is_a_line_and_the_next_one_is_destroyed(
    source: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: ExitCode, why: str
) -> None:
    for name in ("bad", "good"):
        made(source, name)
    said: list[str] = []

    def make_site(manifest: Manifest) -> FakeSite:
        found = Destroyed(manifest)
        if manifest.name == "bad":
            if isinstance(error, OSError):
                raise error
            found.errors["stop"] = error  # type: ignore
        return found

    assert destroy_expired(make_site, said.append) == code  # type: ignore
    assert [cloud.name for cloud in every(default_directory())] == ["bad"]
    (line,) = [line for line in said if line.startswith("it was not destroyed")]
    assert why in line and line.endswith("run `stackcook down bad`")


def test_networks_of_destroyed_clouds_are_free_again(source: Path) -> None:
    manifest, _ = read(source / "infrastructure.yml")
    assert manifest
    one, run = IPv4Network("10.64.0.0/24"), FakeHost().run
    for _ in range(2):
        cloud = create(manifest, default_directory(), 60.0, 0.0, pool=one, run=run)
        assert down(cloud, site, ignore) == ExitCode.DONE  # type: ignore
