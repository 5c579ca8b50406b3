"""The caches that outlive a deployment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stackcook.cache import cache, package_cache


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "stackcook"


def test_a_machine_starts_with_what_others_downloaded(own_cache: Path) -> None:
    theirs = own_cache / "packages" / "lab-one" / "hello_1_all.deb"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("deb")
    (theirs.parent / "partial").mkdir()
    mine = package_cache("lab-two")
    assert [path.name for path in mine.iterdir()] == ["hello_1_all.deb"]
    assert (mine / "hello_1_all.deb").samefile(theirs)
    assert package_cache("lab-two") == mine


def test_a_machine_that_is_deleted_meanwhile_keeps_no_other_from_its_packages(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {own_cache / "packages" / f"lab-{number}" for number in range(4)}
    for directory in others:
        directory.mkdir(parents=True)
        for name in ("both", directory.name):
            (directory / f"{name}.deb").write_text("deb")
    left = list[Path]()
    link = os.link

    def deleting(source: Path, target: Path) -> None:
        if not left:
            for other in others - {source.parent}:
                shutil.rmtree(other)
            left.append(source.parent)
        link(source, target)

    monkeypatch.setattr(os, "link", deleting)
    names = sorted(path.name for path in package_cache("lab-new").iterdir())
    assert names == ["both.deb", f"{left[0].name}.deb"]


def test_one_file_that_is_deleted_meanwhile_is_looked_for_elsewhere(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lab-one", "lab-two"):
        (own_cache / "packages" / name).mkdir(parents=True)
        (own_cache / "packages" / name / "a.deb").write_text("deb")
    link, tried = os.link, list[Path]()

    def once_gone(source: Path, target: Path) -> None:
        tried.append(source)
        if len(tried) == 1:
            source.unlink()
        link(source, target)

    monkeypatch.setattr(os, "link", once_gone)
    assert [path.name for path in package_cache("lab-new").iterdir()] == ["a.deb"]


def test_the_cache_is_where_the_desktop_says(own_cache: Path) -> None:
    assert cache() == own_cache
