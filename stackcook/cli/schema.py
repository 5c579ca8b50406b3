"""``stackcook schema``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.manifest.schema import schema


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Print the manifest's JSON Schema (draft 7): with it editors complete keys and mark mistakes.

    \b
    stackcook schema > infrastructure.schema.json
    and as the manifest's first line:
    # yaml-language-server: $schema=infrastructure.schema.json
    """
    context.console.document(schema())
