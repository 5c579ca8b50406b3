"""``setup/release`` in a git repository of its own, with builders that only leave a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.started import ROOT

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- `deploy` is faster.\n\n## 0.1.0 (2026-01-01)\n\n- Old.\n"
)
BUILD = """\
#!/bin/sh
mkdir -p dist && grep __version__ stackcook/__init__.py >dist/stackcook-$(basename $0)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Alice")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "alice@example.com")
    (tmp_path / "setup").mkdir()
    (tmp_path / "stackcook").mkdir()
    shutil.copy(ROOT / "setup" / "release", tmp_path / "setup")
    for name in ("dist", "deb"):
        (tmp_path / "setup" / name).write_text(BUILD)
        (tmp_path / "setup" / name).chmod(0o755)
    (tmp_path / "stackcook" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / ".gitignore").write_text("/dist/\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(checkout: Path, *words: str) -> str:
    argv = ["git", *words]
    return subprocess.run(
        argv, cwd=checkout, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(checkout: Path) -> None:
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "Change")


def release(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [str(checkout / "setup" / "release"), *words]
    return subprocess.run(argv, env=os.environ, capture_output=True, text=True)


def test_a_release(checkout: Path) -> None:
    done = release(checkout, "0.2.0")
    assert done.returncode == 0, done.stderr
    assert git(checkout, "log", "-1", "--format=%s") == "Release 0.2.0"
    assert git(checkout, "rev-parse", "v0.2.0^{commit}") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "status", "--porcelain") == ""
    lines = (checkout / "CHANGELOG.md").read_text().splitlines()
    assert lines[2:7:2] == ["## Unreleased", lines[4], "- `deploy` is faster."]
    assert lines[4].startswith("## 0.2.0 (20")
    for name in ("dist", "deb"):
        assert '"0.2.0"' in (checkout / "dist" / f"stackcook-{name}").read_text()
    subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=checkout / "dist", check=True
    )


@pytest.mark.parametrize(
    "version, why",
    [
        ("", '"" is not a version; write it like 1.2.0'),
        ("v1", '"v1" is not a version'),
        ("0.0.9", "0.0.9 is lower than 0.1.0"),
        ("0.1.0", "the tag v0.1.0 exists"),
    ],
)
def test_a_wrong_version(checkout: Path, version: str, why: str) -> None:
    git(checkout, "tag", "v0.1.0")
    done = release(checkout, version)
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr


def test_not_without_changes_and_not_with_uncommitted_ones(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text(CHANGELOG.replace("- `deploy` is faster.\n\n", ""))
    assert "uncommitted changes" in release(checkout, "0.2.0").stderr
    commit(checkout)
    assert 'no changes below "## Unreleased"' in release(checkout, "0.2.0").stderr


def test_a_failed_build_releases_nothing(checkout: Path) -> None:
    (checkout / "setup" / "deb").write_text("#!/bin/sh\nexit 1\n")
    commit(checkout)
    before = git(checkout, "rev-parse", "HEAD")
    done = release(checkout, "0.2.0")
    assert (done.returncode, done.stderr) == (1, "setup/release: failed; nothing was released\n")
    assert (git(checkout, "rev-parse", "HEAD"), git(checkout, "tag")) == (before, "")
    assert '"0.1.0"' in (checkout / "stackcook" / "__init__.py").read_text()
