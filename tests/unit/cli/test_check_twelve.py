"""A manifest and a Chef repository with one fault of each kind: one run finds them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli

FILES = {
    "infrastructure.yml": """\
cookbooks: [app, base, old, ntp]
environments: [prod]
roles:
- web:
- front:
- back:
- dbb:
data bags:
- users: {items: [alice], secret: keys/secret}
nodes:
- web1: {run_list: "role[web],recipe[app::sever]"}
- web2: {run_list: "role[front]", optoins: -E prod}
stackcook:
  network: 10.0.112.0/24
  nodes:
    web1: {address: 10.0.112.11}
    web2: {address: 10.0.112.11}
  stages: [web, database]
""",
    "roles/web.json": '{"name": "web",\n "run_list": [\n  "recipe[app]",\n  "role[gone]"\n ]}\n',
    "roles/front.json": '{"name": "front",\n "run_list": ["role[back]"]}\n',
    "roles/back.json": '{"name": "back",\n "run_list": ["role[front]"]}\n',
    "roles/db.json": '{"name": "db"}\n',
    "environments/prod.rb": 'name "prod"\ncookbook "ntp", "= 9.0.0"\n',
    "data_bags/users/alice.json": '{\n  "id": "alcie"\n}\n',
    "cookbooks/app/metadata.rb": 'name "app"\nversion "1.0.0"\ndepends "base", "~> 2.0"\n',
    "cookbooks/app/recipes/default.rb": "package 'app'\n\nservice 'app' do\n  action :start\n",
    "cookbooks/app/recipes/server.rb": "package 'server'\n",
    "cookbooks/app/templates/app.conf.erb": "[app]\n<% if true %>\nport = 1\n",
    "cookbooks/base/metadata.rb": 'name "base"\nversion "1.0.0"\ndepends "old"\n',
    "cookbooks/old/metadata.rb": 'name "old"\nversion "1.0.0"\n\ndepends "base"\n',
    "cookbooks/ntp/metadata.rb": 'name "ntp"\nversion "1.0.0"\n',
}

FOUND = [
    ("infrastructure.yml:7:3: error: ", 'did you mean "db"?'),
    ("infrastructure.yml:9:35: error: ", "file not found: keys/secret"),
    ("infrastructure.yml:11:3: error: ", 'did you mean "app::server"?'),
    ("infrastructure.yml:12:35: error: ", 'did you mean "options"?'),
    ("infrastructure.yml:17:21: error: ", "10.0.112.11 is already used by node web1"),
    ("infrastructure.yml:18:17: warning: ", 'no run list has the role "database"'),
    ("cookbooks/app/metadata.rb:3:10: error: ", "base ~> 2.0, but cookbooks/ has 1.0.0"),
    ("cookbooks/app/recipes/default.rb:4:16: error: ", "expecting `end'"),
    ("cookbooks/app/templates/app.conf.erb:3:1: error: ", "expecting `end'"),
    ("cookbooks/base/metadata.rb:3:10: error: ", "base -> old -> base"),
    ("data_bags/users/alice.json:2:3: error: ", 'the item\'s id is "alcie"'),
    ("environments/prod.rb:2:11: warning: ", "the pin is ntp = 9.0.0"),
    ("roles/back.json:2:15: error: ", "back -> front -> back"),
    ("roles/web.json:4:3: error: ", 'role "gone" is not in the manifest'),
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_is_found_once_at_its_place(repository: Path) -> None:
    result = CliRunner(mix_stderr=False).invoke(cli, ["check"])
    assert result.exit_code == 3
    *lines, last = result.stdout.splitlines()
    for line, (place, says) in zip(lines, FOUND):
        assert line.startswith(place) and says in line, line
    assert len(lines) == len(FOUND)
    assert last == "found 12 errors, 2 warnings in 9 files"
