"""Policies: a lock that real chef-cli wrote, on servers with policies and on one without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.repository.policylock import PolicyLock, read_policy
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.sync.compare import compare_policy
from stackcook.chef.sync.upload import UploadResult, upload
from stackcook.command import Command, find_program, run
from stackcook.errors import ChefServerError, Position
from stackcook.manifest.model import ChefServer, Manifest, Policy

POLICYFILE = """\
name 'web'
default_source :chef_repo, '.'
run_list 'web::default', 'base'
named_run_list :later, 'base'
default['web']['port'] = 8080
override['web'] = { 'z' => [1, 2.5, 1.0e20, nil, true, "ü\\"x"], 'a' => { 'b' => -3 } }
"""


@pytest.fixture
def policy(tmp_path: Path) -> PolicyLock:
    """The policy of a Policyfile that chef-cli has locked just now."""
    root = tmp_path / "policies"
    for name, recipe in (("web", "include_recipe 'base'"), ("base", "log node['web']['port']")):
        (root / "cookbooks" / name / "recipes").mkdir(parents=True)
        (root / "cookbooks" / name / "metadata.rb").write_text(f"name '{name}'\nversion '1.2.0'\n")
        (root / "cookbooks" / name / "recipes" / "default.rb").write_text(recipe)
    with (root / "cookbooks" / "web" / "metadata.rb").open("a") as metadata:
        metadata.write("depends 'base'\n")
    (root / "cookbooks" / "web" / "files").mkdir()
    (root / "cookbooks" / "web" / "files" / "naïve.txt").write_text("ü")
    (root / "cookbooks" / "web" / "ignored.swp").write_text("x")
    (root / "chefignore").write_text("*.swp\n")
    (root / "Policyfile.rb").write_text(POLICYFILE)
    chef_cli(root, tmp_path, "install")
    return read(root / "Policyfile.lock.json")


def chef_cli(root: Path, home: Path, *words: str) -> None:
    environment = {"HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = run(Command((str(find_program("chef-cli")), *words), env=environment, cwd=root))
    assert done.status == 0, done.output


def read(lock: Path) -> PolicyLock:
    wanted = Policy(lock, "lab", Position(1, 1))
    manifest = Manifest(lock.parent / "infrastructure.yml", "policies", policy=wanted)
    findings = Findings()
    found = read_policy(manifest, findings)
    assert found, [*map(str, findings.found)]
    return found


def put(client: ChefClient, policy: PolicyLock) -> UploadResult:
    return upload(client, Repository(policy=policy), sections=("cookbooks",))


def test_a_policy_arrives_whole_and_once(policy: PolicyLock, zero: ChefServer) -> None:
    with ChefClient(zero) as client:
        assert put(client, policy).created == (policy.label,)
        stored = client.get("/policy_groups/lab/policies/web")
        assert stored["revision_id"] == policy.document["revision_id"]
        assert stored["run_list"] == ["recipe[web::default]", "recipe[base::default]"]
        for identifier, cookbook in policy.artifacts.items():
            artifact = client.get(f"/cookbook_artifacts/{cookbook.name}/{identifier}")
            assert artifact["identifier"] == identifier and artifact["version"] == "1.2.0"
            files = {file["path"]: file["checksum"] for file in artifact["all_files"]}
            assert files == {file.path: file.md5 for file in cookbook.files}
        again = put(client, policy)
    assert (again.created, again.updated, again.unchanged) == ((), (), (policy.label,))


def test_only_what_changed_is_put(policy: PolicyLock, zero: ChefServer, tmp_path: Path) -> None:
    root = tmp_path / "policies"
    with ChefClient(zero) as client:
        put(client, policy)
        (root / "cookbooks" / "base" / "recipes" / "default.rb").write_text("log 'new'\n")
        chef_cli(root, tmp_path, "update")
        changed = read(root / "Policyfile.lock.json")
        change = compare_policy(client, changed)
        assert change and not change.new
        assert [cookbook.name for cookbook in change.artifacts.values()] == ["base"]
        assert put(client, changed).updated == (policy.label,)
        current = client.get("/policy_groups/lab/policies/web")
    assert current["revision_id"] == changed.document["revision_id"]


def test_an_exported_policy(policy: PolicyLock, zero: ChefServer, tmp_path: Path) -> None:
    root = tmp_path / "policies"
    chef_cli(root, tmp_path, "export", "Policyfile.rb", "exported")
    exported = read(root / "exported" / "Policyfile.lock.json")
    assert exported.artifacts.keys() == policy.artifacts.keys()
    with ChefClient(zero) as client:
        change = compare_policy(client, exported)
        assert change and len(change.artifacts) == 2
        assert put(client, exported).created == (exported.label,)


def test_chef_client_converges_with_it(
    policy: PolicyLock, zero: ChefServer, tmp_path: Path
) -> None:
    with ChefClient(zero) as client:
        put(client, policy)
    config = {
        "chef_server_url": zero.url,
        "client_key": str(zero.key),
        "node_name": "web1",
        "policy_name": "web",
        "policy_group": "lab",
        "file_cache_path": str(tmp_path / "cache"),
        "file_backup_path": str(tmp_path / "backup"),
        "chef_guid_path": str(tmp_path / "guid"),
    }
    file = tmp_path / "client.rb"
    file.write_text("".join(f"{key} {json.dumps(value)}\n" for key, value in config.items()))
    argv = (str(find_program("chef-client")), "--config", str(file), "--once", "--no-fork")
    done = run(Command(argv, env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}), timeout=120)
    assert done.status == 0, done.output
    with ChefClient(zero) as client:
        node = client.get("/nodes/web1")
    assert (node["policy_name"], node["policy_group"]) == ("web", "lab")
    assert "web::default" in node["automatic"]["recipes"]


def test_a_server_without_policies_says_so(policy: PolicyLock, embedded: EmbeddedServer) -> None:
    server = embedded.start()
    with ChefClient(server) as client, pytest.raises(ChefServerError) as caught:
        put(client, policy)
    assert str(caught.value) == (
        f"{server.url}: the Chef server does not support policies; "
        "remove `policy` from the manifest, or use another `chef_server`"
    )
    stranger = replace(server, user="nobody")
    with ChefClient(stranger) as client, pytest.raises(ChefServerError) as caught:
        put(client, policy)
    assert "does not support policies" not in str(caught.value)
