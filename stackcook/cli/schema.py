"""``stackcook schema``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.manifest.schema import schema
from stackcook.report.schema import schema as output_schema


@click.command(
    cls=Command,
    examples="""
    stackcook schema > infrastructure.schema.json
    # of what --json prints
    stackcook schema --output
    """,
)
@click.option("--output", is_flag=True, help="Print the schema of the output of --json instead.")
@click.pass_obj
def command(context: Context, output: bool) -> None:
    """Print the JSON Schema (draft 7) of the manifest, for completion and validation in editors.

    \b
    stackcook schema > infrastructure.schema.json
    Then add this as the first line of the manifest:
    # yaml-language-server: $schema=infrastructure.schema.json
    """
    found = output_schema() if output else schema()
    if context.json:
        context.console.result("", found)
    else:
        context.console.document(found)
