"""Sums of files: remembered, but never wrong."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stackcook.chef.objects import hashes as module
from stackcook.chef.objects.hashes import RACY, Hashes

OLD = 10**18


def write(path: Path, text: str, *, at: int = OLD) -> os.stat_result:
    path.write_text(text)
    os.utime(path, ns=(at, at))
    return path.stat()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, in their order."""
    paths: list[str] = []
    real = module.file_md5

    def file_md5(path: str) -> str:
        paths.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(module, "file_md5", file_md5)
    return paths


def load(tmp_path: Path) -> Hashes:
    """As a run well after the files were made."""
    hashes = Hashes.kept_in(tmp_path / "cache", tmp_path)
    later = hashes.now() + 10 * RACY
    hashes.now = lambda: later
    return hashes


def test_a_file_is_read_once(tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "file"
    stat = write(file, "text")
    for _ in range(3):
        hashes = load(tmp_path)
        assert hashes.md5(str(file), stat) == md5("text")
        hashes.save()
    assert read == ["file"]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    hashes = load(tmp_path)
    hashes.md5(str(file), write(file, "text"))
    hashes.save()
    # As long and as old as before: only its inode's time of change gives it away.
    assert load(tmp_path).md5(str(file), write(file, "TEXT")) == md5("TEXT")
    (tmp_path / "other").write_text("else")
    os.utime(tmp_path / "other", ns=(OLD, OLD))
    (tmp_path / "other").replace(file)
    assert load(tmp_path).md5(str(file), file.stat()) == md5("else")


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "file"
    stat = write(file, "text")
    for _ in range(2):
        hashes = Hashes.kept_in(tmp_path / "cache", tmp_path)
        hashes.now = lambda: stat.st_ctime_ns + RACY // 2
        assert hashes.md5(str(file), stat) == md5("text")
        hashes.save()
    assert read == ["file", "file"]


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    stat = write(file, "text")
    hashes = load(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(module, "file_md5", lambda path: write(file, "longer") and md5("text"))
        hashes.md5(str(file), stat)
    hashes.save()
    assert load(tmp_path).md5(str(file), file.stat()) == md5("longer")


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "nonsense",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 0, "files": {}}',
        '{"format": 1, "files": 3}',
        '{"format": 1, "files": {"FILE": [1, 2]}}',
        '{"format": 1, "files": {"FILE": null}}',
    ],
)
def test_a_broken_cache_is_made_anew(tmp_path: Path, kept: str, read: list[str]) -> None:
    file = tmp_path / "file"
    stat = write(file, "text")
    cache = load(tmp_path).path
    cache.parent.mkdir()
    cache.write_text(kept.replace("FILE", str(file)))
    for _ in range(2):
        hashes = load(tmp_path)
        assert hashes.md5(str(file), stat) == md5("text")
        hashes.save()
    assert read == ["file"]


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    hashes = load(tmp_path)
    for name in "abc":
        hashes.md5(str(tmp_path / name), write(tmp_path / name, name))
    hashes.save()
    hashes = load(tmp_path)
    hashes.md5(str(tmp_path / "d"), write(tmp_path / "d", "d"))
    hashes.save()
    assert str(tmp_path / "a") not in hashes.path.read_text()
    assert str(tmp_path / "d") in hashes.path.read_text()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    stat = write(file, "text")
    (tmp_path / "cache").write_text("a file where the directory should be")
    hashes = load(tmp_path)
    assert hashes.md5(str(file), stat) == md5("text")
    hashes.save()
