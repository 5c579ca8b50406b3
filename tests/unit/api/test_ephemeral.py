"""Ephemeral clouds: their networks, their manifests, and what interrupts them."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest
from stackcook.manifest.move import moved
from stackcook.manifest.read import read
from stackcook.api import ephemeral
from stackcook.api.ephemeral import Ephemeral, create, every, expired, find, free_networks
from stackcook.snapshot.store import original, shape_of
from tests.unit.machines.fakes import FakeHost

MANIFEST = """\
roles: [{base: }]
nodes:
- controller: {run_list: "role[base]"}
- compute[01-03]: {run_list: "role[base]"}
stackcook:
  name: a-long-name
  machines: vagrant
  network: 10.0.112.0/24
  external_network: 10.0.113.0/24
  nodes:
    controller: {address: 10.0.112.10, memory: 8G}
    compute[01-03]: {address: "10.0.112.[21-23]", memory: 4G}
"""

POOL = IPv4Network("10.64.0.0/22")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The directory of the original manifest, with a Chef repository and a deployment."""
    root = tmp_path / "source"
    for name in ("roles", ".stackcook", ".git"):
        (root / name).mkdir(parents=True)
    (root / "roles" / "base.json").write_text('{"name": "base", "run_list": []}')
    (root / "clouds.yaml").write_text("clouds: {}\n")
    (root / "infrastructure.yml").write_text(MANIFEST)
    return root


def manifest_in(root: Path) -> Manifest:
    manifest, findings = read(root / "infrastructure.yml")
    assert manifest and not findings, findings
    return manifest


def made(source: Path, directory: Path, name: str = "", *, now: float = 100.0) -> Ephemeral:
    host = FakeHost()
    manifest, run = manifest_in(source), host.run
    return create(manifest, directory, 60.0, now, name=name, pool=POOL, begin=0, run=run)


def test_networks_that_are_taken_are_passed_over() -> None:
    taken = [
        IPv4Network("10.64.0.0/24"),
        IPv4Network("10.64.2.128/25"),
        IPv4Network("192.0.2.0/24"),
    ]
    first, second = free_networks(POOL, taken, [24, 24], 0)
    assert (str(first), str(second)) == ("10.64.1.0/24", "10.64.3.0/24")
    with pytest.raises(UsageError, match="no /24 is free; use another --pool"):
        free_networks(POOL, [*taken, first], [24, 24], 0)
    with pytest.raises(UsageError, match="10.64.0.0/22: no /16 is free"):
        free_networks(POOL, [], [16], 0)


@pytest.mark.parametrize(
    "begin, lengths, found",
    [
        (256, [24, 24], ["10.64.1.0/24", "10.64.2.0/24"]),
        (1023, [24, 24], ["10.64.3.0/24", "10.64.0.0/24"]),
        (300, [24, 29], ["10.64.1.0/24", "10.64.2.0/29"]),
        (1000, [23, 25], ["10.64.2.0/23", "10.64.0.0/25"]),
        (1000, [22], ["10.64.0.0/22"]),
    ],
)
def test_networks_are_searched_from_any_place(
    begin: int, lengths: list[int], found: list[str]
) -> None:
    assert [str(network) for network in free_networks(POOL, [], lengths, begin)] == found


def test_every_network_of_the_pool_is_found() -> None:
    whole = free_networks(POOL, [], [24] * 4, 700)
    assert sorted(whole) == [*POOL.subnets(new_prefix=24)]


def test_two_users_do_not_choose_the_same_networks(source: Path, tmp_path: Path) -> None:
    """They have no common lock, and do not see each other's reservations."""
    manifest, run = manifest_in(source), FakeHost().run
    users = (tmp_path / f"user{number}" for number in range(5))
    clouds = [create(manifest, directory, 60.0, 100.0, run=run) for directory in users]
    assert len({cloud.networks for cloud in clouds}) > 1
    assert all(network.subnet_of(ephemeral.POOL) for each in clouds for network in each.networks)


def test_its_manifest_is_the_same_with_another_name_and_other_networks(
    source: Path, tmp_path: Path
) -> None:
    cloud = made(source, tmp_path / "clouds")
    assert cloud.name.startswith("a-long-") and len(cloud.name) <= 12
    found = manifest_in(cloud.directory)
    assert (found.name, found.os_cloud) == (cloud.name, cloud.name)
    assert (str(found.network), str(found.external_network)) == ("10.64.0.0/24", "10.64.1.0/24")
    assert [(node.name, str(node.address), node.memory) for node in found.nodes] == [
        ("controller", "10.64.0.10", 8192),
        ("compute01", "10.64.0.21", 4096),
        ("compute02", "10.64.0.22", 4096),
        ("compute03", "10.64.0.23", 4096),
    ]
    before = original(found)
    assert before and shape_of(before) == shape_of(manifest_in(source))
    assert (cloud.directory / "roles" / "base.json").is_file()
    there = {path.name for path in cloud.directory.iterdir()}
    assert there == {"ephemeral.json", "infrastructure.yml", "roles"}
    assert cloud.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "value, moved_to",
    [("10.0.112.9", "10.64.0.9"), ("{north: 10.0.112.9}", {"north": "10.64.0.9"})],
)
def test_the_address_that_controllers_share_moves_with_them(
    source: Path, value: str, moved_to: object
) -> None:
    text = MANIFEST.replace("  name:", f"  virtual_address: {value}\n  name:")
    ranges = (IPv4Network("10.64.0.0/24"), IPv4Network("10.64.1.0/24"))
    document = yaml.safe_load(moved(text, manifest_in(source), "other", ranges))
    assert document["stackcook"]["virtual_address"] == moved_to


def test_a_manifest_in_json_with_comments(source: Path, tmp_path: Path) -> None:
    text = json.dumps(yaml.safe_load(MANIFEST), indent="\t")
    (source / "infrastructure.yml").unlink()
    path = source / "cloud.json"
    path.write_text(f"// the cloud of the team\n{text}")
    manifest, findings = read(path)
    assert manifest and not findings
    cloud = create(manifest, tmp_path / "clouds", 60.0, 100.0, pool=POOL, run=FakeHost().run)
    assert len(manifest_in(cloud.directory).nodes) == 4


def test_merge_keys(source: Path) -> None:
    before, after = MANIFEST.split("    controller: {address")
    text = f"""{before}    controller: &common {{address{after}
    <<: {{web: {{address: " 10.0.112.30 "}}}}
    db: {{address: 10.0.112.31, <<: *common}}
"""
    ranges = (IPv4Network("10.64.0.0/24"), IPv4Network("10.64.1.0/24"))
    nodes = yaml.safe_load(moved(text, manifest_in(source), "other", ranges))["stackcook"]["nodes"]
    assert (nodes["web"], nodes["controller"]["address"]) == (
        {"address": "10.64.0.30"},
        "10.64.0.10",
    )
    assert nodes["db"] == {"address": "10.64.0.31", "memory": "8G"}


def test_the_next_one_gets_other_networks_and_another_name(source: Path, tmp_path: Path) -> None:
    clouds = [made(source, tmp_path / "clouds", now=100.0 + number) for number in range(2)]
    assert [*every(tmp_path / "clouds")] == clouds
    assert len({network for cloud in clouds for network in cloud.networks}) == 4
    assert clouds[0].name != clouds[1].name
    with pytest.raises(UsageError, match="no /24 is free"):
        made(source, tmp_path / "clouds")


def test_a_network_that_this_machine_uses_is_not_taken(source: Path, tmp_path: Path) -> None:
    host = FakeHost()
    host.routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.64.0.0/23", "dev": "eth7"}]
    manifest, run = manifest_in(source), host.run
    cloud = create(manifest, tmp_path / "clouds", 60.0, 100.0, pool=POOL, begin=0, run=run)
    assert [str(network) for network in cloud.networks] == ["10.64.2.0/24", "10.64.3.0/24"]


def test_a_cloud_is_found_by_its_name(source: Path, tmp_path: Path) -> None:
    cloud = made(source, tmp_path / "clouds", "ci-42")
    assert find(tmp_path / "clouds", "ci-42") == cloud
    with pytest.raises(UsageError, match="there is no ephemeral cloud ci-43; did you mean ci-42?"):
        find(tmp_path / "clouds", "ci-43")
    with pytest.raises(UsageError, match="ci-42: there is such a cloud already"):
        made(source, tmp_path / "clouds", "ci-42")
    with pytest.raises(UsageError, match="'../x' cannot be the name of a cloud"):
        made(source, tmp_path / "clouds", "../x")


def test_it_expires(source: Path, tmp_path: Path) -> None:
    cloud = made(source, tmp_path / "clouds")
    assert [*expired([cloud], 159.0)] == []
    assert [*expired([cloud], 160.0)] == [cloud]


def test_what_fails_half_way_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ephemeral, "moved", full)
    with pytest.raises(OSError, match="No space left"):
        made(source, tmp_path / "clouds")
    assert every(tmp_path / "clouds") == ()
    assert [path.name for path in (tmp_path / "clouds").iterdir()] == ["lock"]


def test_a_full_disk_leaves_the_name_free(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full)
        made(source, tmp_path / "clouds", "ci-42")
    assert every(tmp_path / "clouds") == ()
    assert made(source, tmp_path / "clouds", "ci-42").name == "ci-42"


def test_a_command_that_was_killed_leaves_the_name_free(source: Path, tmp_path: Path) -> None:
    directory = tmp_path / "clouds" / "ci-42"
    directory.mkdir(parents=True)  # by `down`, after ephemeral.json was deleted
    (directory / ".ephemeral.json.1f0c55aa").touch()  # by `up`, before it was complete
    assert made(source, tmp_path / "clouds", "ci-42").name == "ci-42"
    with pytest.raises(UsageError, match="there is such a cloud already"):
        made(source, tmp_path / "clouds", "ci-42")
    (tmp_path / "clouds" / "mine").mkdir()
    (tmp_path / "clouds" / "mine" / "file").touch()
    with pytest.raises(UsageError, match="there is such a cloud already"):
        made(source, tmp_path / "clouds", "mine")


def test_a_removed_one_is_gone_and_the_chef_repository_stays(source: Path, tmp_path: Path) -> None:
    cloud = made(source, tmp_path / "clouds")
    (cloud.directory / ".stackcook").mkdir()
    ephemeral.remove(cloud)
    assert not cloud.directory.exists()
    assert (source / "roles" / "base.json").is_file()
    ephemeral.remove(cloud)  # another command may have been faster
    assert not cloud.directory.exists()


def test_only_one_at_a_time_destroys_it(source: Path, tmp_path: Path) -> None:
    cloud = made(source, tmp_path / "clouds")
    with ThreadPoolExecutor(1) as pool, ephemeral.held(cloud) as there:
        assert there
        other = pool.submit(ephemeral.remove, cloud)  # it waits
        assert cloud.manifest.exists()
        ephemeral.delete(cloud)
    other.result()
    assert every(tmp_path / "clouds") == ()


def test_a_cloud_is_known_by_its_manifest(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    cloud = made(source, ephemeral.default_directory(), "ci-42")
    assert ephemeral.of(cloud.manifest) == cloud
    monkeypatch.chdir(cloud.directory)
    assert ephemeral.of(Path("infrastructure.yml")) == cloud
    assert ephemeral.of(Path("other.yml")) is None
    assert ephemeral.of(source / "infrastructure.yml") is None
    copy = tmp_path / "copy" / "ci-42"
    shutil.copytree(cloud.directory, copy)
    assert ephemeral.of(copy / "infrastructure.yml") is None  # it belongs to the user


@pytest.mark.parametrize(
    "old, new, why",
    [
        ("machines: vagrant", "machines: ssh", "its machines exist already"),
        ("vagrant", "vagrant\n  provider: libvirt", "its machines are made by libvirt"),
        ("vagrant", "vagrant\n  server_address: 10.0.112.1", "its Chef server has a fixed address"),
    ],
)
def test_what_cannot_be_there_twice(
    source: Path, tmp_path: Path, old: str, new: str, why: str
) -> None:
    path = source / "infrastructure.yml"
    path.write_text(path.read_text().replace(old, new))
    manifest, _ = read(path)
    assert manifest
    with pytest.raises(UsageError, match=why):
        create(manifest, tmp_path / "clouds", 60.0, 100.0, run=FakeHost().run)
    assert every(tmp_path / "clouds") == ()


def test_the_rest_of_the_text_is_kept(source: Path, tmp_path: Path) -> None:
    """A version that looks like a number is not read as one."""
    path = source / "infrastructure.yml"
    path.write_text("cookbooks: [{web: {version: 1.10}}]\n" + path.read_text())
    cloud = made(source, tmp_path / "clouds")
    assert "1.10" in cloud.manifest.read_text()


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"source": "x"}', '{"networks": 1}', "[" * 100_000),
        '{"source": "x", "networks": [], "created": NaN, "ttl": 1}',
        '{"source": "x", "networks": [], "created": 1, "ttl": 1e300}',
    ],
    ids=lambda text: text[:60],
)
def test_a_damaged_one_keeps_its_name_and_does_not_expire(
    source: Path, tmp_path: Path, text: str
) -> None:
    cloud = made(source, tmp_path / "clouds", "ci-42")
    (cloud.directory / "ephemeral.json").write_text(text)
    made(source, tmp_path / "clouds", "other")
    damaged, _ = every(tmp_path / "clouds")
    assert (damaged.name, damaged.manifest) == ("ci-42", cloud.manifest)
    assert damaged.damage.startswith("ephemeral.json cannot be read (")
    assert damaged not in expired(every(tmp_path / "clouds"), now=1e12)


def test_errors_of_the_manifest_are_those_of_the_original(source: Path, tmp_path: Path) -> None:
    """A path that is relative to the manifest leads to the same file, by a link."""
    (source / "client.deb").write_text("")
    document = yaml.safe_load(MANIFEST)
    document["stackcook"]["client"] = {"package": "client.deb"}
    (source / "infrastructure.yml").write_text(yaml.safe_dump(document))
    moved = manifest_in(made(source, tmp_path / "clouds").directory)
    assert moved.client and moved.client.path and moved.client.path.is_file()
