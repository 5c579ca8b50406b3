"""``stackcook status``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.manifest.model import Node
from stackcook.operations.chefsite import ChefSite
from stackcook.report.format import columns, iso, when
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
    rows = [
        _row(node, machines[node.name], steps.get(node.name), check_ins.get(node.name), running)
        for node in manifest.nodes
    ]
    lines = [tuple(value or "-" for value in _timed(row, when).values()) for row in rows]
    heads = tuple(name.replace("_", "-") for name in rows[0]) if rows else ()
    text = columns([heads, *lines]) if rows else "the manifest has no nodes"
    data = [_timed(row, iso) for row in rows]
    context.console.result(text, {"running": running, "nodes": data})


def _timed(row: dict[str, Any], shown: Callable[[float], str]) -> dict[str, Any]:
    """The row with its times as text."""
    return {**row, **{key: shown(row[key]) for key in ("when", "check_in") if row[key]}}


def _row(
    node: Node, machine: str, step: StepState | None, check_in: float | None, running: bool
) -> dict[str, Any]:
    """The row, its times in seconds since the epoch."""
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
        "check_in": check_in,
        "why": step.text if step else None,
    }
