"""chefignore: the same files as Ruby's File.fnmatch? leaves out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest

from stackcook.chef.objects.chefignore import Chefignore, translate
from stackcook.command import find_program

CASES = [
    ("*.swp", "recipes/default.rb.swp", True),
    ("*.swp", ".default.rb.swp", False),  # no dot at the beginning
    ("*.swp", "recipes/.default.rb.swp", True),
    ("spec/*", "spec/unit/recipes/default_spec.rb", True),
    ("*/spec/*", "spec/x_spec.rb", False),
    ("spec", "spec/x_spec.rb", False),
    (".*", ".rubocop.yml", True),
    ("test[0-9].rb", "test7.rb", True),
    ("test[!0-9].rb", "test7.rb", False),
    ("[", "[", False),
    (r"\*", "*", True),
    (r"\*", "x", False),
    ("{a,b}", "a", False),
    ("file.rb", "file-rb", False),
    ("?", "é", True),
    ("", "", True),
]


@pytest.mark.parametrize(("glob", "path", "ignored"), CASES)
def test_patterns(glob: str, path: str, ignored: bool) -> None:
    assert bool(translate(glob).fullmatch(path)) is ignored


def test_ruby_says_the_same() -> None:
    random = Random(1)
    pairs = [case[:2] for case in CASES]
    for _ in range(20_000):
        glob = "".join(random.choices("ab*?[]!^-\\./", k=random.randrange(9)))
        pairs.append((glob, "".join(random.choices("ab-./[", k=random.randrange(6)))))
    program = "puts JSON.generate(JSON.parse($stdin.read).map { |g, p| File.fnmatch?(g, p) })"
    answer = subprocess.run(
        (find_program("ruby"), "-rjson", "-e", program),
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        check=True,
    )
    differing = [
        (glob, path, theirs)
        for (glob, path), theirs in zip(pairs, json.loads(answer.stdout))
        if bool(translate(glob).fullmatch(path)) is not theirs
    ]
    assert differing == []


def test_comments_and_blanks_are_no_patterns() -> None:
    ignore = Chefignore.parse("# README.md\n\n   \n  *.bak  \n")
    assert ignore.ignores("x.bak")
    assert not ignore.ignores("README.md")
    assert not ignore.ignores("")


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    cookbook = tmp_path / "cookbooks" / "apt"
    cookbook.mkdir(parents=True)
    (tmp_path / "chefignore").write_text("far")
    assert Chefignore.find(cookbook).ignores("far")
    (tmp_path / "cookbooks" / "chefignore").write_text("near")
    found = Chefignore.find(cookbook)
    assert found.ignores("near") and not found.ignores("far")
