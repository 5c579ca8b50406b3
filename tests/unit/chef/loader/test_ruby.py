"""Files in Chef's Ruby DSL, evaluated without Chef."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.chef.loader import ruby
from stackcook.chef.loader.ruby import Evaluated, Kind, Source, evaluate
from stackcook.command import find_program
from stackcook.errors import Finding, UsageError


@pytest.fixture
def without_knife(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Path:
        if name == "knife":
            raise UsageError("knife is not installed", remedy="run `stackcook doctor`")
        return find_program(name)

    monkeypatch.setattr(ruby, "find_program", find)


def evaluated(directory: Path, kind: Kind, text: str) -> Evaluated | Finding:
    path = directory / "file.rb"
    path.write_text(text)
    return evaluate([Source(kind, path)], directory)[path]


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        (Kind.METADATA, "chef_version Chef::VERSION", 'undefined name "VERSION"'),
        (Kind.ROLE, "require 'chef/role'", "LoadError: cannot load such file -- chef/role"),
        (Kind.CONFIG, "x cookbook_path + ['a']", 'undefined name "+"'),
    ],
)
@pytest.mark.usefixtures("without_knife")
def test_what_needs_chef_is_reported_without_knife(
    tmp_path: Path, kind: Kind, text: str, what: str
) -> None:
    found = str(evaluated(tmp_path, kind, f"name 'x'\n{text}\n"))
    assert f"file.rb:2:1: error: Ruby: {what}" in found
    assert found.endswith(
        "; it uses Chef's own Ruby, but knife is not installed: run `stackcook doctor`"
    )


@pytest.mark.usefixtures("without_knife")
def test_a_configuration_may_set_and_load_without_chef(tmp_path: Path) -> None:
    (tmp_path / "more.rb").write_text("node_name 'me'\n")
    text = "Chef::Config[:a] = 1\nChef::Config.b = 2\nfrom_file File.join(__dir__, 'more.rb')\n"
    found = evaluated(tmp_path, Kind.CONFIG, text)
    assert isinstance(found, Evaluated)
    assert found.values == {"a": 1, "b": 2, "node_name": "me"}


def test_from_file_continues_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "more.rb").write_text("description 'more'\n")
    text = "name 'web'\nfrom_file File.join(__dir__, 'more.rb')\nrun_list 'apt'\n"
    found = evaluated(tmp_path, Kind.ROLE, text)
    assert isinstance(found, Evaluated)
    assert found.values == {"name": "web", "description": "more", "run_list": ["apt"]}
    assert found.lines == {"name": 1, "description": 2, "run_list": 3}


def test_a_missing_file_is_searched_once_even_below_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = str(evaluated(tmp_path / "link", Kind.METADATA, "version IO.read('VERSION')\n"))
    assert "file.rb:1:1: error: Ruby: Errno::ENOENT: No such file or directory" in found
