"""``stackcook plan``."""

from __future__ import annotations

from pathlib import Path

import click

from stackcook.chef.loader.findings import Findings
from stackcook.chef.repository.repository import parse_sections
from stackcook.cli.context import (
    Context,
    bundle_option,
    format_option,
    limit_option,
    only_option,
    zones_option,
)
from stackcook.cli.help import Command
from stackcook.errors import InputError, Severity
from stackcook.knife import Form, commands
from stackcook.knife.files import look
from stackcook.manifest.model import Manifest
from stackcook.operations.bundle import adopt_cookbooks, opened
from stackcook.operations.limit import limited
from stackcook.operations.preview import preview_of, preview_of_converge
from stackcook.report import plan as report
from stackcook.report.findings import ordered
from stackcook.run.preview import Preview


_KNIFE_ONLY = ("--parallel", "--node-only", "--chef-client")
_CONTRADICTIONS = (
    ("--delete", "--rebuild"),
    ("--converge", "--delete"),
    ("--converge", "--rebuild"),
    ("--bundle", "--converge"),
    ("--bundle", "--delete"),
    *(("--reset", f"--{other}") for other in "bundle converge delete limit only rebuild".split()),
    ("--chef-client", "--delete"),
    ("--chef-client", "--rebuild"),
    ("--chef-client", "--node-only"),
)


@click.command(
    cls=Command,
    examples="""
    stackcook plan
    # one node and all nodes of a role
    stackcook plan --limit controller,'role[single-compute]'
    # only what would change on the Chef server
    stackcook plan --only cookbooks,roles
    # what knife would have to do
    stackcook plan --format knife
    """,
)
@format_option("text", "json", "knife")
@only_option
@limit_option("Hides the Chef server's objects, unless --only names them.")
@zones_option
@click.option(
    "--delete", is_flag=True, help="Show what `upload --delete` and `destroy` would delete."
)
@click.option(
    "--rebuild", is_flag=True, help="Show what deleting everything and deploying again would do."
)
@click.option("--converge", is_flag=True, help="Show what `converge` would do.")
@click.option("--reset", is_flag=True, help="Show what `deploy --reset` would do.")
@bundle_option
@click.option(
    "--parallel", is_flag=True, help="With --format knife: create cloud machines in parallel."
)
@click.option(
    "--node-only", is_flag=True, help="With --format knife: create only node objects, no machines."
)
@click.option(
    "--chef-client", is_flag=True, help="With --format knife: run chef-client on existing nodes."
)
@click.pass_obj
def command(
    context: Context,
    form: str | None,
    only: tuple[str, ...],
    limit: tuple[str, ...],
    zones: tuple[str, ...],
    delete: bool,
    rebuild: bool,
    converge: bool,
    reset: bool,
    bundle: Path | None,
    **ways: bool,
) -> None:
    """Show what deploy would do, on the Chef server and with each node; change nothing.

    Inspects the machines, and the Chef server if it is running. With --format knife, it contacts
    neither, and prints knife commands for the manifest, as spiceweasel does.
    """
    shown = context.form(form)
    flags = {"delete": delete, "rebuild": rebuild, "converge": converge, "reset": reset}
    others = {"bundle": bool(bundle), "limit": bool(limit or zones), "only": bool(only)}
    _check({**flags, **others, **ways}, shown)
    unpacked = opened(bundle, context.state) if bundle else None
    manifest = context.load(warn=shown != "knife")
    if unpacked:
        adopt_cookbooks(unpacked, manifest)
    nodes = limited(manifest, limit, zones=zones)
    sections = parse_sections(only or ("nodes", "clusters") * (nodes is not None))
    wanted = Form(sections, nodes, create=not delete, delete=delete or rebuild, **ways)
    if shown == "knife":
        _print_commands(context, manifest, wanted)
    else:
        if converge:
            preview = preview_of_converge(manifest, wanted)
        else:
            preview = preview_of(manifest, wanted, context.access, unpacked, reset=reset)
        _print_plan(context, preview)


def _check(flags: dict[str, bool], form: str) -> None:
    """Raises click's UsageError for options that contradict each other."""
    given = {f"--{name.replace('_', '-')}" for name, on in flags.items() if on}
    for pair in _CONTRADICTIONS:
        if given.issuperset(pair):
            raise click.UsageError(f"{' and '.join(pair)} cannot be combined")
    for option in _KNIFE_ONLY:
        if option in given and form != "knife":
            raise click.UsageError(f"{option} needs --format knife")
    for option in ("--bundle", "--reset"):
        if option in given and form == "knife":
            raise click.UsageError(f"{option} cannot be combined with --format knife")
    if "--converge" in given and form == "knife":
        raise click.UsageError(
            "--converge cannot be combined with --format knife; use --chef-client"
        )


def _print_commands(context: Context, manifest: Manifest, wanted: Form) -> None:
    findings = Findings()
    files = look(manifest, findings, delete=wanted.delete)
    found = ordered(findings.found, manifest.path)
    if any(finding.severity is Severity.ERROR for finding in found):
        raise InputError(found)
    for finding in found:
        context.console.note(str(finding))
    if printed := "\n".join(commands(manifest, files, wanted)):
        context.console.write(printed)


def _print_plan(context: Context, preview: Preview) -> None:
    for warning in preview.warnings:
        context.console.note(f"warning: {warning}")
    for note in preview.notes:
        context.console.note(f"note: {note}")
    context.console.result(report.render(preview), report.data(preview))
