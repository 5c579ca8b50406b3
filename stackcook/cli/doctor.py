"""``stackcook doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from stackcook.chef.server.settings import find_chef_server
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.command import run
from stackcook.doctor import Diagnosis, diagnose, needs
from stackcook.errors import ExitCode, Severity, StackcookError
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.report.format import columns


@click.command(
    cls=Command,
    examples="""
    stackcook doctor
    """,
)
@click.pass_obj
def command(context: Context) -> ExitCode:
    """List the programs that stackcook needs, and which of them are missing.

    Checks what the manifest needs; without a valid manifest, everything.
    Exits 2 if something is missing.
    """
    manifest = _valid(context.path)
    found = diagnose(needs(manifest, embedded=_embedded(context, manifest)))
    rows = [(one.name, one.purpose, _state(one)) for one in found]
    missing = [one for one in found if one.needed and not one.found]
    context.console.result(
        f"{columns(rows)}\n{_summary(missing)}",
        {"missing": len(missing), "tools": [asdict(diagnosis) for diagnosis in found]},
    )
    return ExitCode.USAGE if missing else ExitCode.DONE


def _summary(missing: list[Diagnosis]) -> str:
    if not missing:
        return "nothing is missing"
    return f"missing: {', '.join(one.name for one in missing)}"


def _state(one: Diagnosis) -> str:
    if one.found:
        return one.found
    return f"missing: {one.remedy}" if one.needed else f"not needed here; to install: {one.remedy}"


def _valid(path: Path) -> Manifest | None:
    """The manifest; None if there is none, or it has errors, which `check` reports."""
    manifest, findings = read(path, run)
    return None if any(one.severity is Severity.ERROR for one in findings) else manifest


def _embedded(context: Context, manifest: Manifest | None) -> bool:
    """Whether the manifest uses the embedded Chef server."""
    try:
        return manifest is None or find_chef_server(manifest) is None
    except StackcookError as error:  # a server is configured, but wrongly
        context.console.note(str(error))
        return False
