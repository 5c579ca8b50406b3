"""Reads the manifest, once it is free of errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stackcook.command import Say, run
from stackcook.errors import Finding, InputError, Severity
from stackcook.manifest.model import MachineKind, Manifest
from stackcook.manifest.read import read


def load(path: Path, command: str = "", warn: Say | None = None) -> Manifest:
    """The manifest, once it is free of errors; ``warn`` gets its warnings, a line for each.

    Raises InputError with all findings if one is an error, also one that is an error only for
    ``command``. A file that is missing is no error for a command that needs none.
    """
    manifest, found = read(path, run)
    findings = [_for(command, finding) for finding in found]
    if manifest is None or any(f.severity is Severity.ERROR for f in findings):
        raise InputError(findings)
    if warn:
        for finding in findings:
            warn(str(finding))
    return manifest


def _for(command: str, finding: Finding) -> Finding:
    """The finding as severe as it is for this command."""
    if command in finding.needed_by:
        return replace(finding, severity=Severity.ERROR)
    if command in finding.optional_for:
        return replace(finding, severity=Severity.WARNING)
    return finding


def load_deployed(path: Path, command: str = "", *, lab_only: bool = False) -> Manifest:
    """The manifest like :func:`load`, once it is deployed; raises UsageError if it is not.

    Another deployment's machines may have the same addresses. With ``lab_only``, existing hosts
    need no deployment.
    """
    from stackcook.run.lock import refuse_undeployed  # with SQLite, which few commands need

    manifest = load(path, command)
    if not lab_only or manifest.machines is MachineKind.VAGRANT:
        refuse_undeployed(manifest.state)
    return manifest
