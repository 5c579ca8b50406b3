"""``stackcook check``."""

from __future__ import annotations

import click

from stackcook.cli.context import Context
from stackcook.console import finding_data
from stackcook.errors import ExitCode, Finding, Position, Severity
from stackcook.manifest.read import read


@click.command()
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Find all that is wrong with the manifest and the Chef repository.

    Asks neither the Chef server nor a node, and changes nothing. Prints each finding as
    file:line:column: severity: what is wrong; what would be right.
    Exits 3 where one of them is an error; warnings alone are 0.
    """
    from stackcook.chef.repository import Repository

    manifest, findings = read(context.path)
    if manifest is not None:
        _, more = Repository.inspect(manifest)
        findings = tuple(sorted((*findings, *more), key=_place))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    lines = [str(finding) for finding in findings]
    lines.append(_summary(errors, len(findings) - errors))
    context.console.result(
        "\n".join(lines), {"findings": [finding_data(finding) for finding in findings]}
    )
    return ExitCode.INPUT if errors else ExitCode.DONE


def _place(finding: Finding) -> tuple[str, Position]:
    return str(finding.path), finding.position or Position(0, 0)


def _summary(errors: int, warnings: int) -> str:
    counts = [_count(errors, "error")] if errors else []
    counts += [_count(warnings, "warning")] if warnings else []
    return "found " + " and ".join(counts) if counts else "nothing is wrong"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
