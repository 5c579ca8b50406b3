"""clouds.yaml: ours comes and goes, the user's stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from openstack.config.loader import OpenStackConfig

from stackcook.errors import VerifyError
from stackcook.verify import clouds

URL = "http://10.0.116.10:5000/v3"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clouds.yaml"


def test_a_new_file_is_for_its_owner_only_and_holds_all(path: Path) -> None:
    assert clouds.write(path, URL, "s3cret: #x")
    assert path.stat().st_mode & 0o777 == 0o600
    cloud = yaml.safe_load(path.read_text())["clouds"]["stackcook"]
    assert cloud["auth"]["auth_url"] == URL
    assert cloud["auth"]["password"] == "s3cret: #x"
    assert (cloud["region_name"], cloud["identity_api_version"]) == ("RegionOne", 3)


def test_a_second_time_nothing_is_written(path: Path) -> None:
    clouds.write(path, URL, "s3cret")
    before = path.stat().st_mtime_ns
    assert not clouds.write(path, URL, "s3cret")
    assert path.stat().st_mtime_ns == before


def test_other_clouds_stay(path: Path) -> None:
    path.write_text("cache: {}\nclouds:\n  work: {auth: {username: me}}\n  stackcook: {old: 1}\n")
    clouds.write(path, URL, "s3cret")
    document = yaml.safe_load(path.read_text())
    assert document["clouds"]["work"] == {"auth": {"username": "me"}}
    assert "old" not in document["clouds"]["stackcook"]
    clouds.remove(path)
    document = yaml.safe_load(path.read_text())
    assert document == {"cache": {}, "clouds": {"work": {"auth": {"username": "me"}}}}


def test_the_demo_user_has_a_cloud_of_its_own(path: Path) -> None:
    assert clouds.write(path, URL, "s3cret", "d3mo")
    assert not clouds.write(path, URL, "s3cret", "d3mo")
    both = yaml.safe_load(path.read_text())["clouds"]
    assert list(both) == ["stackcook", "stackcook-demo"]
    auth = both["stackcook-demo"]["auth"]
    assert (auth["username"], auth["project_name"], auth["password"]) == ("demo", "demo", "d3mo")
    assert both["stackcook"]["auth"]["password"] == "s3cret"
    clouds.remove(path)
    assert not path.exists()


def write_zone(path: Path, zone: str, *zones: str, url: str = URL) -> bool:
    cloud, whole = f"stackcook-{zone}", "stackcook"
    return clouds.write(
        path, url, "pw", "d3mo", cloud, region=zone, region_of=whole, zones=zones or (zone,)
    )


def test_a_zone_that_the_manifest_has_no_more_goes_away(path: Path) -> None:
    path.write_text("clouds: {stackcook-mine: {auth: {username: me}}}\n")
    for zone in ("a", "b", "c"):
        write_zone(path, zone, "a", "b", "c")
    assert write_zone(path, "a", "a", "c")
    assert not write_zone(path, "c", "a", "c")
    found = yaml.safe_load(path.read_text())["clouds"]
    assert {name for name in found if "-b" in name} == set()
    assert {"stackcook-a", "stackcook-c-demo", "stackcook-mine"} < set(found)
    for cloud in ("stackcook", "stackcook-demo"):
        assert [region["name"] for region in found[cloud]["regions"]] == ["a", "c"]
    clouds.write(path, URL, "pw", "d3mo")  # the last zone is the whole cloud
    found = yaml.safe_load(path.read_text())["clouds"]
    assert set(found) == {"stackcook", "stackcook-demo", "stackcook-mine"}


def test_zones_are_clouds_and_regions_of_one_cloud(path: Path) -> None:
    for number, zone in enumerate(("beta", "alpha", "beta")):
        url = f"http://10.0.116.1{number % 2}:5000/v3"
        write_zone(path, zone, "alpha", "beta", url=url)
    config = OpenStackConfig(config_files=[str(path)], secure_files=[], load_envvars=False)
    for zone, address in (("alpha", "10.0.116.11"), ("beta", "10.0.116.10")):
        one = config.get_one(f"stackcook-{zone}")
        for cloud, user in (("stackcook", "admin"), ("stackcook-demo", "demo")):
            region = config.get_one(cloud, region_name=zone)
            assert region.config["auth"]["auth_url"] == one.config["auth"]["auth_url"]
            assert region.config["auth"]["username"] == user
            assert region.region_name == one.region_name == zone
        assert one.config["auth"]["auth_url"] == f"http://{address}:5000/v3"
    clouds.remove(path, "stackcook", "stackcook-alpha", "stackcook-beta")
    assert not path.exists()


def test_a_file_of_ours_alone_goes_away(path: Path) -> None:
    clouds.write(path, URL, "s3cret")
    clouds.remove(path)
    assert not path.exists()
    clouds.remove(path)


@pytest.mark.parametrize(
    "before, after",
    [
        (None, "/clouds.yaml\n"),
        ("mine", "mine\n/clouds.yaml\n"),
        ("clouds.yaml\nmine\n", "clouds.yaml\nmine\n"),
    ],
)
def test_git_ignores_it(path: Path, before: str | None, after: str) -> None:
    ignoring = path.with_name(".gitignore")
    if before:
        ignoring.write_text(before)
    clouds.write(path, URL, "s3cret")
    assert ignoring.read_text() == after


def test_a_gitignore_that_cannot_be_written_is_named(path: Path) -> None:
    path.with_name(".gitignore").mkdir()
    named = r"\.gitignore: cannot be written \(Is a directory\); check the permissions"
    with pytest.raises(VerifyError, match=named):
        clouds.write(path, URL, "s3cret")
    assert not path.exists()


def test_an_empty_list_of_clouds_is_filled(path: Path) -> None:
    path.write_text("clouds:\n")
    assert clouds.write(path, URL, "s3cret")


@pytest.mark.parametrize("text", ["clouds: [1]", "- a", "a: b: s3cret"])
def test_what_is_no_clouds_file_is_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(VerifyError) as caught:
        clouds.write(path, URL, "s3cret")
    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert path.read_text() == text


def test_a_file_that_cannot_be_read(path: Path) -> None:
    path.mkdir()
    with pytest.raises(VerifyError, match=r"clouds.yaml: cannot be read \(Is a directory\); "):
        clouds.write(path, URL, "pw")


def test_regions_that_are_no_list(path: Path) -> None:
    path.write_text("clouds: {stackcook: {regions: 5}}")
    assert clouds.write(path, URL, "pw", cloud="stackcook-a", region="a", region_of="stackcook")
    regions = yaml.safe_load(path.read_text())["clouds"]["stackcook"]["regions"]
    assert [each["name"] for each in regions] == ["a"]


def test_clients_get_the_ca(path: Path) -> None:
    ca = path.parent / "ca.crt"
    clouds.write(path, URL, "s3cret", "d3mo", ca=ca)
    written = yaml.safe_load(path.read_text())["clouds"]
    assert [cloud["cacert"] for cloud in written.values()] == [str(ca), str(ca)]
    clouds.write(path, URL, "s3cret", "d3mo")
    assert "cacert" not in path.read_text()
