"""What stackcook uploads, knife reads as if it had uploaded it itself: bytes, metadata, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.objects import encryption
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.knife import write_config
from stackcook.chef.sync.upload import upload
from stackcook.manifest.read import read
from tests.contract.knives import Knives
from tests.contract.servers import SERVERS, chef_zero, free_port, organization, running

SECRET = "only tests\r\nhave this\rsecret\u00a0"
BINARY = bytes(range(256)) * 33 + b"\0\r\n"
METADATA = """\
name 'ruby'
maintainer 'Öps'
maintainer_email 'ops@example.com'
license 'Apache-2.0'
description "said in Ruby: \\u00e4"
long_description IO.read(File.join(__dir__, 'README.md'))
version '1.2'
source_url 'https://example.com/source'
issues_url 'https://example.com/issues'
privacy true
chef_version '>= 15.3', '< 19'
chef_version '>= 20'
ohai_version '>= 14'
depends 'json'
depends 'files', '~> 0.1'
supports 'debian', '>= 12.0'
supports 'ubuntu'
provides 'ruby::default'
recipe 'ruby::proxy', 'a proxy'
attribute 'ruby/port', display_name: 'Port', type: 'string', default: '80'
gem 'toml', '~> 1.0'
gem 'json'
eager_load_libraries false
%w(apt yum).each { |name| depends "files", "~> 0.1" if name == 'apt' }
"""
FILES: Mapping[str, str | bytes] = {
    "chefignore": "*.swp\n*/README.md\n",
    "cookbooks/ruby/metadata.rb": METADATA,
    "cookbooks/ruby/README.md": "Read Ruby's\n",
    "cookbooks/ruby/chefignore": "# its own, which wins\n*~\nspec/*\n",
    "cookbooks/ruby/recipes/default.rb": "include_recipe 'ruby::proxy'\n",
    "cookbooks/ruby/recipes/proxy.rb": "",
    "cookbooks/ruby/recipes/.default.rb.swp": "another chefignore's",
    "cookbooks/ruby/recipes/proxy.rb~": "ignored",
    "cookbooks/ruby/spec/spec.rb": "ignored",
    "cookbooks/ruby/attributes/default.rb": "default['ruby']['port'] = 80\n",
    "cookbooks/ruby/libraries/ruby.rb": "module Ruby; end\n",
    "cookbooks/ruby/resources/thing.rb": "unified_mode true\n",
    "cookbooks/ruby/definitions/old.rb": "",
    "cookbooks/ruby/templates/default/motd.erb": "<%= node['ruby']['port'] %>\n",
    "cookbooks/ruby/templates/debian-12/motd.erb": "<%= 12 %>\n",
    "cookbooks/ruby/templates/root.erb": "for every platform\n",
    "cookbooks/json/metadata.json": json.dumps(
        {
            "name": "json",
            "version": "2.0.1",
            "description": "said in JSON",
            "dependencies": {"files": ">= 0.1"},
            "platforms": {"debian": ">= 12.0"},
            "chef_versions": [[">= 15.3", "< 19"], [">= 20"]],
        }
    ),
    "cookbooks/json/recipes/default.rb": "log 'json'\n",
    "cookbooks/both/metadata.json": '{"name": "both", "version": "3.0.0", "license": "JSON"}\n',
    "cookbooks/both/metadata.rb": "name 'both'\nversion '3.0.0'\nlicense 'Ruby'\n",
    "cookbooks/files/metadata.rb": "name 'files'\nversion '0.1.3'\n",
    "cookbooks/files/LICENSE": "",
    "cookbooks/files/recipe.yml": "resources: []\n",
    "cookbooks/files/recipes/default.json": '{"resources": []}',
    "cookbooks/files/recipes/more.yaml": "resources: []\n",
    "cookbooks/files/.rubocop.yml": "AllCops: {}\n",
    "cookbooks/files/.kitchen/logs/log": "a hidden folder at the top stays at home",
    "cookbooks/files/.git/HEAD": "so does this",
    "cookbooks/files/files/default/binary": BINARY,
    "cookbooks/files/files/default/empty": "",
    "cookbooks/files/files/default/a/b/c/d/e.txt": "deep\n",
    "cookbooks/files/files/default/.hidden/.secret": "hidden further down is not\n",
    "cookbooks/files/files/default/naïve ünïcode %41 #+&?.txt": "ja\r\n",
    "cookbooks/files/files/日本/東京.txt": "東京",
    "cookbooks/files/files/root.txt": "for every platform\n",
    "cookbooks/files/files/host-one.example.com/only": "for one\n",
    "cookbooks/frozen/metadata.json": '{"name": "frozen", "version": "1.0.0"}\n',
    "cookbooks/frozen/recipes/default.rb": "log 'frozen'\n",
    # What needs Chef's own Ruby, and the version from a file.
    "cookbooks/chef/metadata.rb": """\
require 'chef/version_constraint'
name 'chef'
version IO.read(File.join(File.dirname(__FILE__), '.version'))
description "for Chef #{Chef::VERSION}"
chef_version ">= #{Gem::Version.new(Chef::VERSION).segments.first}"
supports 'debian' if Chef::VersionConstraint.new('> 12.0').include?('18.0')
depends 'files' if defined?(Chef::Cookbook)
""",
    "cookbooks/chef/.version": "1.4.2\n",
    "cookbooks/chef/recipes/default.rb": "",
    "roles/chef.rb": """\
name 'chef'
Chef::Log.debug('read')
Chef::Config[:own] = 'set'
description "#{Chef::Config[:own]} for #{Chef::VERSION}"
from_file File.join(File.dirname(__FILE__), '..', 'common.rb')
""",
    "common.rb": "run_list 'recipe[chef]'\n",
    "environments/chef.rb": """\
name 'chef'
Chef::Config.own_version = '1.4'
cookbook 'chef', "~> #{Chef::Config.own_version}"
""",
    "outside.txt": "from outside of the cookbook\n",
    "elsewhere/file": "a folder outside",
    "roles/web.json": '{"name": "web", "run_list": ["ruby", "role[db]"], "env_run_lists": {}}\n',
    "roles/db.rb": "name 'db'\nenv_run_lists '_default' => ['json'], 'qa' => ['ruby@1.2.0']\n",
    "environments/qa.rb": "name 'qa'\ncookbook 'ruby', '~> 1.2'\n",
    "environments/prod.json": '{"name": "prod", "default_attributes": {"a": [1, 2.5, null]}}\n',
    "data_bags/plain/alice.json": '{"id": "alice", "größe": 1.5, "deep": {"a": [null, true]}}\n',
    "data_bags/keys/token.json": '{"id": "token", "token": "päss\\nword", "deep": {"a": [1]}}\n',
    "secret": f"\v {SECRET} \r\n\0",
}
LINKS = {
    "cookbooks/files/files/default/inside": "a/b/c/d/e.txt",
    "cookbooks/files/files/default/outside": "../../../../outside.txt",
    "cookbooks/files/files/default/folder": "a",
    "cookbooks/files/elsewhere": "../../elsewhere",
}
VERSIONS = {
    "ruby": "1.2.0",
    "json": "2.0.1",
    "both": "3.0.0",
    "files": "0.1.3",
    "frozen": "1.0.0",
    "chef": "1.4.2",
}
MANIFEST = {
    "cookbooks": [{name: None} for name in VERSIONS if name != "frozen"]
    + [{"frozen": {"options": "--freeze"}}],
    "environments": [{"*": None}],
    "roles": [{"*": None}],
    "data bags": [{"plain": {"items": "*"}}, {"keys": {"items": "*", "secret": "secret"}}],
    "stackcook": {"machines": "ssh", "passwords": {}},
}
LEFT_OUT = {
    "ruby": {"recipes/proxy.rb~", "spec/spec.rb"},
    "files": {".kitchen/logs/log", ".git/HEAD"},
}
"""What chefignore or its place keeps at home."""

MADE = ("ruby", "files", "chef")
"""Cookbooks without a metadata.json, for which knife makes one."""


@dataclass(frozen=True)
class Pair:
    """Two servers with the same repository: one has it of stackcook, one of knife."""

    root: Path
    knife: Knives

    def texts(self, *argv: str) -> tuple[str, str]:
        """What knife says of stackcook's and of its own."""
        config = [self.root / name / "chef" / "config.rb" for name in (".ours", ".theirs")]
        ours, theirs = (self.knife.cut(path, *argv) for path in config)
        return ours, theirs

    def both(self, *argv: str) -> tuple[Any, Any]:
        """The same, of a command that answers with data."""
        ours, theirs = map(json.loads, self.texts(*argv, "-F", "json"))
        return ours, theirs


@pytest.fixture(scope="module", params=SERVERS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    root = tmp_path_factory.mktemp("equal")
    lay_out(root)
    with ExitStack() as stack:
        knife = Knives(root)
        stack.callback(knife.close)
        for folder in (".ours", ".theirs"):
            (root / folder).mkdir(mode=0o700)
        if request.param == "chef-zero":
            zero = stack.enter_context(chef_zero(root, free_port()))
            ours, theirs = (organization(zero, name) for name in ("ours", "theirs"))
        else:
            ours, theirs = (
                stack.enter_context(running("goiardi", root / name))
                for name in (".ours", ".theirs")
            )
        write_config(root / ".ours", ours)
        config = write_config(root / ".theirs", theirs)
        with ChefClient(ours) as client:
            manifest, findings = read(root / "infrastructure.json")
            assert manifest, findings
            upload(client, Repository.read(manifest))
        knife.cut(config, "upload", "/cookbooks", "/roles", "/environments", "/data_bags/plain")
        knife.cut(config, "cookbook", "upload", "frozen", "--freeze", "--force")
        token = root / "data_bags" / "keys" / "token.json"
        secret = ("--secret-file", str(root / "secret"))
        knife.cut(config, "upload", "/data_bags/keys")
        knife.cut(config, "data", "bag", "from", "file", "keys", str(token), *secret)
        yield Pair(root, knife)


def lay_out(root: Path) -> None:
    """The repository on disk."""
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root / "infrastructure.json").write_text(json.dumps(MANIFEST))


def test_knife_finds_nothing_to_differ(pair: Pair) -> None:
    """It misses, also after an upload of its own, links to folders and hidden folders: only those.

    After its own it misses the metadata.json that it makes, too: there is none on disk.
    """
    where = ("/cookbooks", "/roles", "/environments", "/data_bags/plain")
    ours, theirs = (said.splitlines() for said in pair.texts("diff", "--name-status", *where))
    files = "A\tcookbooks/files/"
    missed = ["elsewhere", "files/default/folder", ".git", ".kitchen"]
    assert sorted(ours) == sorted(files + name for name in missed)
    assert sorted(theirs) == sorted(ours + [f"D\tcookbooks/{n}/metadata.json" for n in MADE])


@pytest.mark.parametrize("name", VERSIONS)
def test_knife_downloads_the_same_bytes(pair: Pair, name: str, tmp_path: Path) -> None:
    config = pair.root / ".ours" / "chef" / "config.rb"
    pair.knife.cut(config, "cookbook", "download", name, VERSIONS[name], "--dir", str(tmp_path))
    folder = pair.root / "cookbooks" / name
    left_out = LEFT_OUT.get(name, set())
    here = {path: content for path, content in tree(folder).items() if path not in left_out}
    assert tree(tmp_path / f"{name}-{VERSIONS[name]}") == here


@pytest.mark.parametrize("name", VERSIONS)
def test_the_cookbook_is_as_knife_would_have_it(pair: Pair, name: str) -> None:
    ours, theirs = pair.both("cookbook", "show", name, VERSIONS[name])
    assert ours["metadata"] == theirs["metadata"]
    assert without_urls(ours) == without_urls(theirs)
    assert ours["frozen?"] is (name == "frozen")


def test_the_rest_is_as_knife_would_have_it(pair: Pair) -> None:
    for what in (
        ("role", "show", "web"),
        ("role", "show", "db"),
        ("role", "show", "chef"),
        ("environment", "show", "chef"),
        ("environment", "show", "qa"),
        ("environment", "show", "prod"),
        ("data", "bag", "show", "plain"),
        ("data", "bag", "show", "plain", "alice"),
    ):
        ours, theirs = pair.both(*what)
        assert ours == theirs


def test_each_reads_the_others_secrets(pair: Pair) -> None:
    secret = ("--secret-file", str(pair.root / "secret"))
    clear = json.loads((pair.root / "data_bags" / "keys" / "token.json").read_text())
    assert pair.both("data", "bag", "show", "keys", "token", *secret) == (clear, clear)
    sealed, theirs = pair.both("data", "bag", "show", "keys", "token")
    assert "word" not in json.dumps(sealed)
    assert encryption.decrypt(theirs, SECRET) == clear


def tree(directory: Path) -> dict[str, bytes]:
    """Path → content of the files; links to folders are not followed, as knife does."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def without_urls(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A cookbook's files by path, but for the metadata.json that knife makes of metadata.rb."""
    found: dict[str, Any] = {"metadata": None}
    for field, value in stored.items():
        if isinstance(value, list):
            value = sorted(
                ({**file, "url": ""} for file in value if file["path"] != "metadata.json"),
                key=lambda file: str(file["path"]),
            )
        found[field] = value
    return found
