"""Syntax of Ruby files and templates, and the results that are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.loader import ruby
from stackcook.chef.repository.repository import Repository
from stackcook.errors import Position
from stackcook.manifest.model import Manifest

FAULT = "cookbooks/app/recipes/default.rb:2:1: error: Ruby: unexpected ')', expecting end-of-input"


@pytest.fixture
def manifest(make: Any) -> Any:
    files = {
        "cookbooks/app/metadata.json": '{"name": "app"}',
        "cookbooks/app/recipes/default.rb": "package 'app'\n)\n",
        "cookbooks/app/templates/a.erb": "<%= @a %>\n",
    }
    return make(files, cookbooks="app")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that Ruby is asked about, as they are."""
    names: list[str] = []
    real = ruby.ask

    def ask(script: Path, wanted: Any, **options: bool) -> Any:
        names.extend(Path(file["path"]).name for file in wanted)
        return real(script, wanted, **options)

    monkeypatch.setattr(ruby, "ask", ask)
    return names


def findings(manifest: Manifest) -> list[str]:
    _, found = Repository.inspect(manifest)
    return [
        str(f).replace(f"{manifest.root}/", "").removesuffix("; correct the file") for f in found
    ]


def kept(cache: Path) -> Path:
    (path,) = cache.glob("syntax-*.json")
    return path


def test_only_what_is_new_is_looked_at(manifest: Manifest, asked: list[str]) -> None:
    assert findings(manifest) == [FAULT]
    assert asked == ["default.rb", "a.erb"]
    asked.clear()
    assert findings(manifest) == [FAULT]
    assert asked == []
    (manifest.root / "cookbooks/app/templates/a.erb").write_text("<% ) %>\n")
    assert len(findings(manifest)) == 2
    assert asked == ["a.erb"]


def test_the_same_text_as_ruby_and_as_a_template(make: Any) -> None:
    files = {"cookbooks/app/metadata.json": '{"name": "app"}'}
    for name in ("recipes/a.rb", "templates/a.erb"):
        files[f"cookbooks/app/{name}"] = "not = ( ruby"
    (only,) = findings(make(files, cookbooks="app"))
    assert only.startswith("cookbooks/app/recipes/a.rb:1:")


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"x": 1}', b'{"x": [0, 1, "y"]}', b'{"x": [1]}']
    + [b'{"x": {"uses": [["recipe"]]}}', b'{"x": {"uses": [[1, "a", null, 1, 1, true]]}}'],
)
def test_a_broken_cache_is_made_anew(manifest: Manifest, cache: Path, damage: bytes) -> None:
    findings(manifest)
    before = kept(cache).read_bytes()
    whole = json.loads(before)
    if damage.startswith(b'{"x"'):
        key = next(key for key, fault in whole.items() if fault == {"uses": []})
        damage = damage.replace(b"x", key.encode())
    kept(cache).write_bytes(damage)
    assert findings(manifest) == [FAULT]
    assert kept(cache).read_bytes() == before


def test_another_ruby_judges_anew(
    manifest: Manifest, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings(manifest)
    asked.clear()
    program = ruby.find_program("ruby")
    shim = tmp_path / "bin" / "ruby"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\n[ "$1" != --version ] || exec echo "$FAKE"\nexec {program} "$@"\n')
    shim.chmod(0o755)
    for module in ("loader.ruby", "checks.syntax"):
        monkeypatch.setattr(f"stackcook.chef.{module}.find_program", lambda name: shim)
    for version, looked_at in (("3.1", 2), ("3.1", 0), ("3.2", 2), ("3.1", 0)):
        monkeypatch.setenv("FAKE", version)
        assert findings(manifest) == [FAULT]
        assert len(asked) == looked_at
        asked.clear()


def test_a_cache_that_cannot_be_kept_costs_no_finding(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert findings(manifest) == [FAULT]


def test_what_ruby_did_not_judge_is_not_kept(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as no_time:
        no_time.setattr(ruby, "TIMEOUT", 0.0)
        said = "not evaluated because another file took too long"
        assert [finding.split("Ruby: ")[1] for finding in findings(manifest)] == [said, said]
    assert findings(manifest) == [FAULT]


def test_without_ruby_the_rest_is_looked_at(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make(
        {
            "cookbooks/app/metadata.rb": "name 'app'\n",
            "cookbooks/app/recipes/default.rb": ")",
            "roles/web.rb": "name 'web'\n",
            "roles/db.json": '{"run_list": ["role[web]", "role[gone]"]}',
            "data_bags/users/al.json": "[]",
        },
        cookbooks="app",
        roles="*",
        data_bags="users/al",
        nodes={"web1": "role[web] recipe[app::any]"},
    )
    monkeypatch.setattr("stackcook.command.shutil.which", lambda *_, **__: None)
    assert findings(manifest) == [
        "infrastructure.yml: error: ruby is not installed, so the repository's Ruby files were not"
        " checked; run `stackcook doctor` to see how to install it, or run `apt-get install ruby`",
        "data_bags/users/al.json:1:1: error: the file is not a JSON object;"
        " put it in braces: {...}",
        'roles/db.json:1:28: error: role "gone" is not in the manifest; add it to `roles`',
    ]


def test_a_ruby_that_does_not_run(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ruby"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    for module in ("loader.ruby", "checks.syntax"):
        monkeypatch.setattr(f"stackcook.chef.{module}.find_program", lambda name: program)
    (only,) = findings(manifest)
    assert only.startswith("infrastructure.yml: error: cannot run ruby, so the repository")


def test_templates_that_are_no_text_or_long(make: Any) -> None:
    manifest = make({"cookbooks/app/metadata.json": '{"name": "app"}'}, cookbooks="app")
    templates = manifest.root / "cookbooks" / "app" / "templates"
    templates.mkdir()
    (templates / "latin.erb").write_bytes(b"a\nb\nJ\xfcrgen\n")
    (templates / "long.erb").write_text(
        "<%= @a %> " * 2000 + "it's long\n" * 50_000 + "<% end %>\n"
    )
    assert findings(manifest) == [
        "cookbooks/app/templates/latin.erb:3:1: error: Ruby: the file is not UTF-8",
        "cookbooks/app/templates/long.erb:50001:1: error: Ruby: unexpected `end', expecting"
        " end-of-input",
    ]


@pytest.mark.parametrize(
    ("message", "at", "what"),
    [
        ("/a/x.rb:3: syntax error, unexpected ')'\n\tfoo )\n\t    ^\n", (3, 6), "unexpected ')'"),
        ("/a/x.rb:3: dynamic constant assignment\nA = 1\n^~~~~\n", (3, 1), None),
        ("/a/x.rb:3: syntax error, unexpected ')'\n... long )\n         ^\n", (3, 1), None),
        ("/a/x.rb:7: Invalid yield", (7, 1), "Invalid yield"),
        ("unknown encoding name: foo", (1, 1), "unknown encoding name: foo"),
        (  # as Ruby 3.4 says it
            "/a/x.rb:2: syntax errors found (SyntaxError)\n  1 | x = 1\n> 2 |  )\n"
            "    |  ^ unexpected ')', ignoring it\n> 3 | end\n    | ^~~ unexpected 'end'\n",
            (2, 2),
            "unexpected ')', ignoring it",
        ),
    ],
)
def test_rubys_words(message: str, at: tuple[int, int], what: str | None) -> None:
    found = ruby.syntax_error(message)
    assert found[0] == Position(*at)
    assert what is None or found[1] == what


def test_the_cache_is_nobody_elses_business(manifest: Manifest, cache: Path) -> None:
    findings(manifest)
    assert os.stat(kept(cache)).st_mode & 0o777 == 0o600
