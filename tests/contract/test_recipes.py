"""Recipes in Ruby, YAML and JSON: chef-client runs the files that ``check`` expects it to run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackcook.chef.objects.cookbook import recipe_files
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.upload import upload
from stackcook.command import Command, Completed, find_program, run
from stackcook.manifest.model import ChefServer
from stackcook.manifest.read import read
from tests.contract.servers import SERVERS, running

COOKBOOKS = {
    "yml": ("recipes/default.yml",),
    "yaml": ("recipes/default.yaml",),
    "json": ("recipes/default.json",),
    "root_rb": ("recipe.rb", "recipes/default.rb", "recipes/default.yml"),
    "root_yml": ("recipe.yml", "recipes/default.yml", "recipe.json"),
    "root_yaml": ("recipe.yaml", "recipes/default.json"),
    "root_json": ("recipe.json", "recipes/default.json"),
    "order": ("recipe.yml", "recipes/default.json", "recipes/default.rb"),
    "deep": ("recipes/a/b/default.yml",),
}
"""Cookbook → files of its recipe ``default``."""


def recipe(path: str, cookbook: str, place: Path) -> str:
    """A recipe that writes its own path into the file ``place/cookbook``."""
    target = str(place / cookbook)
    if path.endswith(".rb"):
        return f"file {json.dumps(target)} do\n  content {json.dumps(path)}\nend\n"
    resources = {"resources": [{"type": "file", "name": target, "content": path}]}
    return json.dumps(resources)  # which is YAML as well


def converge(server: ChefServer, run_list: list[str], place: Path) -> Completed:
    """Run chef-client once, with everything that it writes below ``place``."""
    config = {
        "chef_server_url": server.url,
        "client_key": str(server.key),
        "node_name": server.user,
        "file_cache_path": str(place / "cache"),
        "file_backup_path": str(place / "backup"),
        "chef_guid_path": str(place / "guid"),
    }
    file = place / "client.rb"
    file.write_text("".join(f"{key} {json.dumps(value)}\n" for key, value in config.items()))
    client = (str(find_program("chef-client")), "--config", str(file), "--once", "--no-fork")
    argv = (*client, "--override-runlist", ",".join(run_list))
    return run(Command(argv, env={"HOME": str(place), "LC_ALL": "C.UTF-8"}), timeout=120)


@pytest.mark.parametrize("name", SERVERS)
def test_chef_client_runs_the_expected_file(name: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.mkdir()
    for cookbook, paths in COOKBOOKS.items():
        root = tmp_path / "cookbooks" / cookbook
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(recipe(path, cookbook, place))
        (root / "metadata.rb").write_text(f"name '{cookbook}'\n")
    (tmp_path / "infrastructure.json").write_text(
        json.dumps(
            {
                "cookbooks": [{name: None} for name in COOKBOOKS],
                "nodes": [{"one": {"run_list": [f"recipe[{name}]" for name in COOKBOOKS]}}],
                "stackcook": {"machines": "ssh", "passwords": {}},
            }
        )
    )
    manifest, _ = read(tmp_path / "infrastructure.json")
    assert manifest
    repository = Repository.read(manifest)
    expected = {
        cookbook.name: recipe_files(cookbook.files)["default"][0].path
        for cookbook in repository.cookbooks
    }
    (tmp_path / "server").mkdir()
    with running(name, tmp_path / "server") as server:
        with ChefClient(server) as client:
            upload(client, repository)
        done = converge(server, [f"recipe[{name}]" for name in COOKBOOKS], place)
    assert done.status == 0, done.output
    assert {name: (place / name).read_text() for name in COOKBOOKS} == expected
