"""The repository as it is read, and all that can be wrong with it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.databags import DataBag
from stackcook.chef.repository.policylock import PolicyLock
from stackcook.chef.repository.repository import Repository
from stackcook.errors import InputError, Position, Severity
from stackcook.manifest.model import Manifest, Tls
from tests.unprivileged import unprivileged

BASE = {"cookbooks/base/metadata.rb": "name 'base'\nversion '1.0.0'\n"}


def errors(manifest: Manifest) -> list[str]:
    """The findings as the user reads them, without the directory."""
    _, findings = Repository.inspect(manifest)
    return [str(finding).replace(f"{manifest.root}/", "") for finding in findings]


def test_an_empty_manifest_needs_nothing(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # not even Ruby
    assert Repository.read(make({})) == Repository()


def test_json_wins_over_ruby(make: Any) -> None:
    files = {"roles/a.json": '{"name": "a", "description": "json"}', "roles/a.rb": "name 'a'"}
    assert Repository.read(make(files, roles="a")).roles["a"]["description"] == "json"


def test_a_role_in_ruby_is_what_chef_makes_of_it(make: Any) -> None:
    role = """\
name "db"
run_list "recipe[base]", %w(base role[db])
default_attributes :a => {:b => [1, nil]}
env_run_lists "_default" => ["base"], "qa" => []
"""
    files = {**BASE, "cookbooks/base/recipes/default.rb": "", "roles/db.rb": role}
    assert Repository.read(make(files, roles="db", cookbooks="base")).roles["db"] == {
        "name": "db",
        "description": "",
        "json_class": "Chef::Role",
        "chef_type": "role",
        "default_attributes": {"a": {"b": [1, None]}},
        "override_attributes": {},
        "run_list": ["recipe[base]"],
        "env_run_lists": {"qa": []},
    }


def test_globs_and_folders(make: Any) -> None:
    files = {f"roles/{name}.json": "{}" for name in ("web1", "web2", "db", "sub/deep", "old")}
    found = Repository.read(make(files, roles="web* {db,none} sub/*")).roles
    assert sorted(found) == ["db", "deep", "web1", "web2"]


def test_links_and_hidden_folders(make: Any, tmp_path: Path) -> None:
    manifest = make(
        {
            **BASE,
            "cookbooks/base/files/real": "x",
            "cookbooks/base/.git/config": "x",
            "cookbooks/base/files/.hidden/x": "x",
            "elsewhere/y": "x",
        },
        cookbooks="base",
    )
    base = manifest.root / "cookbooks" / "base"
    os.symlink("real", base / "files" / "link")
    os.symlink("absent", base / "files" / "broken")
    os.symlink(manifest.root / "elsewhere", base / "files" / "folder")
    paths = [file.path for file in Repository.read(manifest).cookbooks[0].files]
    assert paths == ["files/.hidden/x", "files/link", "files/real", "metadata.rb"]


def test_all_findings_at_once(make: Any) -> None:
    manifest = make(
        {
            "cookbooks/base/metadata.rb": "name 'base'\ndepends 'aptt'\n",
            "cookbooks/apt/metadata.json": '{"name": "apt",\n "version": 1,}',
            "roles/web.json": '{"run_list": ["role[wbe]", "recipe[base::nope]"]}',
            "roles/bad.rb": "name 'bad'\nrun_lst 'x'\n",
            "roles/other.json": '{\n  "name": "another"}',
            "environments/qa.json": '{"cookbook_versions": {"base": "latest"}}',
            "data_bags/users/al.json": "[]",
        },
        cookbooks="base apt aptt missing",
        roles="web bad other web2",
        environments="qa",
        data_bags="users/al users/bob node",
        nodes={"one": "role[webb] role[web"},
        environment="prod",
    )
    assert errors(manifest) == [
        "infrastructure.yml:7:3: error: file not found: roles/web2 (.json or .rb);"
        ' did you mean "web"?',
        "infrastructure.yml:7:3: error: cookbook not found: cookbooks/aptt;" ' did you mean "apt"?',
        "infrastructure.yml:7:3: error: cookbook not found: cookbooks/missing;"
        " create it or remove the name",
        "cookbooks/apt/metadata.json:2:15: error: invalid JSON: expecting property name"
        " enclosed in double quotes; correct it",
        'roles/bad.rb:2:1: error: Ruby: undefined name "run_lst"; did you mean "run_list"?',
        'roles/other.json:2:3: error: the name is "another"; set it to the file\'s name, "other"',
        'environments/qa.json:1:24: error: base: "latest" is not a version constraint'
        ' (x.y or x.y.z); write it as "~> 1.2"',
        "infrastructure.yml:7:3: error: file not found: data_bags/users/bob (.json);"
        " create the file or remove the name",
        "data_bags/users/al.json:1:1: error: the file is not a JSON object;"
        " put it in braces: {...}",
        'infrastructure.yml:7:3: error: invalid data bag name "node";'
        " Chef reserves this name; choose another",
        'infrastructure.yml:7:3: error: one: environment "prod" is not in the manifest;'
        " add it to `environments`",
        'infrastructure.yml:7:3: error: one: role "webb" is not in the manifest;'
        ' did you mean "web"?',
        'infrastructure.yml:7:3: error: one: invalid run list entry "role[web";'
        " correct the run list",
        'roles/web.json:1:15: error: role "wbe" is not in the manifest; did you mean "web"?',
        'roles/web.json:1:28: error: cookbook base has no recipe "base::nope"; create it',
    ]
    with pytest.raises(InputError) as error:
        Repository.read(manifest)
    assert len(error.value.findings) == 15


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ("version '1.0.0'", "the metadata has no name"),
        (
            "name 'other'",
            'the cookbook\'s name is "other"; set it to the directory\'s name, "base"',
        ),
        ("name 'base'\nversion 'soon'", 'version "soon" is not of the form x.y.z'),
        ("name 'base'\ndepends 'base'", "cookbook base cannot depend on itself"),
        ("name 'base'\ndepends 'users'", 'base depends on "users", which is not in the manifest'),
        (
            "name 'base'\ndepends 'two', '>= 3.0'",
            "base depends on two >= 3.0, but cookbooks/ has 2.0.0",
        ),
        ("name 'base'\nFoo::Bar", 'base/metadata.rb:2:1: error: Ruby: undefined name "Foo"'),
        ("name 'base'\nexit", "base/metadata.rb:2:1: error: Ruby: SystemExit"),
        ("name 'base'\n)", "base/metadata.rb:2:1: error: Ruby: unexpected ')'"),
        ("name 'base'\nIO.read('absent')", "metadata.rb:2:1: error: Ruby: Errno::ENOENT"),
    ],
)
def test_metadata(make: Any, metadata: str, what: str) -> None:
    two = {"cookbooks/two/metadata.json": '{"name": "two", "version": "2.0"}'}
    manifest = make({"cookbooks/base/metadata.rb": metadata, **two}, cookbooks="base two")
    (only,) = errors(manifest)
    assert what in only


@pytest.mark.parametrize("directory", ["cookbooks", "roles", "environments", "data_bags/users"])
def test_a_directory_that_the_user_may_not_read_is_one_finding(
    make: Any, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    files = {
        "cookbooks/base/metadata.json": '{"name": "base", "version": "1.0.0"}',
        "cookbooks/base/recipes/default.rb": "",
        "roles/web.json": '{"name": "web", "run_list": ["recipe[base]"]}',
        "environments/qa.json": '{"name": "qa"}',
        "data_bags/users/alice.json": '{"id": "alice"}',
    }
    names = {"roles": "web", "environments": "qa", "data_bags": "users/alice"}
    manifest = make(files, cookbooks="base", nodes={"one": "role[web]"}, **names)
    manifest.root.chmod(0o755)
    (manifest.root / directory).chmod(0)
    monkeypatch.chdir(manifest.root)  # the directories above are the test runner's alone
    with unprivileged():
        found = errors(replace(manifest, path=Path("infrastructure.yml")))
    (manifest.root / directory).chmod(0o755)
    assert found == [f"{directory}: error: cannot read the directory; make it readable"]


def test_a_file_that_the_user_may_not_read_is_named(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make(BASE, cookbooks="base")
    manifest.root.chmod(0o755)
    (manifest.root / "cookbooks/base/metadata.rb").chmod(0)
    monkeypatch.chdir(manifest.root)
    with unprivileged():
        found = errors(replace(manifest, path=Path("infrastructure.yml")))
    assert found == [
        "cookbooks/base/metadata.rb: error: cannot read the cookbook: permission denied; "
        "make it readable"
    ]


def test_the_wanted_version_must_be_there(make: Any) -> None:
    assert errors(make(BASE, cookbooks="base=1.0")) == []
    (only,) = errors(make(BASE, cookbooks="base=2.0.0"))
    assert "the manifest has base 2.0.0, but cookbooks/ has 1.0.0" in only


def test_a_pin_that_nothing_fits_is_a_warning(make: Any) -> None:
    files = {**BASE, "environments/qa.rb": "name 'qa'\ncookbook 'base', '= 9.0.0'\n"}
    _, findings = Repository.inspect(make(files, cookbooks="base", environments="qa"))
    assert [finding.severity for finding in findings] == [Severity.WARNING]


def test_a_loop_in_ruby_ends(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackcook.chef.loader.ruby.TIMEOUT", 2.0)
    files = {"roles/a.rb": "loop {}", "roles/b.rb": "exit!", "roles/c.rb": "name 'd'"}
    assert errors(make(files, roles="*")) == [
        "roles/a.rb:1:1: error: Ruby: evaluation of this file did not finish; correct the file",
        "roles/b.rb:1:1: error: Ruby: evaluation of this file did not finish; correct the file",
        'roles/c.rb:1:1: error: the name is "d"; set it to the file\'s name, "c"',
    ]


def test_cookbooks_from_elsewhere_count_as_named(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "cookbooks/base/metadata.rb": "name 'base'\nversion '1.0.0'\ndepends 'yum'\n",
        "elsewhere/base/metadata.rb": "name 'base'\nversion '9.0.0'\n",
        "elsewhere/yum/metadata.rb": "name 'yum'\nversion '2.0.0'\n",
        "elsewhere/yum/recipes/default.rb": ")",
        "cookbooks/yum/metadata.rb": "not named in the manifest, so the other is taken",
    }
    manifest = make(files, cookbooks="base", nodes={"one": "recipe[yum::none]"})
    brought = {name: tmp_path / "elsewhere" / name for name in ("base", "yum")}
    monkeypatch.setattr("stackcook.chef.repository.read.fetch", lambda *_: brought)
    repository, _ = Repository.inspect(manifest)
    found = [(cookbook.name, cookbook.version) for cookbook in repository.cookbooks]
    assert found == [("base", "1.0.0"), ("yum", "2.0.0")]
    assert [line.split(";")[0] for line in errors(manifest)] == [
        "elsewhere/yum/recipes/default.rb:1:1: error: Ruby: unexpected ')'",
        'infrastructure.yml:7:3: error: one: cookbook yum has no recipe "yum::none"',
    ]


def test_cookbooks_that_could_not_be_brought_are_missed_by_nobody(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(manifest: Manifest, findings: Findings) -> dict[str, Path]:
        findings.error(manifest.root / "Berksfile", None, "it broke", "fix it")
        return {}

    files = {
        "cookbooks/base/metadata.rb": "name 'base'\nversion '1.0.0'\ndepends 'yum'\n",
        "environments/lab.json": '{"name": "lab", "cookbook_versions": {"yum": "= 1.0.0"}}',
    }
    manifest = make(
        files, cookbooks="base yum", environments="lab", nodes={"one": "recipe[yum]"}, roles=""
    )
    monkeypatch.setattr("stackcook.chef.repository.read.fetch", fetch)
    assert errors(manifest) == ["Berksfile: error: it broke; fix it"]


def test_knifes_options_of_a_cookbook(make: Any) -> None:
    manifest = make(BASE, cookbooks="base")
    for options, freeze, force in (("", False, False), ("--freeze --force", True, True)):
        wanted = replace(manifest.cookbooks[0], options=options)
        (cookbook,) = Repository.read(replace(manifest, cookbooks=(wanted,))).cookbooks
        assert (cookbook.freeze, cookbook.force) == (freeze, force)


def test_generated_and_own_bags_do_not_mix(make: Any) -> None:
    files = {"data_bags/db/nova.json": '{"id": "nova"}'}
    (only,) = errors(make(files, passwords={"db": ("nova",)}))
    assert "data bag db is generated by stackcook, but data_bags/db exists" in only
    assert errors(make(files, passwords={"db": ("nova",)}, data_bags="db/nova")) == []


def test_utf_8_whatever_the_locale(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("RUBYOPT", "-rnone")  # the user's, not ours
    readme = "long_description IO.read(File.join(File.dirname(__FILE__), 'README.md'))\n"
    files = {
        "cookbooks/base/metadata.rb": f"name 'base'\nmaintainer 'Jürgen'\n{readme}",
        "cookbooks/base/README.md": "Ünïcode ✓\n",
    }
    (cookbook,) = Repository.read(make(files, cookbooks="base")).cookbooks
    assert cookbook.metadata["maintainer"] == "Jürgen"
    assert cookbook.metadata["long_description"] == "Ünïcode ✓\n"


def test_a_deploy_whose_nodes_have_changed_is_another_one(make: Any) -> None:
    manifest = make({}, nodes={"web1": ""})
    manifest.path.touch()
    repository, node = Repository(), manifest.nodes[0]
    others = (replace(node, run_list=("recipe[a]",)), replace(node, host="web2"))
    digests = {repository.digest(replace(manifest, nodes=(each,))) for each in (node, *others)}
    assert len(digests) == 3


def test_a_digest_tells_which_inputs_differ(make: Any) -> None:
    manifest = make({})
    manifest.path.touch()
    policy = PolicyLock("web", "lab", {"revision_id": "1"}, {})
    bag = DataBag("users", {"ann": {"id": "ann"}})
    generated = DataBag("db", {"nova": {"id": "nova"}}, generated=True)
    roles, environments = {"web": {"name": "web"}}, {"lab": {"name": "lab"}}
    whole = Repository((), roles, environments, (bag, generated), policy)
    before = whole.digest(manifest).splitlines()
    assert [line.partition("  ")[2] for line in before] == [
        *("certificates", "data bag users", "environment lab", "manifest", "nodes"),
        *("policy web of group lab", "role web", "stackcook"),
    ]
    for name, other in (
        ("role web", replace(whole, roles={"web": {"name": "web", "run_list": ["role[db]"]}})),
        ("environment lab", replace(whole, environments={"lab": {"name": "lab", "a": 1}})),
        ("data bag users", replace(whole, data_bags=(DataBag("users", {}),))),
        (policy.label, replace(whole, policy=replace(policy, document={"revision_id": "2"}))),
    ):
        (changed,) = {*other.digest(manifest).splitlines()} - {*before}
        assert changed.endswith(f"  {name}")


def test_a_deploy_with_another_certificate_is_another_one(make: Any) -> None:
    manifest = make({"own.crt": "old"})
    manifest.path.touch()
    manifest = replace(manifest, tls=Tls(Position(1, 1), manifest.root / "own.crt"))
    before = Repository().digest(manifest)
    assert Repository().digest(manifest) == before
    (manifest.root / "own.crt").write_text("new")
    assert Repository().digest(manifest) != before
