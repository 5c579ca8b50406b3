"""The chef-client of the lab's box: real RubyGems and Chef; bootsnap is a stub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackcook.machines.box import QUICK

CLIENT = Path(sys.executable).with_name("chef-client")
BOOTSNAP = """
module Bootsnap
  def self.setup(**) = nil
  module CompileCache
    module ISeq
      def self.precompile(_path) = nil
    end
  end
end
"""


@dataclass(frozen=True)
class Place:
    """``root`` stands for /usr/local; ``more`` is a second gem directory."""

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
            "RUBYLIB": str(self.root / "lib"),
        }
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def record(self) -> None:
        script = QUICK.read_text().replace("/usr/local", str(self.root))
        self.run("/bin/sh", "-s", given=script)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "local", tmp_path / "gems")
    for directory in ("sbin", "bin", "lib"):
        (place.root / directory).mkdir(parents=True)
    (place.more / "specifications").mkdir(parents=True)
    (place.root / "lib" / "bootsnap.rb").write_text(BOOTSNAP)
    theirs = place.root / "bin" / "chef-client"
    theirs.write_text('#!/bin/sh\necho "RubyGems\' own: $*"\n')
    theirs.chmod(0o755)
    return place


def test_the_recorded_client_is_started(place: Place) -> None:
    place.record()
    assert place.run(place.start, "--version").startswith("Chef Infra Client: 18.")
    assert os.stat(place.root / "lib" / "chef-client").st_mode & 0o777 == 0o755


def test_after_a_gem_was_installed_rubygems_own_client_runs(place: Place) -> None:
    place.record()
    (place.more / "specifications" / "new-1.0.gemspec").write_text("")
    assert place.run(place.start, "-l", "info") == "RubyGems' own: -l info\n"


def test_without_the_record_rubygems_own_client_runs(place: Place) -> None:
    place.record()
    (place.root / "lib" / "chef-client" / "order").unlink()
    assert place.run("chef-client", "-v") == "RubyGems' own: -v\n"
