"""``stackcook check``."""

from __future__ import annotations

import click
from rich.text import Text

from stackcook.cli.context import Context
from stackcook.console import finding_data
from stackcook.errors import ExitCode, Finding, Position, Severity
from stackcook.manifest.model import Manifest
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
    found = _counts(error=errors, warning=len(findings) - errors)
    lines = [*map(str, findings), f"found {found}" if found else _praise(manifest)]
    text = Text("\n".join(lines))
    text.highlight_regex(r"(?m)^[^ ]+: error:", "red")
    text.highlight_regex(r"(?m)^[^ ]+: warning:", "yellow")
    context.console.result(text, {"findings": [finding_data(finding) for finding in findings]})
    return ExitCode.INPUT if errors else ExitCode.DONE


def _place(finding: Finding) -> tuple[str, Position]:
    return str(finding.path), finding.position or Position(0, 0)


def _praise(manifest: Manifest | None) -> str:
    assert manifest is not None, "what can't be read has findings"
    seen = _counts(
        node=len(manifest.nodes), cookbook=len(manifest.cookbooks), role=len(manifest.roles)
    )
    return f"nothing is wrong ({seen or 'nothing is there'})"


def _counts(**numbers: int) -> str:
    """``2 nodes, 1 role``; what there is none of is left out."""
    return ", ".join(f"{n} {noun}{'s' * (n != 1)}" for noun, n in numbers.items() if n)
