"""``stackcook check``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from stackcook import __version__
from stackcook.cli.context import Context, format_option
from stackcook.console import finding_data
from stackcook.errors import ExitCode, Finding, InputError, StackcookError
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.report.findings import counts, ordered, summary
from stackcook.report.sarif import sarif


@click.command()
@click.option("--strict", is_flag=True, help="Exit 3 for warnings, too.")
@format_option("text", "json", "sarif")
@click.pass_obj
def command(context: Context, strict: bool, form: str | None) -> ExitCode:
    """Find all that is wrong with the manifest and the Chef repository.

    Asks neither the Chef server nor a node, and changes nothing. Prints each finding as
    file:line:column: severity: what is wrong; what would be right.
    Exits 3 where one of them is an error; warnings alone are 0, unless --strict is given.
    SARIF is what code hosts show beside the lines.
    """
    form = context.form(form)
    manifest, found = read(context.path)
    collected = list(found)
    looked_at: Mapping[str, int] = {}
    if manifest is not None:
        try:
            looked_at = _inspect(manifest, collected)
        except Exception:  # a bug of ours hides nothing of what was found before
            for finding in collected:
                context.console.note(str(finding))
            raise
    path = context.path.absolute()
    findings = ordered(collected, path)
    if form == "sarif":
        context.console.document(sarif(findings, path, _base(path)))
    elif form == "json":
        data = {
            "version": __version__,
            "findings": [finding_data(finding) for finding in findings],
            "counts": counts(findings),
            "looked_at": looked_at,
        }
        context.console.document(data)
    else:
        context.console.findings(findings, summary(findings, looked_at))
    wrong = counts(findings)["errors"] or (strict and findings)
    return ExitCode.INPUT if wrong else ExitCode.DONE


def _inspect(manifest: Manifest, collected: list[Finding]) -> Mapping[str, int]:
    """Add what is wrong with all that the manifest needs; returns how much of each was looked at.

    A part that can't be looked at is a finding, too, and hides nothing of the others.
    """
    from stackcook.bootstrap.providers import missing_plugins
    from stackcook.chef.repository.repository import Repository

    looked_at = {"nodes": len(manifest.nodes)}

    def repository() -> tuple[Finding, ...]:
        there, findings = Repository.inspect(manifest)
        looked_at["cookbooks"] = len(there.cookbooks)
        looked_at["roles"] = len(there.roles)
        looked_at["environments"] = len(there.environments)
        looked_at["data bags"] = len(there.data_bags)
        return findings

    parts: tuple[Callable[[], tuple[Finding, ...]], ...]
    parts = (repository, lambda: missing_plugins(manifest))
    for part in parts:
        try:
            collected += part()
        except InputError as error:
            collected += error.findings
        except StackcookError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            remedy = error.remedy or "mend that, and check again"
            collected.append(Finding(manifest.path, None, what, remedy))
        except OSError as error:
            where = Path(error.filename) if error.filename else manifest.root
            what = f"can't be read: {(error.strerror or str(error)).lower()}"
            collected.append(Finding(where, None, what, "see that you may read it"))
    return looked_at


def _base(manifest: Path) -> Path:
    """What a code host's paths are relative to: the checkout, else the manifest's directory."""
    parents = Path(os.path.normpath(manifest)).parents
    return next((parent for parent in parents if (parent / ".git").exists()), parents[0])
