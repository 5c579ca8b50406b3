"""What is found in a Chef repository, and what a manifest can't hold."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from stackcook.errors import UsageError
from stackcook.manifest.knifeoptions import parse
from stackcook.scaffold.existing import (
    FoundCookbook,
    FoundDataBag,
    FoundNode,
    Survey,
    sections,
    survey,
)


def put(root: Path, files: dict[str, object]) -> Path:
    """A repository of texts, and of values as JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def left_out(found: Survey, root: Path) -> dict[str, str]:
    return {str(f.path.relative_to(root)): f.what for f in found.findings}


def test_whole(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "Berksfile": "",
            "Cheffile": "",
            "README.md": "",
            "cookbooks/app/metadata.rb": "name 'app'\nversion '1.2'\ndepends 'base', '> 1.0'\n",
            "cookbooks/base/metadata.json": {"name": "base", "version": "2.0.0"},
            "cookbooks/base/metadata.rb": "version '9.9.9'\n",
            "cookbooks/chefignore": "",
            "environments/prod.rb": "name 'prod'",
            "roles/web.rb": "name 'web'",
            "roles/web.json": {"name": "web"},
            "roles/b.c.json": {},
            "roles/eu/db.rb": "",
            "roles/.hidden.json": {},
            "roles/README.md": "",
            "data_bags/users/bo.json": {"id": "bo", "key": {"encrypted_data": "x", "version": 3}},
            "data_bags/users/al.json": {"id": "al"},
            "data_bags/users/raw.json": {"raw_data": {"id": "raw", "k": {"encrypted_data": "x"}}},
            "data_bags/empty/README.md": "",
            "data_bags/stray.json": {},
            "nodes/web1.json": {
                "name": "web1.example.com",
                "chef_environment": "prod",
                "run_list": ["role[web]"],
                "automatic": {"ipaddress": "192.0.2.5"},
            },
            "nodes/bare.json": {
                "chef_environment": None,
                "automatic": {"ipaddress": "2001:db8::1"},
            },
            "nodes/pol.json": {"policy_name": "web", "policy_group": "lab", "run_list": []},
        },
    )
    assert survey(root) == Survey(
        cookbooks=(FoundCookbook("app", "1.2.0", ("base",)), FoundCookbook("base", "2.0.0")),
        environments=("prod",),
        roles=("b.c", "eu/db", "web"),
        data_bags=(
            FoundDataBag("empty"),
            FoundDataBag("users", ("al", "bo", "raw"), ("bo", "raw")),
        ),
        nodes=(
            FoundNode("bare", address=IPv6Address("2001:db8::1")),
            FoundNode("pol", policy=("web", "lab")),
            FoundNode("web1.example.com", ("role[web]",), "prod", IPv4Address("192.0.2.5")),
        ),
        berksfile=True,
        cheffile=True,
    )
    assert not survey(root).findings


def test_what_can_t_be_named_is_left_out_and_said(tmp_path: Path) -> None:
    no_name = "skipped: a manifest cannot contain this name"
    root = put(
        tmp_path,
        {
            "roles/base.json": {},
            "roles/my role.json": {},
            "roles/a*.rb": "",
            "environments/sub dir/prod.rb": "",
            "data_bags/my bag/al.json": {},
            "data_bags/users/b c.json": {},
            "cookbooks/no metadata/recipes/a.rb": "",
            "cookbooks/empty/recipes/a.rb": "",
            "nodes/a.json": {"name": "my node"},
            "nodes/b.json": {"run_list": "role[base]"},
            "nodes/c.json": "{",
            "nodes/d.json": {"name": 5},
            "nodes/e.json": {"run_list": ["a\nb"]},
            "nodes/f.json": {"chef_environment": 5},
            "nodes/g.json": {"policy_name": "a", "policy_group": 1},
        },
    )
    (root / "roles" / os.fsdecode(b"b\xe4r.json")).write_text("{}")
    found = survey(root)
    assert found == Survey(roles=("base",), data_bags=(FoundDataBag("users"),))
    said = left_out(found, root)
    assert said.pop("nodes/c.json").startswith("invalid JSON")
    assert said == {
        "roles/my role.json": no_name,
        "roles/a*.rb": no_name,
        os.fsdecode(b"roles/b\xe4r.json"): no_name,
        "environments/sub dir/prod.rb": no_name,
        "data_bags/my bag": no_name,
        "data_bags/users/b c.json": no_name,
        "cookbooks/no metadata": no_name,
        "cookbooks/empty": "skipped: it has no metadata.rb",
        "nodes/a.json": no_name,
        "nodes/b.json": "skipped: its run list is not a list of strings",
        "nodes/d.json": no_name,
        "nodes/e.json": "skipped: its run list is not a list of strings",
        "nodes/f.json": "skipped: the name of its environment or policy is not valid",
        "nodes/g.json": "skipped: the name of its environment or policy is not valid",
    }


def test_what_is_faulty_inside_is_named_all_the_same(tmp_path: Path) -> None:
    """``check`` looks into these files, with the manifest's place for each."""
    root = put(
        tmp_path,
        {
            "cookbooks/a/metadata.rb": "version '1.0'\nraise 'no'\n",
            "cookbooks/b/metadata.json": {"version": "one", "dependencies": []},
            "roles/base.json": "{",
            "data_bags/users/al.json": "{",
        },
    )
    found = survey(root)
    assert found == Survey(
        cookbooks=(FoundCookbook("a"), FoundCookbook("b")),
        roles=("base",),
        data_bags=(FoundDataBag("users", ("al",)),),
    )
    assert list(left_out(found, root)) == ["cookbooks/a/metadata.rb"]


def test_without_ruby_there_are_no_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    root = put(
        tmp_path, {"cookbooks/a/metadata.rb": "version '1.0'", "cookbooks/b/metadata.json": {}}
    )
    found = survey(root)
    assert found == Survey(cookbooks=(FoundCookbook("a"), FoundCookbook("b")))
    assert "ruby" in left_out(found, root)["cookbooks"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path, {"elsewhere/base/metadata.json": {"version": "1.0.0"}, "repo/roles/a.json": {}})
    root = tmp_path / "repo"
    (root / "cookbooks").symlink_to(tmp_path / "elsewhere")
    (root / "roles" / "again").symlink_to(root / "roles")
    (root / "roles" / "gone.json").symlink_to(root / "nothing")
    assert survey(root) == Survey(cookbooks=(FoundCookbook("base", "1.0.0"),), roles=("a",))


@pytest.mark.parametrize(
    "files, name, what",
    [
        ({}, "nothing", "directory not found"),
        ({"there": ""}, "there", "is not a directory"),
        ({"a/README.md": ""}, "a", "is not a Chef repository"),
    ],
)
def test_no_repository(tmp_path: Path, files: dict[str, object], name: str, what: str) -> None:
    with pytest.raises(UsageError) as error:
        survey(put(tmp_path, files) / name)
    assert (error.value.what, error.value.where) == (what, str(tmp_path / name))


def test_nothing_but_what_can_t_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a Chef repository") as error:
        survey(put(tmp_path, {"roles/my role.json": {}}))
    assert "my role.json" in error.value.remedy


def test_cookbooks_elsewhere_are_reported_one_by_one(tmp_path: Path) -> None:
    metadata = "name 'x'\nversion '1.0.0'\n"
    root = put(
        tmp_path / "chef",
        {
            "cookbooks/a/metadata.rb": metadata,
            "site-cookbooks/a/metadata.rb": metadata,
            "site-cookbooks/b/metadata.rb": metadata,
            "lib/notes/a.txt": "",
            ".chef/knife.rb": "cookbook_path %w(cookbooks site-cookbooks ../shared)"
            '.map { |path| File.expand_path("../#{path}", __dir__) }\n',
        },
    )
    put(tmp_path / "shared", {"c/metadata.json": {"name": "c"}})
    found = survey(root)
    assert [book.name for book in found.cookbooks] == ["a"]
    what = "cookbook left out: stackcook reads only those in cookbooks/"
    assert [(one.path, one.what, one.remedy) for one in found.findings] == [
        (
            root / "site-cookbooks/a",
            what,
            "if it is the one that you use, replace cookbooks/a with it",
        ),
        (
            root / "site-cookbooks/b",
            what,
            "move it there, or link it with `ln -s ../site-cookbooks/b cookbooks/`",
        ),
        (
            tmp_path / "shared/c",
            what,
            "move it there, or link it with `ln -s ../../shared/c cookbooks/`",
        ),
    ]


def test_tags_and_normal_attributes_are_options_of_the_node(tmp_path: Path) -> None:
    normal = {"tags": ["blue", "two words"], "rack": "it's 5", "stackcook": {"deploy": "x"}}
    root = put(
        tmp_path,
        {
            "nodes/a.json": {"chef_environment": "prod", "normal": normal},
            "nodes/b.json": {"normal": ["x"]},
            "nodes/c.json": {"normal": {"tags": []}},
        },
    )
    found = survey(root)
    assert [one.what for one in found.findings] == [
        'tag "two words" left out: `--tags` cannot contain it',
        "normal attributes left out: they are not a mapping",
    ]
    (nodes,) = (section.value for section in sections(found) if section.key == "nodes")
    options = parse(nodes[0]["a"]["options"])
    assert options.tags == ("blue",) and options.one("policy_name") == ""
    assert json.loads(options.one("json")) == {"rack": "it's 5"}
    assert nodes[1:] == [{"b": None}, {"c": None}]
