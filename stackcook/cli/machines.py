"""``stackcook machines``."""

from __future__ import annotations

from typing import Any

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.machines.factory import machines_for


@click.command(
    cls=Command,
    examples="""
    stackcook machines
    """,
)
@click.pass_obj
def command(context: Context) -> None:
    """Show the names, addresses and sizes of the machines.

    --json also prints everything that the Vagrantfile needs to create them.
    """
    described = machines_for(context.load("machines")).describe()
    context.console.result("\n".join(map(_line, described["machines"])), described)


def _line(machine: dict[str, Any]) -> str:
    size = f"  {machine['memory']} MiB, {machine['cpus']} CPUs" if "memory" in machine else ""
    return f"{machine['name']:24} {machine['address'] or '-':15}{size}"
