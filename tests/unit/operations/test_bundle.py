"""What a bundle of a manifest contains, and what a deploy takes from it."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from pathlib import Path

import pytest

from stackcook.bootstrap.prebuilt import Prebuilt
from stackcook.bundle import archive
from stackcook.command import Command, Completed, Say
from stackcook.errors import MachineError, UsageError
from stackcook.machines.box import ORDINARY
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.operations import bundle
from stackcook.operations.site import Site
from stackcook.remote.base import Access
from tests.runner import FakeRun

MANIFEST = """\
cookbooks: [{app: }]
roles: [{web: }]
data bags: [{secrets: {items: [item], secret: data_bags/key}}]
nodes:
- one: {run_list: "role[web]"}
- two: {run_list: "recipe[app::bare]"}
"""
FILES = {
    "infrastructure.yml": MANIFEST,
    "cookbooks/app/metadata.json": '{"name": "app", "version": "1.2.3"}',
    "cookbooks/app/packages.txt": "# of a script\nimage-tools\n",
    "cookbooks/app/recipes/default.rb": "openstack_packages 'server'\npackage 'more' if x\n",
    "cookbooks/app/recipes/bare.rb": "",
    "cookbooks/app/.git/config": "",
    "roles/web.json": '{"name": "web", "run_list": ["recipe[app]", "recipe[app::unknown]"]}',
    "cookbooks/app/recipes/unknown.rb": "package 'of-nobody'\n",
    "data_bags/secrets/item.json": '{"id": "item"}',
    "data_bags/key": "a secret of forty-eight letters, for all to see\n",
    "clouds.yaml": "password",
    "id_rsa": "a key",
}
NEEDS = {
    "server": ["server_1%3a2.0_amd64.deb", "library_1.0_all.deb"],
    "more": ["more_1.0_amd64.deb"],
    "image-tools": ["image-tools_1.0_amd64.deb"],
}


class Mirror(FakeRun):
    """apt and dpkg, with a mirror that has what NEEDS names; each file has its name as content.

    ``damaged`` is a package that the mirror delivers wrongly, ``broken`` what apt says in vain.
    """

    def __init__(self) -> None:
        self.damaged = self.broken = ""
        self.sources = ""
        self.recommended: list[str] = []

    def answer(self, command: Command, say: Say) -> Completed:
        argv = list(command.argv)
        if "build.sh" in " ".join(argv):
            path = next(Path(word) for word in argv if word.endswith(".deb"))
            path.write_text(path.name)
        elif argv[0] == "dpkg":
            return Completed(0, "amd64\n")
        elif argv[0] == "dpkg-deb":
            name = Path(argv[-1]).name.split("_")[0]
            return Completed(0, f"Package: {name}\nVersion: 1.0\nArchitecture: amd64\n")
        elif argv[0] == "apt-cache":
            return Completed(0, "\n".join(NEEDS))
        elif "indextargets" in argv:
            own = Path("/etc/os-release").read_text().split("VERSION_CODENAME=")[1].split()[0]
            return Completed(0, f"http://127.0.0.9/debian {own}-updates main\nhttp://x y main\n")
        elif self.broken:
            return Completed(100, "", self.broken)
        elif "update" in argv:
            path = next(w for w in argv if w.startswith("Dir::Etc::SourceList=")).partition("=")[2]
            self.sources = Path(path).read_text()
        else:
            names = argv[argv.index("install") + 1 :]
            if "APT::Install-Recommends=true" in argv:
                self.recommended += names
            files = [file for name in names for file in NEEDS.get(name, ["ruby_1.0_all.deb"])]
            if "--print-uris" in argv:
                return Completed(0, "".join(map(self._line, files)))
            archives = [w for w in argv if w.startswith("Dir::Cache::Archives=")][-1]
            for file in files:
                text = "damaged" if self.damaged and file.startswith(self.damaged) else file
                Path(archives.partition("=")[2], file).write_text(text)
        return Completed(0, "")

    @staticmethod
    def _line(file: str) -> str:
        digest = hashlib.sha256(file.encode()).hexdigest()
        return f"'http://127.0.0.9/{file}' {file} {len(file)} SHA256:{digest}\n"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in FILES.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found, findings = read(tmp_path / "repository/infrastructure.yml")
    assert found, findings
    return found


def written(manifest: Manifest, mirror: Mirror, *codenames: str) -> bundle.Written:
    path = manifest.root.parent / "bundle.tar"
    prebuilt = Prebuilt(mirror)
    return bundle.write(
        manifest, path, codenames or ("trixie",), print, prebuilt=prebuilt, run=mirror
    )


def opened(done: bundle.Written) -> archive.Bundle:
    return bundle.opened(done.path, done.path.parent / "state")


def test_each_node_has_what_its_recipes_name_and_the_client(manifest: Manifest) -> None:
    mirror = Mirror()
    done = written(manifest, mirror)
    found = opened(done)
    client = "stackcook-chef-client_trixie_amd64.deb"
    assert set(found.packages("one", "trixie-amd64")) == {
        *("server_2.0_amd64.deb", "library_1.0_all.deb", "more_1.0_amd64.deb"),
        *("image-tools_1.0_amd64.deb", "ruby_1.0_all.deb", client),
    }
    two = {"image-tools_1.0_amd64.deb", "ruby_1.0_all.deb", client}
    assert set(found.packages("two", "trixie-amd64")) == two
    assert done.unknown == ("of-nobody",) and mirror.recommended[:1] == ["more"]
    assert mirror.sources == "deb http://127.0.0.9/debian trixie-updates main\n"
    assert "Filename: ./server_2.0_amd64.deb\n" in found.index(["server_2.0_amd64.deb"])


def test_the_repository_is_in_it_but_no_secret(manifest: Manifest) -> None:
    with tarfile.open(written(manifest, Mirror()).path) as tar:
        names = {name for name in tar.getnames() if name.startswith("repository/")}
    secret = ("data_bags/key", "clouds.yaml", "id_rsa", "cookbooks/app/.git/config")
    assert names == {f"repository/{name}" for name in FILES if name not in secret}


def test_the_list_of_software_has_packages_gems_and_cookbooks(manifest: Manifest) -> None:
    with tarfile.open(written(manifest, Mirror()).path) as tar:
        file = tar.extractfile("sbom.spdx.json")
        assert file
        document = json.load(file)
    urls = {
        package["externalRefs"][0]["referenceLocator"]: package for package in document["packages"]
    }
    (checksum,) = urls["pkg:deb/debian/server@1.0?arch=amd64"]["checksums"]
    assert checksum["checksumValue"] == hashlib.sha256(NEEDS["server"][0].encode()).hexdigest()
    assert "pkg:generic/cookbook/app@1.2.3" in urls
    assert any(url.startswith("pkg:gem/chef@18.") for url in urls)
    assert document["spdxVersion"] == "SPDX-2.3"


def test_several_releases(manifest: Manifest) -> None:
    found = opened(written(manifest, Mirror(), "trixie", "bookworm"))
    assert set(found.nodes["one"]) == {"trixie-amd64", "bookworm-amd64"}


def test_preflight_knows_what_the_bundle_has_for_a_node(manifest: Manifest) -> None:
    found = opened(written(manifest, Mirror()))
    for package in found.packages("one", "trixie-amd64").values():
        with package.open("ab") as file:
            file.truncate(1 << 20)
    one = manifest.nodes[0]
    wanted = Site(manifest, Access(), found).wanted(one)
    packages = found.nodes["one"]["trixie-amd64"]
    assert wanted.releases == {"trixie-amd64"} and wanted.bundle == len(packages)
    without = Site(manifest).wanted(one)
    assert without.releases is None and without.bundle == 0


def test_a_mirror_that_fails_or_lies_is_named(manifest: Manifest) -> None:
    mirror = Mirror()
    mirror.damaged = "server"
    with pytest.raises(UsageError, match="server_1%3a2.0_amd64.deb is not what the mirror's index"):
        written(manifest, mirror)
    mirror.broken = "E: Failed to fetch http://127.0.0.9/\n"
    with pytest.raises(UsageError, match="`apt-get update` failed for trixie: E: Failed to fetch"):
        written(manifest, mirror)
    assert not (manifest.root.parent / "bundle.tar").exists()


def test_an_empty_directory_gets_the_repository(manifest: Manifest, tmp_path: Path) -> None:
    found = opened(written(manifest, Mirror()))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert bundle.restore_repository(found, empty / "infrastructure.yml")
    assert (empty / "cookbooks/app/recipes/default.rb").read_text().startswith("openstack_packages")
    (empty / "infrastructure.yml").write_text("mine")
    assert not bundle.restore_repository(found, empty / "infrastructure.yml")
    assert (empty / "infrastructure.yml").read_text() == "mine"


def test_a_repository_that_cannot_be_copied_is_copied_by_the_next_try(
    manifest: Manifest, tmp_path: Path
) -> None:
    found = opened(written(manifest, Mirror()))
    there = tmp_path / "there"
    there.mkdir()
    (there / "roles").touch()  # in the place of a directory; so it is with a full disk
    with pytest.raises(MachineError, match="there: cannot copy files there .*roles"):
        bundle.restore_repository(found, there / "infrastructure.yml")
    (there / "roles").unlink()
    assert bundle.restore_repository(found, there / "infrastructure.yml")
    assert (there / "infrastructure.yml").read_text() == MANIFEST
    assert (there / "roles" / "web.json").is_file()


def test_a_lab_takes_the_box_of_the_bundle(manifest: Manifest, tmp_path: Path) -> None:
    with manifest.path.open("a") as file:
        file.write("stackcook: {network: 10.0.115.0/24}\n")
    lab, _ = read(manifest.path)
    assert lab
    with ORDINARY.locked():
        ORDINARY.path.write_text("the box")
    done = written(lab, Mirror())
    found = opened(done)
    assert done.box
    ORDINARY.path.unlink()
    bundle.adopt_box(found, lab)
    assert ORDINARY.path.read_text() == "the box"
    ORDINARY.path.unlink()
    with pytest.raises(UsageError, match="no Vagrant box, or one of another version"):
        bundle.adopt_box(archive.Bundle(found.directory, found.nodes, "other"), lab)


def test_the_packages_of_the_test_image_are_listed() -> None:
    cookbook = Path(__file__).parents[3] / "cookbooks/openstack-resources"
    script = (cookbook / "files/build-test-image").read_text()
    named = re.findall(r'^(?:in_image|tools)="(.*)"', script, re.MULTILINE)
    named.append(*re.findall(r"apt-cache depends (\S+)", script))
    listed = (cookbook / bundle.PACKAGES_FILE).read_text().splitlines()
    assert {name for names in named for name in names.split()} == set(listed[1:])
