"""``stackcook kitchen``."""

from __future__ import annotations

import click

from stackcook.bootstrap.providers import WINDOWS
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.errors import UsageError
from stackcook.operations.site import Site
from stackcook.scaffold.kitchen import kitchen_yml


@click.command(
    cls=Command,
    examples="""
    # for the cookbook in ../motd, beside its kitchen.yml
    stackcook kitchen > ../motd/kitchen.local.yml
    """,
)
@click.pass_obj
def command(context: Context) -> None:
    """Print a kitchen.local.yml: with it, Test Kitchen converges cookbooks on the nodes.

    Test Kitchen reads it together with kitchen.yml, and uses the nodes as its platforms.
    """
    manifest = context.load_deployed()
    nodes = [node for node in manifest.nodes if node.provider not in WINDOWS]
    if not nodes:
        raise UsageError(
            "no node is reached by SSH",
            where=str(manifest.path),
            remedy="add a node that is not a Windows host",
        )
    hosts = Site(manifest).machines.hosts(nodes)
    text = kitchen_yml([(n, hosts[n.name]) for n in nodes], manifest.state / "known_hosts")
    context.console.result(text.rstrip(), {"yaml": text, "nodes": [n.name for n in nodes]})
