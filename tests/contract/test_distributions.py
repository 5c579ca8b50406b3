"""What ``setup/dist`` builds: the wheel and the source distribution, and the wheel installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from stackcook import __version__
from stackcook.cli.main import COMMANDS
from tests.started import ROOT

MADE = {".git", ".venv", ".stackcook", "build", "dist", "man", "stackcook.egg-info"}
"""What lies in a checkout without being part of the source."""


def made(directory: str, names: list[str]) -> set[str]:
    """Which of the ``names`` in ``directory`` not to copy."""
    return MADE.intersection(names) if Path(directory) == ROOT else {"__pycache__"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the wheel and the sdist, built in a copy of this checkout."""
    tree, out = (tmp_path_factory.mktemp(name) for name in ("tree", "dist"))
    shutil.copytree(ROOT, tree, symlinks=True, ignore=made, dirs_exist_ok=True)
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([str(tree / "setup" / "dist"), str(out)], env=environment, check=True)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> ZipFile:
    return ZipFile(dist / f"stackcook-{__version__}-py3-none-any.whl")


def test_the_wheel_has_every_file_of_the_package(wheel: ZipFile) -> None:
    package = ROOT / "stackcook"
    found = {
        (Path(directory) / name).relative_to(ROOT).as_posix()
        for directory, _, names in os.walk(package, followlinks=True)
        for name in names
        if "__pycache__" not in directory and "/." not in f"{directory}/{name}"
    }
    assert "stackcook/py.typed" in found
    assert "stackcook/scaffold/shipped/cookbooks/openstack-compute/metadata.rb" in found
    assert "stackcook/scaffold/shipped/ci/Jenkinsfile" in found
    assert found - set(wheel.namelist()) == set()


def test_the_wheel_says_what_it_is(wheel: ZipFile) -> None:
    text = wheel.read(f"stackcook-{__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert (metadata["Version"], metadata["License"]) == (__version__, "Apache-2.0")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# stackcook" in text
    entry_points = wheel.read(f"stackcook-{__version__}.dist-info/entry_points.txt").decode()
    assert "[pytest11]\nstackcook = stackcook.api.fixture" in entry_points
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_wheel_has_a_man_page_of_every_command(wheel: ZipFile) -> None:
    pages = {Path(name).name: name for name in wheel.namelist() if "/share/man/man1/" in name}
    assert {"stackcook.1", "stackcook-node-remove.1"} <= set(pages)
    assert {f"stackcook-{command}.1" for command in COMMANDS} <= set(pages)
    page = wheel.read(pages["stackcook-deploy.1"]).decode()
    assert (
        r"stackcook\-deploy \- Deploy the cloud; after a failure, resume where it stopped" in page
    )
    assert r"\fB\-\-retry\-failed\fR" in page


def test_the_sdist_has_the_docs(dist: Path) -> None:
    root = f"stackcook-{__version__}"
    with tarfile.open(dist / f"{root}.tar.gz") as sdist:
        names = set(sdist.getnames())
    files = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "man/stackcook.1"}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.*")}
    assert {f"{root}/{name}" for name in files} - names == set()


def test_the_wheel_works_in_an_empty_venv(dist: Path, tmp_path: Path) -> None:
    venv, cloud = tmp_path / "venv", tmp_path / "cloud"
    options = ["--system-site-packages", "--without-pip"]
    subprocess.run(["/usr/bin/python3", "-m", "venv", *options, venv], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python3"), "install"]
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, *options, *map(str, dist.glob("*.whl"))], check=True)

    def stackcook(*arguments: str, cwd: Path = cloud) -> str:
        argv = [str(venv / "bin" / "stackcook"), *arguments]
        path = f"{venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        env = {"PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(argv, cwd=cwd, env=env, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "key").touch()
    hosts = ["--machines", "ssh", "--host", "127.0.0.2", "--host", "127.0.0.3"]
    stackcook("init", *hosts, "--key", str(tmp_path / "key"), "cloud", cwd=tmp_path)
    assert stackcook("check").startswith("no problems found: 2 nodes, ")
    assert "check that the cloud works" in stackcook("plan")
    assert stackcook("--version") == f"stackcook {__version__}\n"
    assert (venv / "share" / "man" / "man1" / "stackcook-deploy.1").is_file()
