"""``stackcook status``."""

from __future__ import annotations

from typing import Any

import click

from stackcook.cli.context import Context
from stackcook.machines.base import Machines
from stackcook.machines.factory import machines_for
from stackcook.manifest.model import Manifest, Node
from stackcook.operations.chefsite import ChefSite
from stackcook.remote.base import Access
from stackcook.report.format import columns, iso, when
from stackcook.run.lock import in_use
from stackcook.run.record import StepState, latest


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Show for each node its machine, its last step, and the result and time of that step."""
    manifest = context.load_deployed()
    machines = _machines(manifest, context.access).states(manifest.nodes)
    steps, running = latest(manifest.state), in_use(manifest.state)
    rows = [_row(node, machines[node.name], steps, running) for node in manifest.nodes]
    shown = [{**row, "when": row["when"] and when(row["when"])} for row in rows]
    lines = [tuple(value or "-" for value in row.values()) for row in shown]
    text = columns([tuple(rows[0]), *lines]) if rows else "the manifest has no nodes"
    data = [{**row, "when": row["when"] and iso(row["when"])} for row in rows]
    context.console.result(text, {"running": running, "nodes": data})


def _machines(manifest: Manifest, access: Access) -> Machines:
    """The machines; only those of a cloud need the Chef server parts, which load slowly."""
    if not any(node.provider for node in manifest.nodes):
        return machines_for(manifest, access)
    return ChefSite(manifest, access).machines


def _row(node: Node, machine: str, steps: dict[str, StepState], running: bool) -> dict[str, Any]:
    """The row, its time in seconds since the epoch."""
    step = steps.get(node.name)
    result = step.result if step else None
    if result in ("running", "retried") and not running:
        result = "interrupted"  # its run was killed during the step or before a retry
    return {
        "node": node.name,
        "address": str(node.address) if node.address else None,
        "machine": machine,
        "step": step.step if step else None,
        "result": result,
        "when": (step.ended or step.started) if step else None,
        "why": step.text if step else None,
    }
