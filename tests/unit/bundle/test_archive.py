"""The file format of a bundle: what was written comes back, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from stackcook.bundle import archive
from stackcook.errors import NodeError, UsageError

NODES = {"one": {"trixie-amd64": ["a_1_all.deb"]}}
INDEX = "Package: a\nFilename: ./a_1_all.deb\nSHA256: 1\n\nPackage: b\nFilename: ./b_1_all.deb\n\n"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where bundles are unpacked."""
    return tmp_path / "state/bundles"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    package = tmp_path / "a.deb"
    package.write_bytes(b"a package")
    archive.write(
        tmp_path / "bundle.tar",
        {"nodes": NODES, "box": ""},
        [("packages/a_1_all.deb", package), ("packages/Packages", INDEX)],
    )
    return tmp_path / "bundle.tar"


def test_what_was_written_is_unpacked_once(bundle: Path, there: Path) -> None:
    assert bundle.stat().st_mode & 0o777 == 0o600
    found = archive.unpack(bundle, there)
    assert archive.unpack(bundle, there) == found
    (path,) = found.packages("one", "trixie-amd64").values()
    assert path.read_bytes() == b"a package"
    assert found.index(["a_1_all.deb"]) == INDEX.split("\n\n")[0] + "\n\n"


@pytest.mark.parametrize("node, release", [("one", "bookworm-amd64"), ("two", "trixie-amd64")])
def test_packages_that_it_lacks_are_an_error_of_the_node(
    bundle: Path, node: str, release: str, there: Path
) -> None:
    with pytest.raises(NodeError, match=f"{node}: the bundle has no packages .* for {release}"):
        archive.unpack(bundle, there).packages(node, release)


def test_a_damaged_bundle_is_refused(bundle: Path, tmp_path: Path, there: Path) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(b"a package", b"a pockage"))
    with pytest.raises(UsageError, match="packages/a_1_all.deb is damaged or missing"):
        archive.unpack(bundle, there)
    assert [path.name for path in there.iterdir()] == ["lock"]


def test_half_a_bundle_is_refused(bundle: Path, there: Path) -> None:
    whole = bundle.read_bytes()
    for half in (whole[:1024], gzip.compress(whole)[:200]):
        bundle.write_bytes(half)
        with pytest.raises(UsageError, match="bundle.tar: is not a bundle"):
            archive.unpack(bundle, there)


@pytest.mark.parametrize("text", ["", "not a tar archive " * 100])
def test_another_file_is_refused(tmp_path: Path, text: str, there: Path) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(UsageError, match="other: is not a bundle"):
        archive.unpack(path, there)


def test_a_missing_file_is_named(tmp_path: Path, there: Path) -> None:
    with pytest.raises(UsageError, match="none.tar: cannot be unpacked .No such file"):
        archive.unpack(tmp_path / "none.tar", there)


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_nothing_is_written_beside_it(tmp_path: Path, name: str, there: Path) -> None:
    path = tmp_path / "bundle.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(UsageError, match="unexpected member"):
        archive.unpack(path, there)
    assert not list(tmp_path.rglob("outside"))


def test_a_bundle_of_another_format_is_refused(tmp_path: Path, there: Path) -> None:
    path = tmp_path / "bundle.tar"
    archive.write(path, {"format": 2, "nodes": {}, "box": ""}, [])
    with pytest.raises(UsageError, match="has format 2, but this stackcook reads format 1"):
        archive.unpack(path, there)


@pytest.mark.parametrize("nodes", [7, {"one": []}, {"one": {"trixie-amd64": 1}}])
def test_contents_of_wrong_types_are_refused(tmp_path: Path, nodes: Any, there: Path) -> None:
    path = tmp_path / "bundle.tar"
    archive.write(path, {"nodes": nodes, "box": ""}, [])
    with pytest.raises(UsageError, match="is not a bundle"):
        archive.unpack(path, there)


def test_a_stream_is_a_tar_archive(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 3_000_001)
    content = b"".join(archive.stream({"large": large, "text": "ä\n"}))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        assert {name: file and file.read() for name, file in found.items()} == {
            "large": large.read_bytes(),
            "text": "ä\n".encode(),
        }


def test_contents_are_readable_by_other_programs(bundle: Path) -> None:
    with tarfile.open(bundle) as tar:
        contents, sums = tar.extractfile("bundle.json"), tar.extractfile("SHA256SUMS")
        assert contents and sums
        assert json.load(contents)["nodes"] == NODES
        assert sums.read().decode().count("  packages/") == 2


def test_an_older_bundle_is_removed_when_another_is_in_use(
    bundle: Path, tmp_path: Path, there: Path
) -> None:
    old = archive.unpack(bundle, there)
    archive.write(tmp_path / "new.tar", {"nodes": NODES, "box": "1"}, [])
    new = archive.unpack(tmp_path / "new.tar", there)
    archive.remove_others(new)
    assert not old.directory.exists() and new.directory.exists()


def test_a_file_that_is_no_bundle_leaves_nothing_behind(tmp_path: Path, there: Path) -> None:
    (tmp_path / "other").write_text("not a tar archive" * 100)
    with pytest.raises(UsageError):
        archive.unpack(tmp_path / "other", there)
    assert not there.parent.exists()


def test_the_room_of_a_node_is_that_of_the_release_that_needs_most(
    tmp_path: Path, there: Path
) -> None:
    for name, size in (("a.deb", 1), ("b.deb", 3)):
        (tmp_path / name).write_bytes(bytes(size << 20))
    nodes = {"one": {"bookworm-amd64": ["a.deb"], "trixie-amd64": ["a.deb", "b.deb"]}}
    files = [(f"packages/{name}", tmp_path / name) for name in ("a.deb", "b.deb")]
    archive.write(tmp_path / "bundle.tar", {"nodes": nodes, "box": ""}, files)
    found = archive.unpack(tmp_path / "bundle.tar", there)
    assert (found.room("one"), found.room("two")) == (4, 0)
