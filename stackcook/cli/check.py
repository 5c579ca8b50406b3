"""``stackcook check``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.console import finding_data
from stackcook.errors import ExitCode, Finding, InputError, Severity
from stackcook.manifest.read import read


@click.command()
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Find all that is wrong with the manifest and the Chef repository.

    Asks neither the Chef server nor a node. Prints each finding as
    file:line:column: severity: what is wrong; what would be right.
    """
    from stackcook.chef.repository import Repository

    manifest, findings = read(context.path)
    if manifest is not None:
        findings = (*findings, *Repository.inspect(manifest))
    return ExitCode.DONE
