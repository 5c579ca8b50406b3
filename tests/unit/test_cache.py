"""The caches that outlive a deployment."""

from __future__ import annotations

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


def test_the_cache_is_where_the_desktop_says(own_cache: Path) -> None:
    assert cache() == own_cache
