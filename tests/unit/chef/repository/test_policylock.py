"""A Policyfile's lock as it is read, and all that can be wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.chefignore import Chefignore
from stackcook.chef.objects.cookbook import read_files
from stackcook.chef.repository.policylock import PolicyLock, identifier, read_policy, revision
from stackcook.chef.repository.repository import Repository
from stackcook.errors import Position, Severity
from stackcook.manifest.model import Manifest, Node, Policy

AGAIN = "update the lock with `chef-cli update`"
FILES = {
    "cookbooks/web/metadata.rb": "name 'web'\nversion '1.2.0'\n",
    "cookbooks/web/recipes/default.rb": "log 'web'\n",
}
RECORDED = Path(__file__).parents[1] / "data" / "Policyfile.lock.json"
Lock = dict[str, Any]


@pytest.fixture
def manifest(make: Any, tmp_path: Path) -> Manifest:
    """A manifest with a policy of one cookbook."""
    made: Manifest = make(FILES)
    web = tmp_path / "cookbooks" / "web"
    lock = {
        "name": "web",
        "run_list": ["recipe[web::default]"],
        "cookbook_locks": {
            "web": {
                "version": "1.2.0",
                "identifier": identifier(read_files(web, Chefignore.find(web))),
                "source": "cookbooks/web",
                "cache_key": None,
            }
        },
        "default_attributes": {},
        "override_attributes": {},
    }
    path = tmp_path / "Policyfile.lock.json"
    write(path, {**lock, "revision_id": revision(lock)})
    return replace(made, policy=Policy(path, "lab", Position(5, 1)))


def write(path: Path, lock: Lock) -> None:
    path.write_text(json.dumps(lock, indent=1))


def change(manifest: Manifest, edit: Callable[[Lock], object], *, seal: bool = True) -> None:
    """Edit the lock; unless told otherwise its revision becomes the right one."""
    assert manifest.policy
    lock = json.loads(manifest.policy.lock.read_text())
    edit(lock)
    if seal:
        lock["revision_id"] = revision(lock)
    write(manifest.policy.lock, lock)


def errors(manifest: Manifest) -> list[str]:
    findings = Findings()
    assert read_policy(manifest, findings) is None
    return [str(finding).replace(f"{manifest.root}/", "") for finding in findings.found]


def read(manifest: Manifest) -> PolicyLock:
    findings = Findings()
    policy = read_policy(manifest, findings)
    assert policy, [*map(str, findings.found)]
    return policy


def test_no_policy(manifest: Manifest) -> None:
    assert errors(replace(manifest, policy=None)) == []


def test_a_policy_with_its_cookbook(manifest: Manifest) -> None:
    policy = read(manifest)
    assert policy.label == "policy web of group lab"
    (cookbook,) = policy.artifacts.values()
    assert (cookbook.name, cookbook.version) == ("web", "1.2.0")
    assert [file.path for file in cookbook.files] == ["metadata.rb", "recipes/default.rb"]


def test_a_revision_is_what_chef_computes() -> None:
    lock = json.loads(RECORDED.read_text())
    assert revision(lock) == lock["revision_id"]
    lock["default_attributes"]["a"]["b"][1] = 2.500001
    assert revision(lock) != lock["revision_id"]


def test_an_exported_policy(manifest: Manifest, tmp_path: Path) -> None:
    assert manifest.policy
    (key,) = read(manifest).artifacts
    place = tmp_path / "exported" / "cookbook_artifacts" / f"web-{key}"
    shutil.copytree(tmp_path / "cookbooks" / "web", place)
    # As chef-cli does: its identifier stays that of the cookbook with metadata.rb.
    (place / "metadata.rb").unlink()
    (place / "metadata.json").write_text('{"name": "web", "version": "1.2.0"}')
    lock = tmp_path / "exported" / "Policyfile.lock.json"
    shutil.move(manifest.policy.lock, lock)
    policy = read(replace(manifest, policy=replace(manifest.policy, lock=lock)))
    assert [file.source.parent for file in policy.artifacts[key].files][0] == place


def test_a_cookbook_that_was_changed(manifest: Manifest) -> None:
    web = manifest.root / "cookbooks" / "web"
    (web / "recipes" / "default.rb").write_text("log 'another'\n")
    assert errors(manifest) == [
        f"Policyfile.lock.json:7:3: error: cookbooks/web has changed since web was locked; "
        f"{AGAIN}"
    ]


def test_a_lock_that_was_changed_by_hand(manifest: Manifest) -> None:
    def edit(lock: Lock) -> None:
        lock["default_attributes"]["port"] = 80

    change(manifest, edit, seal=False)
    (line,) = errors(manifest)
    assert "the revision_id does not match the content of the lock" in line


def without(key: str) -> Callable[[Lock], object]:
    return lambda lock: lock.pop(key)


def setting(key: str, value: object) -> Callable[[Lock], object]:
    return lambda lock: lock.update({key: value})


@pytest.mark.parametrize(
    "edit, finding",
    [
        (without("revision_id"), "Policyfile.lock.json: error: revision_id is missing"),
        (without("cookbook_locks"), "Policyfile.lock.json: error: cookbook_locks is missing"),
        (setting("run_list", {}), "Policyfile.lock.json:3:2: error: run_list is not a list"),
        (setting("named_run_lists", []), "error: named_run_lists is not a map"),
        (setting("name", "a/b"), "error: name contains characters other than letters, digits"),
        (setting("run_list", ["web"]), 'error: "web" is not recipe[COOKBOOK::RECIPE]'),
        (
            setting("run_list", ["recipe[db::a]"]),
            "error: cookbook db has no entry in cookbook_locks",
        ),
        (setting("cookbook_locks", {"web": []}), "error: cookbook web has no identifier"),
    ],
)
def test_a_lock_of_another_form(
    manifest: Manifest, edit: Callable[[Lock], object], finding: str
) -> None:
    change(manifest, edit, seal=False)
    assert finding in errors(manifest)[0]


def test_a_cookbook_from_a_supermarket(manifest: Manifest) -> None:
    change(manifest, lambda lock: lock["cookbook_locks"]["web"].update(cache_key="web-1.2.0"))
    assert errors(manifest) == [
        "Policyfile.lock.json:7:3: error: cookbook web has no local directory; "
        "run `chef-cli export DIRECTORY` and use the Policyfile.lock.json in it"
    ]


def test_a_cookbook_that_is_gone(manifest: Manifest) -> None:
    shutil.rmtree(manifest.root / "cookbooks" / "web")
    assert errors(manifest) == [
        f"Policyfile.lock.json:7:3: error: cookbook web not found in cookbooks/web; {AGAIN}"
    ]


def test_no_json(manifest: Manifest) -> None:
    assert manifest.policy
    manifest.policy.lock.write_text('{"name": }')
    assert errors(manifest)[0].startswith("Policyfile.lock.json:1:10: error: invalid JSON")


def test_a_node_with_another_policy_is_warned_of(manifest: Manifest) -> None:
    def node(name: str, line: int, policy: str) -> Node:
        return Node(name, Position(line, 3), policy_name=policy, policy_group="lab")

    nodes = (node("a", 2, "web"), node("b", 3, "wbe"), node("c", 3, "wbe"))
    findings = Findings()
    assert read_policy(replace(manifest, nodes=nodes), findings)
    (found,) = findings.found
    assert (found.severity, found.position) == (Severity.WARNING, Position(3, 3))
    assert found.what == (
        "b uses policy wbe of group lab, but the manifest provides policy web of group lab"
    )


def test_the_attributes_of_a_lock_are_checked(manifest: Manifest) -> None:
    declared = manifest.root / "cookbooks" / "web" / "attributes.yml"
    declared.write_text("web.port: {type: integer, description: The port.}\n")
    web = declared.parent

    def edit(lock: Lock) -> None:
        lock["cookbook_locks"]["web"]["identifier"] = identifier(
            read_files(web, Chefignore.find(web))
        )
        lock["override_attributes"] = {"web": {"port": "80"}}

    change(manifest, edit)
    _, findings = Repository.inspect(manifest)
    assert [finding.what for finding in findings] == ["web.port is not an integer"]
    assert manifest.policy and findings[0].path == manifest.policy.lock
