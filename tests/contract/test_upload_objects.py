"""What upload does with cookbooks that are frozen, big or entangled, and what it deletes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient, NotFound
from stackcook.chef.sync import prune
from stackcook.chef.sync.compare import compare
from stackcook.chef.sync.upload import UploadResult, marked, upload
from stackcook.errors import ChefServerError, Position
from stackcook.manifest.model import CookbookEntry, DataBag, Manifest, Pattern
from tests.contract.held import Held
from tests.contract.servers import SERVERS, running

AT = Position(1, 1)


@dataclass(frozen=True)
class Site:
    """A Chef repository on disk, and the server that it goes to."""

    root: Path
    client: ChefClient

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def read(self, *, bags: str = "") -> Repository:
        """All cookbooks, roles and environments there are, and the data bags that are named."""
        every = (Pattern("*", AT),)
        there = self.root / "cookbooks"
        return Repository.read(
            Manifest(
                path=self.root / "infrastructure.yml",
                name="objects",
                cookbooks=tuple(CookbookEntry(path.name, AT) for path in sorted(there.glob("*"))),
                roles=every,
                environments=every,
                data_bags=tuple(DataBag(name, AT, every) for name in bags.split()),
                passwords={},
            )
        )

    def upload(self, repository: Repository | None = None) -> UploadResult:
        return upload(self.client, repository or self.read())

    def contents(self, cookbook: str, version: str = "1.0.0") -> dict[str, bytes]:
        """What a node gets: path → content."""
        stored = self.client.get_map(f"/cookbooks/{cookbook}/{version}")
        lists = [value for value in stored.values() if isinstance(value, list)]
        files = [file for files in lists for file in files]
        return {file["path"]: requests.get(file["url"], timeout=20).content for file in files}


@pytest.fixture(scope="module", params=SERVERS)
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChefClient]:
    with running(request.param, tmp_path_factory.mktemp("server")) as server:
        with ChefClient(server) as client:
            yield client


@pytest.fixture
def site(client: ChefClient, tmp_path: Path) -> Site:
    Held.by(client).wipe(client)
    return Site(tmp_path, client)


def cookbook(name: str, *, version: str = "1.0.0", **files: str) -> dict[str, str]:
    """A cookbook's metadata and recipes."""
    metadata = f"name '{name}'\nversion '{version}'\n"
    recipes = {f"cookbooks/{name}/recipes/{path}.rb": text for path, text in files.items()}
    return {f"cookbooks/{name}/metadata.rb": metadata, **recipes}


def test_a_frozen_cookbook_changes_by_force_only(site: Site) -> None:
    site.write(cookbook("apt", default="1"))
    site.upload()
    frozen = marked(site.read(), freeze=True, force=False)
    assert site.upload(frozen).updated == ("cookbook apt 1.0.0",)
    assert site.client.get("/cookbooks/apt/1.0.0")["frozen?"] is True
    assert not site.upload().changed and not site.upload(frozen).changed

    site.write({**cookbook("apt", default="2"), "roles/new.json": '{"name": "new"}'})
    with pytest.raises(ChefServerError, match=r"frozen on the server.*: apt 1.0.0; .* use --force"):
        site.upload()
    assert site.client.get("/roles") == {}, "nothing is put then"
    by_force = site.upload(marked(site.read(), freeze=False, force=True))
    assert by_force.updated == ("cookbook apt 1.0.0",)
    assert site.contents("apt")["recipes/default.rb"] == b"2"
    assert site.client.get("/cookbooks/apt/1.0.0")["frozen?"] is True


def test_servers_accept_every_version_constraint_that_check_accepts(site: Site) -> None:
    metadata = """\
name 'web'
version IO.read(File.join(__dir__, 'VERSION'))
supports 'debian', '>= 7'
supports 'freebsd', '~> 10.0-RELEASE-p3'
depends 'app', '~> 0.0'
depends 'lib', '>=0.0'
depends 'old', "1.2\\n"
"""
    pins = {"app": "~>0.0", "lib": "0.5.0", "old": ">=0.0", "web": "~> 1.4"}
    site.write(
        {
            "cookbooks/web/metadata.rb": metadata,
            "cookbooks/web/VERSION": "1.4.2\n",
            "environments/prod.json": json.dumps({"name": "prod", "cookbook_versions": pins}),
        }
    )
    for name, version in (("app", "0.5.0"), ("lib", "0.5.0"), ("old", "1.2.0")):
        site.write(cookbook(name, version=version))
    site.upload()
    stored = site.client.get("/cookbooks/web/1.4.2")["metadata"]
    assert stored["platforms"] == {"debian": ">= 7.0", "freebsd": "~> 10.0.3"}
    assert stored["dependencies"] == {"app": "< 1.0.0", "lib": ">= 0.0.0", "old": "= 1.2"}
    found = site.client.get("/environments/prod")["cookbook_versions"]
    assert found == {"app": "< 1.0.0", "lib": "= 0.5.0", "old": ">= 0.0.0", "web": "~> 1.4"}
    assert not site.upload().changed


def test_cookbooks_may_swap_files(site: Site) -> None:
    site.write({**cookbook("a", default="of a"), **cookbook("b", default="of b")})
    site.upload()
    site.write({**cookbook("a", default="of b"), **cookbook("b", default="of a")})
    assert len(site.upload().updated) == 2
    assert site.contents("a")["recipes/default.rb"] == b"of b"
    assert site.contents("b")["recipes/default.rb"] == b"of a"
    assert not site.upload().changed


def test_files_of_all_kinds_arrive_as_they_are(site: Site) -> None:
    site.write(cookbook("apt", default="", größe="package 'ü'\n"))
    folder = site.root / "cookbooks" / "apt" / "files" / "default" / "a" / "b b" / "c%20+&#"
    folder.mkdir(parents=True)
    (folder / "empty").write_bytes(b"")
    (folder / "bytes").write_bytes(bytes(range(256)))
    (folder / "link").symlink_to("bytes")
    site.upload()
    got = site.contents("apt")
    path = "files/default/a/b b/c%20+&#"
    assert got[f"{path}/empty"] == b"" == got["recipes/default.rb"]
    assert got[f"{path}/bytes"] == bytes(range(256)) == got[f"{path}/link"]
    assert got["recipes/größe.rb"] == "package 'ü'\n".encode()
    assert not site.upload().changed


def test_what_is_gone_is_deleted(site: Site) -> None:
    roles = {
        "roles/old.json": '{"name": "old", "run_list": ["role[older]"]}',
        "roles/older.json": '{"name": "older"}',
    }
    site.write(
        {
            **cookbook("apt", default=""),
            **cookbook("old", default=""),
            **roles,
            "environments/old.json": '{"name": "old"}',
            "data_bags/users/alice.json": '{"id": "alice"}',
            "data_bags/users/bob.json": '{"id": "bob"}',
            "data_bags/old/x.json": '{"id": "x"}',
        }
    )
    site.upload(site.read(bags="users old"))
    site.client.post("/data", {"name": "passwords"})
    for path in ("roles/old.json", "roles/older.json", "environments/old.json"):
        (site.root / path).unlink()
    (site.root / "data_bags" / "users" / "bob.json").unlink()
    (site.root / "cookbooks" / "old").rename(site.root / "elsewhere")

    repository = site.read(bags="users")
    difference = compare(site.client, repository, keep=["passwords"])
    expected = [
        "role old",
        "role older",
        "environment old",
        "cookbook old 1.0.0",
        "data bag old",
        "data bag item users/bob",
    ]
    assert [gone.label for gone in difference.gone] == expected
    assert not difference.cookbooks and not difference.objects
    only = compare(site.client, repository, sections=["roles"])
    assert [gone.label for gone in only.gone] == ["role old", "role older"]

    said: list[str] = []
    assert sorted(prune.delete(site.client, difference.gone, on_event=said.append)) == sorted(
        expected
    )
    assert said[:2] == ["deleting role old", "deleting role older"], "first who names the other"
    assert not compare(site.client, repository, keep=["passwords"]).gone
    assert set(site.client.get("/environments")) == {"_default"}
    assert set(site.client.get("/data")) == {"users", "passwords"}
    assert set(site.client.get("/cookbooks")) == {"apt"}
    prune.delete(site.client, difference.gone, on_event=said.append)  # nothing is there any more


def test_versions_that_are_led_to_are_kept(site: Site) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0", "10.0.0"):
        site.write(cookbook("apt", version=version, default=f"# {version}"))
        site.upload()
    site.client.post("/environments", {"name": "theirs", "cookbook_versions": {"apt": "~> 1.0"}})
    site.write(
        {
            **cookbook("apt", version="10.1.0", default="# new"),
            "environments/ours.json": '{"name": "ours", "cookbook_versions": {"apt": "< 10.0.0"}}',
        }
    )
    repository = site.read()
    gone = list(prune.superseded(site.client, repository, 2))
    assert [each.label for each in gone] == [
        f"cookbook apt {old}" for old in ("1.0.0", "1.1.0", "2.0.0")
    ]
    site.upload(repository)
    prune.delete(site.client, gone, on_event=lambda text: None)
    versions = site.client.get("/cookbooks?num_versions=all")["apt"]["versions"]
    kept = {version["version"] for version in versions}
    assert kept == {"1.2.0", "2.1.0", "10.0.0", "10.1.0"}
    assert site.contents("apt", "1.2.0")["recipes/default.rb"] == b"# 1.2.0"


def test_all_that_the_manifest_names_goes(site: Site) -> None:
    site.write(
        {
            **cookbook("apt", default=""),
            "roles/web.json": '{"name": "web"}',
            "environments/qa.json": '{"name": "qa"}',
            "data_bags/all/x.json": '{"id": "x"}',
            "data_bags/some/x.json": '{"id": "x"}',
        }
    )
    repository = site.read(bags="all some")
    site.upload(repository)
    site.client.post("/data/some", {"id": "theirs"})
    site.client.post("/roles", {"name": "theirs"})
    gone = prune.named(site.client, repository, ("cookbooks", "environments", "roles", "data bags"))
    deleted = prune.delete(site.client, gone, on_event=lambda text: None)
    assert set(deleted) == {
        "role web",
        "environment qa",
        "cookbook apt 1.0.0",
        "data bag all",
        "data bag item some/x",
    }
    assert set(site.client.get("/roles")) == {"theirs"}
    assert set(site.client.get("/data/some")) == {"theirs"}
    with pytest.raises(NotFound):
        site.client.get("/cookbooks/apt/1.0.0")
