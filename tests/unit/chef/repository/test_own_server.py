"""What the repository refers to and only the user's own Chef server has."""

from __future__ import annotations

from typing import Any

from stackcook.chef.checks.references import Names, OwnServer
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.model import Manifest

URL = "https://chef.example.com/organizations/lab"
LOOK = f"`plan`, `upload` and `deploy` look for it on {URL}"
FILES = {
    "cookbooks/app/metadata.rb": (
        "name 'app'\nversion '1.0.0'\ndepends 'yum', '~> 5.0'\ndepends 'base', '~> 2.0'\n"
    ),
    "cookbooks/app/recipes/default.rb": "",
    "cookbooks/base/metadata.rb": "name 'base'\nversion '1.9.0'\n",
    "roles/web.json": '{"run_list": ["recipe[app]", "recipe[ntp::client]", "role[mon]"]}',
    "environments/lab.json": '{"cookbook_versions": {"yum": "~> 5.0"}}',
}


def written(make: Any) -> Manifest:
    nodes = {"one": "role[web] recipe[base@2.1.0] role[wbe]"}
    manifest: Manifest = make(
        FILES,
        cookbooks="app base",
        roles="web",
        environments="lab",
        nodes=nodes,
        environment="prod",
    )
    return manifest


def names(**cookbooks: str) -> Names:
    versions = {name: found.split() for name, found in cookbooks.items()}
    roles = {"mon": (), "wbe": ()}
    return {"cookbook": versions, "environment": {"_default": (), "prod": ()}, "role": roles}


def inspect(manifest: Manifest, server: OwnServer | None) -> tuple[Repository, list[str]]:
    repository, findings = Repository.inspect(manifest, lambda: server)
    return repository, [str(found).replace(f"{manifest.root}/", "") for found in findings]


def test_with_the_embedded_server_all_are_errors(make: Any) -> None:
    _, found = inspect(written(make), None)
    assert len(found) == 8
    assert [line for line in found if ": error: " not in line] == [
        "environments/lab.json:1:24: warning: the pin is yum ~> 5.0, but the cookbook is not in"
        " the manifest; change the pin if a node should use this cookbook"
    ]


def test_a_server_that_is_not_asked_may_have_them(make: Any) -> None:
    _, found = inspect(written(make), OwnServer(URL))
    node = "infrastructure.yml:7:3: warning: one: "
    app = "cookbooks/app/metadata.rb"
    assert found == [
        f'{node}environment "prod" is not in the manifest; {LOOK}',
        f"{node}the run list has base 2.1.0, but cookbooks/ has 1.9.0; {LOOK}",
        f'{node}role "wbe" is not in the manifest; did you mean "web"? Otherwise {LOOK}',
        f'roles/web.json:1:30: warning: cookbook "ntp" is not in the manifest; {LOOK}',
        f'roles/web.json:1:53: warning: role "mon" is not in the manifest; {LOOK}',
        f'{app}:3:10: warning: app depends on "yum", which is not in the manifest; {LOOK}',
        f"{app}:4:10: warning: app depends on base ~> 2.0, but cookbooks/ has 1.9.0; {LOOK}",
        "environments/lab.json:1:24: warning: the pin is yum ~> 5.0, but the cookbook is not in"
        f" the manifest; {LOOK}",
    ]


def test_what_the_server_has_counts(make: Any) -> None:
    there = names(yum="4.9.0 5.1.0", ntp="1.0.0", base="2.0.0 2.1.0")
    repository, found = inspect(written(make), OwnServer(URL, lambda: there))
    assert found == []
    # Not the cookbook base: the repository has it, too, in another version.
    expected = ("environment prod", "role wbe", "cookbook ntp", "role mon", "cookbook yum")
    assert repository.on_server == expected


def test_what_the_server_lacks_is_an_error(make: Any) -> None:
    there = {**names(yum="1.0.0 10.0.0 9.0.0 4.9.0", ntpd="1.0.0"), "role": {"mon": ()}}
    _, found = inspect(written(make), OwnServer(URL, lambda: there))
    node = "infrastructure.yml:7:3: error: one: "
    app, lacks = "cookbooks/app/metadata.rb", f"{URL} does not have it"
    versions = f"{URL} has 10.0.0, 9.0.0, 4.9.0, …"
    assert found == [
        f"{node}the run list has base 2.1.0, but cookbooks/ has 1.9.0, and {lacks};"
        " use the same version",
        f'{node}role "wbe" is not in the manifest, and {lacks}; did you mean "web"?',
        f'roles/web.json:1:30: error: cookbook "ntp" is not in the manifest, and {lacks};'
        ' did you mean "ntpd"?',
        f'{app}:3:10: error: app depends on "yum", which is not in the manifest,'
        f" and {versions}; use a version that is there (wanted: ~> 5.0)",
        f"{app}:4:10: error: app depends on base ~> 2.0, but cookbooks/ has 1.9.0, and {lacks};"
        " change the constraint or the cookbook's version",
        "environments/lab.json:1:24: warning: the pin is yum ~> 5.0, but the cookbook is not in"
        f" the manifest, and {versions}; use a version that is there (wanted: ~> 5.0)",
    ]


def test_a_server_is_asked_only_if_something_is_missing(make: Any) -> None:
    def fail() -> Names:
        raise AssertionError("the server was asked")

    files = {"cookbooks/base/metadata.rb": "name 'base'\n", "cookbooks/base/recipes/default.rb": ""}
    manifest = make(files, cookbooks="base", nodes={"one": "recipe[base]"})
    assert inspect(manifest, OwnServer(URL, fail))[1] == []
