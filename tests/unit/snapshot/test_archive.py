"""A snapshot as a file: what comes out is what went in, or it is refused."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stackcook.errors import MachineError, UsageError
from stackcook.snapshot import archive
from stackcook.snapshot.store import Snapshot, Store
from tests.snapshots import saved, store_in


@pytest.fixture()
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path / "first")


@pytest.fixture()
def file(tmp_path: Path, store: Store) -> Path:
    """A snapshot, exported."""
    path = tmp_path / "lab.snapshot"
    assert archive.write(saved(store), path) == path.stat().st_size
    return path


def imported(path: Path, into: Store) -> Snapshot:
    with archive.opened(path) as (described, content), into.new(described.name) as directory:
        snapshot = archive.unpack(described, content, directory)
        into.complete(snapshot)
    return snapshot


def test_it_comes_back_as_it_was(file: Path, store: Store, tmp_path: Path) -> None:
    second = store_in(tmp_path / "second")
    imported(file, second)
    (found,), (wanted,) = second.all(), store.all()
    assert found.described() == wanted.described()
    assert (found.layers / "compute1" / "rootfs" / "hostname").read_text() == "compute1"
    assert (found.directory / "state" / "secret").read_text() == "s3cret"


def test_what_was_imported_is_known_to_be_in_the_file(
    file: Path, store: Store, tmp_path: Path
) -> None:
    second = store_in(tmp_path / "second")
    found = imported(file, second)
    assert archive.has(file, found)
    assert not archive.has(tmp_path / "none", found)
    assert not archive.has(file, saved(store, digest="another"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_state_belongs_to_who_imports_it(store: Store, tmp_path: Path) -> None:
    snapshot = saved(store)
    secret = Path("state", "secret")
    os.chown(snapshot.directory / secret, 1234, 1234)
    os.chown(snapshot.layers / "compute1" / "rootfs", 1234, 1234)
    archive.write(snapshot, tmp_path / "lab.snapshot")
    found = imported(tmp_path / "lab.snapshot", store_in(tmp_path / "second"))
    assert (found.directory / secret).stat().st_uid == os.getuid()
    assert (found.layers / "compute1" / "rootfs").stat().st_uid == 1234


def test_only_its_owner_can_read_it_and_tar_can(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as found:
        assert found.getnames() == ["snapshot.json", "files.tar.zst"]


def cut(data: bytes) -> bytes:
    return data[:-3000]


def swapped(data: bytes) -> bytes:
    middle = data.index(b"files.tar.zst") + 600
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def other_checksum(data: bytes) -> bytes:
    at = data.index(b'"sha256": "') + 11
    return data[:at] + b"0" * 64 + data[at + 64 :]


def described_by(text: bytes) -> Callable[[bytes], bytes]:
    """Replaces what is in ``snapshot.json``."""

    def damage(data: bytes) -> bytes:
        size = int(data[124:135], 8)  # of the first member, by its header
        return data[:512] + text.ljust(size)[:size] + data[512 + size :]

    return damage


@pytest.mark.parametrize(
    "damage, why",
    [
        (cut, "write it again with `stackcook snapshot export`"),
        (swapped, r"is damaged (/*stdin*\ : "),  # zstd's reason
        (other_checksum, "is damaged (its checksum is wrong)"),
        (lambda data: data[:100], "is not a snapshot"),
        (lambda data: b"", "is not a snapshot"),
        (lambda data: b"x" * 5000, "is not a snapshot"),
        (described_by(b"[]"), "is not a snapshot"),
        (described_by(b"7"), "is not a snapshot"),
        (lambda data: data.replace(b'"port": 4545', b'"port": null'), "port cannot be null"),
        (lambda data: data.replace(b'"format": 1', b'"format": 2'), "has another format than 1"),
        (lambda data: data.replace(b'"compute1"', b'"compute9"'), "has no files of compute9"),
    ],
)
def test_a_damaged_file_leaves_nothing(
    file: Path, tmp_path: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    file.write_bytes(damage(file.read_bytes()))
    second = store_in(tmp_path / "second")
    with pytest.raises(UsageError) as error:
        imported(file, second)
    assert why in str(error.value) and str(file) in str(error.value)
    assert second.all() == ()
    assert not [p for p in second.directory.glob("*") if p.is_dir()]


def tar_that_says(*lines: str) -> Callable[..., tuple[str, ...]]:
    """In the place of ``as_root``: what tar prints before it fails."""
    script = 'cat >/dev/null; printf "%s\\n" "$@" >&2; exit 2'
    return lambda *_: ("sh", "-c", script, "tar", *lines)


def test_a_full_disk_is_not_the_file_s_fault(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = "tar: nodes/a/rootfs/x: Wrote only 512 of 10240 bytes"
    full = "tar: nodes/a/rootfs/y: Cannot write: No space left on device"
    end = "tar: Exiting with failure status due to previous errors"
    monkeypatch.setattr(archive, "as_root", tar_that_says(wrote, full, end))
    with pytest.raises(MachineError) as error:
        imported(file, store_in(tmp_path / "second"))
    assert f"cannot be unpacked ({full}); free some space" in str(error.value)


def test_why_a_snapshot_cannot_be_exported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "tar: nodes/a/rootfs/x: Read error at byte 0: Input/output error"
    end = "tar: Exiting with failure status due to previous errors"
    monkeypatch.setattr(archive, "as_root", tar_that_says(why, end))
    with pytest.raises(MachineError) as error:
        archive.write(saved(store), tmp_path / "lab.snapshot")
    assert f"cannot be read ({why})" in str(error.value)
    assert list(tmp_path.glob("*.snapshot")) == []


def test_a_target_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    snapshot = saved(store)
    with pytest.raises(UsageError, match="its directory does not exist"):
        archive.write(snapshot, tmp_path / "none" / "lab.snapshot")
