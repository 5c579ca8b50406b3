"""``stackcook check``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import click

from stackcook.bootstrap.providers import missing_plugins
from stackcook.chef.checks.references import OwnServer
from stackcook.chef.repository.repository import Repository
from stackcook.chef.server.settings import find_chef_server
from stackcook.cli.context import OUTPUT, Context, format_option
from stackcook.cli.help import Command
from stackcook.command import run
from stackcook.console import finding_data
from stackcook.errors import ExitCode, Finding, InputError, Severity, StackcookError, UsageError
from stackcook.files import replacing
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.ranges import collapse
from stackcook.report.findings import code_quality, counts, ordered, sarif, summary


@click.command(
    cls=Command,
    examples="""
    stackcook check
    # in CI: fail on warnings, too
    stackcook check --strict
    # for GitHub, which shows the problems beside the lines
    stackcook check --format sarif
    # the same for GitLab
    stackcook check --format codequality
    """,
)
@click.option("--strict", is_flag=True, help="Exit with status 3 on warnings, too.")
@format_option("text", "json", "sarif", "codequality")
@click.option(
    "--junit",
    metavar="FILE",
    type=OUTPUT,
    help="Write JUnit XML, for CI.",
)
@click.pass_obj
def command(context: Context, strict: bool, form: str | None, junit: Path | None) -> ExitCode:
    """Report all problems in the manifest and the Chef repository.

    Contacts neither the Chef server nor nodes, and changes nothing. What only your own Chef server
    may have is a warning. Prints each problem as file:line:column: severity: problem; remedy.
    Exits 3 if there is an error, or with --strict if there is a warning; otherwise 0.
    GitHub reads SARIF, GitLab its Code Quality format, and both show the problems beside the lines;
    see docs/ci.md.
    """
    form = context.form(form)
    manifest, found = read(context.path, run)
    collected = list(found)
    checked: Mapping[str, int] = {}
    if manifest is not None:
        try:
            checked = _inspect(manifest, collected)
        except Exception:  # an internal error: show what was found before it
            for finding in collected:
                context.console.note(str(finding))
            raise
    listed = (
        manifest.inventory if manifest and manifest.inventory and manifest.inventory.read else None
    )
    path = context.path.absolute()
    findings = ordered(collected, path)
    if junit:
        from stackcook.report.junit import of_findings  # which other formats do without

        with replacing(junit, 0o666) as file:
            cloud = manifest.name if manifest else ""
            text = of_findings(findings, path, strict=strict, checked=bool(manifest), cloud=cloud)
            file.write(text.encode())
    if form == "sarif":
        context.console.document(sarif(findings, path, _base(path)))
    elif form == "codequality":
        context.console.document(code_quality(findings, path, _base(path)))
    elif form == "json":
        data = {
            "findings": [finding_data(finding) for finding in findings],
            "counts": counts(findings),
            "looked_at": checked,
            "inventory": listed and {"source": listed.source, "nodes": [*listed.nodes]},
        }
        context.console.result("", data)
    else:
        lines = summary(findings, checked)
        if listed:
            names = ", ".join(collapse(listed.nodes)) or "none"
            lines = f"nodes from {listed.source}: {names}\n{lines}"
        context.console.findings(findings, lines)
    wrong = counts(findings)["errors"] or (strict and findings)
    return ExitCode.INPUT if wrong else ExitCode.DONE


def _inspect(manifest: Manifest, collected: list[Finding]) -> Mapping[str, int]:
    """Check everything that the manifest refers to, and add the findings to ``collected``.

    Returns how many nodes, cookbooks, … were checked. A part that cannot be checked is a finding.
    """
    checked = {"nodes": len(manifest.nodes)}

    @cache
    def find_server() -> OwnServer | None:
        try:
            server = find_chef_server(manifest)
        except StackcookError as error:  # to be reported beside the repository's findings
            collected.extend(_findings(manifest, error))
            return OwnServer("your Chef server")
        return OwnServer(server.url) if server else None

    def repository() -> tuple[Finding, ...]:
        bags = tuple(
            bag if not bag.secret or bag.secret.is_file() else replace(bag, secret=None)
            for bag in manifest.data_bags  # a missing secret is a finding already
        )
        there, findings = Repository.inspect(replace(manifest, data_bags=bags), find_server)
        checked["cookbooks"] = len(there.cookbooks)
        checked["roles"] = len(there.roles)
        checked["environments"] = len(there.environments)
        checked["data bags"] = len(there.data_bags)
        return findings

    def timer() -> tuple[Finding, ...]:
        if manifest.timer is None or find_server():
            return ()
        what = "stackcook: client: interval: the nodes' chef-client fails while the embedded Chef"
        what += " server does not run, such as after a restart of this machine"
        remedy = "set `chef_server`, or run `stackcook server start` after each restart"
        return (Finding(manifest.path, manifest.timer.at, what, remedy, Severity.WARNING),)

    def plugins() -> tuple[Finding, ...]:
        try:
            return missing_plugins(manifest)
        except UsageError as error:  # knife, which only `deploy` needs, is not installed
            return tuple(replace(f, severity=Severity.WARNING) for f in _findings(manifest, error))

    parts: tuple[Callable[[], tuple[Finding, ...]], ...]
    parts = (repository, timer, plugins)
    for part in parts:
        try:
            collected += part()
        except StackcookError as error:
            collected += _findings(manifest, error)
        except OSError as error:
            where = Path(error.filename) if error.filename else manifest.root
            what = f"cannot read: {(error.strerror or str(error)).lower()}"
            collected.append(
                Finding(where, None, what, "check that the file exists and is readable")
            )
    return checked


def _findings(manifest: Manifest, error: StackcookError) -> tuple[Finding, ...]:
    """The error as findings."""
    if isinstance(error, InputError):
        return error.findings
    what = f"{error.where}: {error.what}" if error.where else error.what
    remedy = error.remedy or "fix this, then run `stackcook check` again"
    return (Finding(manifest.path, None, what, remedy),)


def _base(manifest: Path) -> Path:
    """What paths in reports are relative to: the git checkout, else the manifest's directory."""
    parents = Path(os.path.normpath(manifest)).parents
    return next((parent for parent in parents if (parent / ".git").exists()), parents[0])
