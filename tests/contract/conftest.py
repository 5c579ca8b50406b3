"""Real Chef servers and a real Chef repository, with all that has ever been a trap in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.server.knife import write_config
from stackcook.command import Command, Completed, find_program, run
from stackcook.errors import Position
from stackcook.manifest.model import ChefServer, CookbookEntry, DataBag, Manifest, Node, Pattern
from tests.contract.uploader import Uploader, uploader_to
from tests.contract.servers import SERVERS, chef_zero, free_port, organization

AT = Position(1, 1)
FILES = {
    "chefignore": "# not uploaded\n*.swp\nspec/*\n*/README.md\n",
    "cookbooks/base/metadata.rb": """\
name 'base'
maintainer 'Ops'
version '1.2'
description "Grundlagen für \\u00e4lle"
long_description IO.read(File.join(File.dirname(__FILE__), 'README.md'))
chef_version '>= 15.3', '< 19'
depends 'users', '~> 0.1'
supports 'debian', '>= 12.0'
recipe 'base::proxy', 'a proxy'
gem 'toml', '~> 1.0'
issues_url 'https://example.com/issues' if respond_to?(:issues_url)
puts 'metadata may print'
""",
    "cookbooks/base/README.md": "Base\n====\n",
    "cookbooks/base/recipes/default.rb": "include_recipe 'base::proxy'\n",
    "cookbooks/base/recipes/proxy.rb": "package 'squid'\n",
    "cookbooks/base/recipes/.default.rb.swp": "ignored",
    "cookbooks/base/attributes/default.rb": "default['base']['x'] = 1\n",
    "cookbooks/base/libraries/helpers.rb": "module Base; end\n",
    "cookbooks/base/resources/thing.rb": "unified_mode true\n",
    "cookbooks/base/files/default/empty": "",
    "cookbooks/base/files/default/deep/er/naïve ünïcode.txt": "ja",
    "cookbooks/base/files/root.txt": "scoped to no platform",
    "cookbooks/base/templates/debian/motd.erb": "<%= node.name %>\n",
    "cookbooks/base/spec/default_spec.rb": "ignored",
    "cookbooks/base/extra/notes.txt": "a folder that Chef has no name for\n",
    "cookbooks/base/.git/HEAD": "ignored",
    "cookbooks/base/.rubocop.yml": "AllCops: {}\n",
    "cookbooks/users/metadata.json": """\
{"name": "users", "version": "0.1.3", "chef_versions": [["15"]], "dependencies": {}}
""",
    "cookbooks/users/recipes/default.rb": "user 'alice'\n",
    "roles/web.json": """\
{"name": "web", "default_attributes": {"a": {"b": [1, 2.5, null, true, "ü"]}},
 "run_list": ["base", "recipe[base::proxy]", "role[db]", "recipe[base]"]}
""",
    "roles/db.rb": """\
name 'db'
description 'Databases'
run_list 'recipe[users]'
env_run_lists '_default' => ['recipe[users]'], 'qa' => ['users::default', 'base@1.2.0']
override_attributes(mysql: { port: 3306, big: 12345678901234567890 })
""",
    "environments/qa.rb": """\
name 'qa'
cookbook 'base', '~> 1.2'
default_attributes 'x' => { 'y' => %w[a b] }
""",
    "environments/prod.json": '{"name": "prod", "cookbook_versions": {"users": "= 0.1.3"}}\n',
    "data_bags/accounts/alice.json": '{"id": "alice", "uid": 1000, "groups": ["adm"]}\n',
}


@pytest.fixture(scope="module", autouse=True)  # a session's would go on in other tests
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What uploads remember of files is not left in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """The manifest of a repository on disk that uses most of what there is."""
    root = tmp_path / "repository"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    base = root / "cookbooks" / "base"
    (base / "files" / "default" / "binary").write_bytes(bytes(range(256)) * 40)
    (base / "files" / "default" / "link").symlink_to("deep/er/naïve ünïcode.txt")
    (tmp_path / "outside.txt").write_text("from outside\n")
    (base / "files" / "default" / "outside").symlink_to(tmp_path / "outside.txt")
    return Manifest(
        path=root / "infrastructure.yml",
        name="contract",
        cookbooks=(CookbookEntry("base", AT), CookbookEntry("users", AT, "0.1.3")),
        environments=(Pattern("*", AT),),
        roles=(Pattern("web", AT), Pattern("d*", AT)),
        data_bags=(DataBag("accounts", AT, (Pattern("*", AT),)), DataBag("empty", AT)),
        nodes=(Node("one", AT, ("role[web]",), "qa"),),
        passwords={"db_passwords": ("nova", "glance")},
    )


@pytest.fixture
def port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    return free_port()


@pytest.fixture
def embedded(manifest: Manifest, port: int) -> Iterator[EmbeddedServer]:
    """The manifest's embedded server, not yet started; stopped at the end."""
    server = EmbeddedServer(manifest.state, "127.0.0.1", port)
    yield server
    server.stop()


@pytest.fixture
def zero(manifest: Manifest, tmp_path: Path, port: int) -> Iterator[ChefServer]:
    """A running chef-zero, which speaks version 2 of the API, with an organization."""
    with chef_zero(tmp_path, port) as root:
        server = organization(root, "chef")
        write_config(manifest.state, server)
        yield server


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> ChefServer:
    """Each of the servers in turn, running, with config.rb written."""
    if request.param == "goiardi":
        embedded: EmbeddedServer = request.getfixturevalue("embedded")
        return embedded.start()
    zero: ChefServer = request.getfixturevalue("zero")
    return zero


@pytest.fixture(scope="module")
def uploader(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Uploader]:
    """A server for all tests of a module, by its name, and a small repository."""
    with uploader_to(request.param, tmp_path_factory.mktemp("uploader")) as uploader:
        yield uploader


@pytest.fixture
def client(server: ChefServer) -> Iterator[ChefClient]:
    """A client of the server in turn."""
    with ChefClient(server) as client:
        yield client


@pytest.fixture
def knife(manifest: Manifest) -> Callable[..., Completed]:
    """Runs real knife in the manifest's directory, with stackcook's config.rb."""

    def knife(*arguments: str) -> Completed:
        config = ("--config", str(manifest.state / "chef" / "config.rb"))
        argv = (str(find_program("knife")), *arguments, *config)
        environment = {"CHEF_LICENSE": "accept-silent", "LC_ALL": "C.UTF-8"}
        return run(Command(argv, env=environment, cwd=manifest.root), timeout=120)

    return knife
