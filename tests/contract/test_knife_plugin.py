"""A knife plugin that makes machines, real knife and a real Chef server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackcook.bootstrap import providers
from stackcook.bootstrap.base import ConvergeResult, Deploy, Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.errors import NodeError
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import ChefServer, Manifest, Node
from stackcook.remote.base import Host
from tests.fakes import AT
from tests.unit.bootstrap.fakes import Shell

PLUGIN = """\
require 'chef/knife'

class Chef::Knife::Ec2ServerCreate < Chef::Knife
  banner 'knife ec2 server create (options)'
  option :flavor, short: '-f FLAVOR'
  option :chef_node_name, short: '-N NAME'
  option :run_list, short: '-r RUN_LIST', proc: ->(text) { text.split(',') }

  def run
    raise 'no such flavor' unless config[:flavor] == 'm1.small'

    node = Chef::Node.build(config[:chef_node_name])
    node.run_list(config[:run_list])
    node.chef_environment = config[:environment]
    node.automatic[:ipaddress] = '127.0.0.7'
    rest.post('nodes', node.for_json)
    puts ' [127.0.0.7] Infra Phase complete, 3/4 resources updated in 01 seconds'
  end
end
"""
NODE = Node(
    "web01", AT, ("role[web]",), "_default", provider="ec2", options=parse("-f m1.small -N w{{n}}")
)
HOST = Host("web01", "", "root", (Path("/key"),))


@pytest.fixture
def server(embedded: EmbeddedServer) -> Iterator[ChefServer]:
    yield embedded.start()


def test_a_plugin_of_the_repository_makes_a_node(server: ChefServer, tmp_path: Path) -> None:
    plugin = tmp_path / ".chef" / "plugins" / "knife" / "ec2_server_create.rb"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PLUGIN)
    gandi = Node("g", AT, provider="gandi")
    manifest = Manifest(tmp_path / "infrastructure.yml", "lab", nodes=(NODE, gandi))
    (missing,) = providers.missing_plugins(manifest)
    assert missing.what == "knife has no command `gandi server create`"

    with ChefClient(server) as client:
        context = BootstrapContext(client, server, tmp_path / ".stackcook", opener=Shell())
        chef = Bootstrap(context)
        assert chef.look(NODE, HOST).registration is Registration.NEW
        result = chef.perform("bootstrap", NODE, HOST, Deploy("d-1"), 600, print)
        assert isinstance(result, ConvergeResult) and (result.updated, result.total) == (3, 4)
        made = client.get("/nodes/web01")
        assert (made["run_list"], made["automatic"]["ipaddress"]) == (["role[web]"], "127.0.0.7")
        assert chef.look(NODE, HOST).registration is Registration.REGISTERED

        bad = Node("web02", AT, provider="ec2", options=parse("-f huge"))
        with pytest.raises(NodeError, match="no such flavor.*knife ec2 server list"):
            chef.perform("bootstrap", bad, HOST, Deploy("d-1"), 600, print)
