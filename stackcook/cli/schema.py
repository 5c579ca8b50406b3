"""``stackcook schema``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.manifest.schema import schema


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Print the JSON Schema (draft 7) of the manifest, for completion and validation in editors.

    \b
    stackcook schema > infrastructure.schema.json
    Then add this as the first line of the manifest:
    # yaml-language-server: $schema=infrastructure.schema.json
    """
    context.console.document(schema())
