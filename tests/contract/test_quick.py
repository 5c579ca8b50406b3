"""The quick start of a client made of gems: real RubyGems and Chef, in a directory of our own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackcook.bootstrap.install import QUICK

CLIENT = Path(sys.executable).with_name("chef-client")


@dataclass(frozen=True)
class Place:
    """``root`` stands for /usr/local; ``more`` is where gems of the user's own are."""

    root: Path
    more: Path

    @property
    def start(self) -> Path:
        return self.root / "sbin" / "chef-client"

    def run(self, *argv: str | Path, given: str = "") -> str:
        home = re.search(r"GEM_HOME=(\S+)", CLIENT.read_text())
        assert home
        gems = home.group(1).strip("'\"")
        environment = {
            "PATH": f"{self.start.parent}:{self.root / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.root),
            "GEM_HOME": gems,
            "GEM_PATH": f"{gems}:{self.more}",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def record(self) -> None:
        script = QUICK.read_text().replace("/usr/local", str(self.root))
        self.run("/bin/sh", "-s", given=f"set -eu\n{script}\nquick_client\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "local", tmp_path / "gems")
    for directory in (place.root / "sbin", place.root / "bin", place.more / "specifications"):
        directory.mkdir(parents=True)
    theirs = place.root / "bin" / "chef-client"
    theirs.write_text('#!/bin/sh\necho "RubyGems\' own: $*"\n')
    theirs.chmod(0o755)
    return place


def test_what_was_recorded_is_started(place: Place) -> None:
    place.record()
    assert place.run(place.start, "--version").startswith("Chef Infra Client: 18.")
    assert os.stat(place.root / "lib" / "chef-client").st_mode & 0o777 == 0o755


def test_where_a_gem_has_come_rubygems_decides(place: Place) -> None:
    place.record()
    (place.more / "specifications" / "new-1.0.gemspec").write_text("")
    assert place.run(place.start, "-l", "info") == "RubyGems' own: -l info\n"


def test_without_its_record_rubygems_decides(place: Place) -> None:
    place.record()
    (place.root / "lib" / "chef-client" / "order").unlink()
    assert place.run("chef-client", "-v") == "RubyGems' own: -v\n"


def test_a_chef_client_of_the_user_s_own_stays(place: Place) -> None:
    place.start.write_text("#!/bin/sh\necho mine\n")
    place.start.chmod(0o755)
    place.record()
    assert place.run(place.start) == "mine\n"
