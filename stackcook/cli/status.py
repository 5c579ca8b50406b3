"""``stackcook status``."""

from __future__ import annotations

import time
from dataclasses import replace

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.manifest.model import Node
from stackcook.operations.chefsite import ChefSite
from stackcook.report.status import NodeStatus, render
from stackcook.run.lock import in_use
from stackcook.run.record import StepState, latest


@click.command(
    cls=Command,
    examples="""
    stackcook status
    # for scripts
    stackcook status --json
    """,
)
@click.pass_obj
def command(context: Context) -> None:
    """Show for each node its machine, its last step, and the result and time of that step.

    CHECK-IN is the time of the last successful chef-client run, whoever started it.
    """
    manifest = context.load_deployed()
    site = ChefSite(manifest, context.access)
    machines, check_ins = site.machines.states(manifest.nodes), site.check_ins()
    steps, running = latest(manifest.state), in_use(manifest.state)
    nodes = [
        _status(node, machines[node.name], steps.get(node.name), check_ins.get(node.name), running)
        for node in manifest.nodes
    ]
    zones = (manifest.zone_of(node) or None for node in manifest.nodes)
    nodes = [replace(node, zone=zone) for node, zone in zip(nodes, zones)]
    console = context.console
    text = render(nodes, time.time(), console.width, console.named)
    console.result(
        text if nodes else "the manifest has no nodes",
        {
            "cloud": manifest.name,
            "running": running,
            "nodes": [node.data() for node in nodes],
        },
    )


def _status(
    node: Node, machine: str, step: StepState | None, check_in: float | None, running: bool
) -> NodeStatus:
    address = str(node.address) if node.address else None
    if step is None:
        return NodeStatus(node.name, address, machine, check_in=check_in)
    result = step.result
    if result in ("running", "retried") and not running:
        result = "interrupted"  # its run was killed during the step or before a retry
    at = step.ended or step.started
    return NodeStatus(node.name, address, machine, step.step, result, at, check_in, step.text)
