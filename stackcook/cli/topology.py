"""``stackcook topology``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.report.topology import draw


@click.command(
    cls=Command,
    examples="""
    stackcook topology > topology.svg
    """,
)
@click.pass_obj
def command(context: Context) -> None:
    """Print a drawing of the nodes, their roles and their networks, as SVG.

    It is drawn from the manifest alone. Browsers show it. Of more than 24 nodes with the same run
    list, the others are counted.
    """
    manifest = context.load()
    svg = draw(manifest)
    context.console.result(svg, {"svg": svg, "nodes": [node.name for node in manifest.nodes]})
