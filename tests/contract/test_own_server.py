"""A repository that refers to what only the user's own Chef server has, put there by knife."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.knife import write_config
from stackcook.command import Command, find_program, run
from stackcook.errors import ExitCode
from stackcook.manifest.model import ChefServer
from tests.contract.servers import SERVERS, running
from tests.started import ROOT

THEIRS = {
    "cookbooks/yum/metadata.rb": "name 'yum'\nversion '5.1.0'\n",
    "cookbooks/ntp/metadata.rb": "name 'ntp'\nversion '1.0.0'\n",
    "cookbooks/ntp/recipes/default.rb": "",
    "cookbooks/base/metadata.rb": "name 'base'\nversion '2.3.0'\n",
    "roles/monitored.json": '{"name": "monitored", "run_list": ["recipe[ntp]"]}',
    "environments/production.json": '{"name": "production"}',
}
OURS = {
    "cookbooks/app/metadata.rb": """\
name 'app'
version '1.0.0'
depends 'yum', '~> 5.0'
depends 'base', '~> 2.0'
""",
    "cookbooks/app/recipes/default.rb": "",
    "cookbooks/base/metadata.rb": "name 'base'\nversion '1.9.0'\n",
    "roles/web.json": '{"name": "web", "run_list": ["recipe[app]", "role[monitored]"]}',
    "environments/lab.json": '{"name": "lab", "cookbook_versions": {"yum": "~> 5.0"}}',
}
MANIFEST = """\
cookbooks: [{app: }, {base: }]
roles: [{web: }]
environments: [{lab: }]
nodes:
- web1: {run_list: "role[web] recipe[ntp]", options: -E production}
stackcook:
  name: own
  machines: ssh
  nodes: {web1: {address: 127.0.0.1, user: root, key: KEY}}
  chef_server: {url: "URL", user: USER, key: KEY}
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def run_in(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of ``stackcook``, whose user has no knife configuration."""
    argv = (sys.executable, "-m", "stackcook", *arguments)
    environment = {"HOME": str(root.parent), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = run(Command(argv, env=environment, cwd=root), timeout=60)
    return done.status, done.output


def upload_by_knife(server: ChefServer, root: Path, files: dict[str, str]) -> None:
    """Upload these files, written below ``root``."""
    write(root, files)
    write_config(root, server)
    config = ("--config", str(root / "chef" / "config.rb"), "--chef-repo-path", str(root))
    argv = (str(find_program("knife")), "upload", "/cookbooks", "/roles", "/environments", *config)
    environment = {"CHEF_LICENSE": "accept-silent", "LC_ALL": "C.UTF-8"}
    done = run(Command(argv, env=environment, cwd=root), timeout=120)
    assert done.status == 0, done.output


@pytest.mark.parametrize("name", SERVERS)
def test_what_the_server_has_counts(name: str, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    with running(name, tmp_path) as server:
        write(ours, OURS)
        text = MANIFEST.replace("URL", server.url).replace("KEY", str(server.key))
        (ours / "infrastructure.yml").write_text(text.replace("USER", server.user))

        def stackcook(*arguments: str) -> tuple[int, str]:
            return run_in(ours, *arguments)

        status, output = stackcook("check")
        assert status == ExitCode.DONE and "found 6 warnings in 4 files" in output
        look = f"`plan`, `upload` and `deploy` look for it on {server.url}"
        environment = 'web1: environment "production" is not in the manifest'
        assert f"5:54: warning: {environment}; {look}" in output
        status, output = stackcook("upload")
        assert status == ExitCode.INPUT
        lacks = f"which is not in the manifest, and {server.url} does not have it; "
        assert f'metadata.rb:3:10: error: app depends on "yum", {lacks}' in output
        with ChefClient(server) as client:
            assert client.get("/cookbooks") == {}, "nothing was uploaded"

        upload_by_knife(server, tmp_path / "theirs", THEIRS)
        status, output = stackcook("plan", "--only", "cookbooks,roles,environments")
        assert status == ExitCode.DONE and "warning" not in output, output
        status, output = stackcook("upload", "--prune")
        assert status == ExitCode.USAGE
        assert "only the server has: environment production, cookbook ntp, role monitored" in output
        status, output = stackcook("upload")
        assert status == ExitCode.DONE and "4 created, 0 updated, 0 unchanged" in output, output
        with ChefClient(server) as client:
            assert set(client.get("/roles")) == {"web", "monitored"}
            assert set(client.get("/cookbooks")) == {"app", "base", "ntp", "yum"}


# In the form of chef-bcpc, the largest public Chef repository for OpenStack.
BCPC = {
    "cookbooks/bcpc/.version": "9.1.2\n",
    "cookbooks/bcpc/README.md": "# Private cloud\n",
    "cookbooks/bcpc/recipes/default.rb": "",
    "cookbooks/bcpc/recipes/mysql.rb": "include_recipe 'logrotate::default'\n",
    "cookbooks/bcpc/metadata.rb": """\
name             'bcpc'
maintainer       'Ops'
maintainer_email 'ops@example.com'
license          'Apache-2.0'
supports         'ubuntu'
description      'Installs/Configures a private cloud'
long_description IO.read(File.join(File.dirname(__FILE__), 'README.md'))
version          IO.read(File.join(File.dirname(__FILE__), '.version'))
chef_version     '~> 14'

depends 'logrotate', '>= 2.2.0'
""",
    "roles/headnode.json": '{"name": "headnode", "run_list": ["recipe[bcpc::mysql]"]}',
    "environments/production.json": '{"name": "production", "cookbook_versions": {}}',
}
BCPC_MANIFEST = """\
cookbooks: [{bcpc: {version: 9.1.2}}]
roles: [{headnode: }]
environments: [{production: }]
nodes: [{head1: {run_list: "role[headnode]", options: -E production}}]
stackcook:
  machines: ssh
  nodes: {head1: {address: 127.0.0.1, user: root, key: KEY}}
  chef_server: {url: "URL", user: USER, key: KEY}
"""


@pytest.mark.parametrize("name", SERVERS)
def test_a_repository_in_the_form_of_chef_bcpc(name: str, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    write(ours, BCPC)
    with running(name, tmp_path) as server:
        text = BCPC_MANIFEST.replace("URL", server.url).replace("KEY", str(server.key))
        (ours / "infrastructure.yml").write_text(text.replace("USER", server.user))
        theirs = {
            "cookbooks/logrotate/metadata.rb": "name 'logrotate'\nversion '2.2.1'\n",
            "cookbooks/logrotate/recipes/default.rb": "",
        }
        upload_by_knife(server, tmp_path / "theirs", theirs)

        status, output = run_in(ours, "check")
        assert status == ExitCode.DONE, output
        metadata = "cookbooks/bcpc/metadata.rb"
        assert f"{metadata}:9:1: warning: bcpc requires Chef ~> 14, but nodes get Chef" in output
        missing = 'bcpc depends on "logrotate", which is not in the manifest; '
        assert f"{metadata}:11:10: warning: {missing}`plan`, `upload` and `deploy`" in output
        sections = ("--only", "cookbooks,roles,environments")
        status, output = run_in(ours, "plan", *sections)
        assert status == ExitCode.DONE and "cookbook bcpc 9.1.2" in output, output
        status, output = run_in(ours, "upload")
        assert status == ExitCode.DONE and "3 created, 0 updated, 0 unchanged" in output, output
        with ChefClient(server) as client:
            stored = client.get("/cookbooks/bcpc/9.1.2")["metadata"]
        assert stored["version"] == "9.1.2" and stored["chef_versions"] == [["~> 14"]]
        assert stored["dependencies"] == {"logrotate": ">= 2.2.0"}
        assert "0 created, 0 updated, 3 unchanged" in run_in(ours, "upload")[1]
