"""``stackcook plan`` against real Chef servers: what would change, what a deletion would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli
from stackcook.manifest.model import ChefServer
from tests.output import data

MANIFEST = """\
cookbooks: [apt]
environments: [lab]
roles: [web, ROLE]
data bags:
- users: {items: [bob], secret: secret}
- plain: {items: [x]}
nodes: [node1: {run_list: "role[web]"}]
stackcook:
  machines: ssh
  nodes: {node1: {address: 127.0.0.1, key: secret, port: 1}}
  passwords: {}
"""
FILES = {
    "cookbooks/apt/metadata.rb": "name 'apt'\nversion '1.0.0'\n",
    "cookbooks/apt/recipes/default.rb": "# one\n",
    "environments/lab.json": '{"name": "lab"}',
    "roles/web.json": '{"name": "web", "run_list": ["recipe[apt]"]}',
    "roles/old.json": '{"name": "old"}',
    "roles/new.json": '{"name": "new"}',
    "data_bags/users/bob.json": '{"id": "bob", "password": "first secret"}',
    "data_bags/plain/x.json": '{"id": "x", "size": 1}',
    "secret": "a shared secret",
}


@pytest.fixture
def repository(server: ChefServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "planned"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    own = f"  chef_server: {{url: '{server.url}', user: {server.user}, key: {server.key}}}\n"
    (root / "infrastructure.yml").write_text(MANIFEST.replace("ROLE", "old") + own)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(root)
    return root


def stackcook(*arguments: str) -> str:
    result = CliRunner(mix_stderr=False).invoke(cli, arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def planned(*arguments: str) -> Any:
    return data(stackcook("plan", "--json", *arguments))


def test_what_would_change(repository: Path, server: ChefServer) -> None:
    assert len(planned()["chef_server"]["new"]) == 8
    stackcook("upload")
    found = planned()["chef_server"]
    assert (found["new"], found["changed"], found["gone"]) == ([], [], [])
    assert len(found["unchanged"]) == 8

    (repository / "cookbooks/apt/recipes/default.rb").write_text("# two\n")
    (repository / "roles/web.json").write_text('{"name": "web", "run_list": []}')
    (repository / "data_bags/users/bob.json").write_text('{"id": "bob", "password": "second one"}')
    manifest = repository / "infrastructure.yml"
    manifest.write_text(manifest.read_text().replace("web, old", "web, new"))
    text = stackcook("plan", "--only", "cookbooks,roles,data_bags")
    assert text.splitlines()[:5] == [
        f"Chef server {server.url}",
        "  new        role new",
        "  changed    cookbook apt 1.0.0",
        "             ~ recipes/default.rb",
        "  changed    data bag item users/bob",
    ]
    assert '-    "recipe[apt]"\n' in text
    assert "  extra      role old\n" in text
    for hidden in ("first secret", "second one", "encrypted_data", "a shared secret"):
        assert hidden not in text


def test_what_would_be_deleted(repository: Path) -> None:
    stackcook("upload")
    data = planned("--delete")
    assert data["delete"]["objects"] == [
        "role old",
        "role web",
        "environment lab",
        "cookbook apt 1.0.0",
        "data bag users",
        "data bag plain",
    ]
    assert (data["chef_server"], data["stages"]) == (None, None)
    data = planned("--rebuild", "--only", "roles")
    assert data["delete"]["objects"] == data["chef_server"]["new"][::-1] == ["role old", "role web"]
