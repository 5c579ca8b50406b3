"""The cookbooks: their own specs, and Cookstyle's word on all of our Ruby."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from stackcook.command import find_program

REPOSITORY = Path(__file__).parents[2]
RUBY = ("cookbooks", "examples", "Vagrantfile", "stackcook/machines", "setup/relock")


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


def test_resources_are_documented() -> None:
    missing = []
    for path in REPOSITORY.glob("cookbooks/*/resources/*.rb"):
        code = path.read_text()
        readme = (path.parents[1] / "README.md").read_text()
        properties = [
            line[len("property :") :].split(",")[0]
            for line in code.splitlines()
            if line.startswith("property :")
            and "skip_docs: true" not in line
            and "name_property: true" not in line
        ]
        names = re.findall(r"^provides :(\w+)", code, re.MULTILINE) + properties
        documented = set(re.findall(r"\w+", readme))
        missing += [f"{path.parents[1].name}: {name}" for name in names if name not in documented]
    assert missing == []
