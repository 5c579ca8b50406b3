"""The cookbooks: their own specs, and Cookstyle's word on all of our Ruby."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from stackcook.command import find_program

REPOSITORY = Path(__file__).parents[2]
RUBY = ("cookbooks", "Vagrantfile", "stackcook/machines", "setup/relock")


def test_chefspec(record_property: Callable[[str, object], None]) -> None:
    done = subprocess.run(
        [find_program("rspec")], cwd=REPOSITORY / "cookbooks", capture_output=True, text=True
    )
    counted = re.search(r"^(\d+) examples?, (\d+) failures?.*$", done.stdout, re.MULTILINE)
    assert counted and done.returncode == 0, done.stdout + done.stderr
    record_property("examples", counted[1])
    assert int(counted[1]) > 0


def test_cookstyle() -> None:
    done = subprocess.run(
        [find_program("cookstyle"), *RUBY], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
