"""Reads the record of runs, and writes the bundle for a bug report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from stackcook.api.manifest import load
from stackcook.errors import UsageError
from stackcook.files import state_directory
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.redact import Redactor
from stackcook.report import bundle
from stackcook.report.run import RunReport
from stackcook.report.run import read as read_run
from stackcook.report.secrets import known_secrets
from stackcook.run import lock
from stackcook.run.history import Run, runs


def is_deployed(path: Path) -> bool:
    """Whether a deploy of the manifest has begun, however it ended."""
    return lock.is_deployed(state_directory(path))


@dataclass(frozen=True)
class Recorded:
    """A run as it is recorded; ``report`` has no secrets, ``redact`` removes them from a text.

    ``manifest`` is today's, None if it is invalid; ``text`` is its text, empty if the file is gone.
    """

    report: RunReport
    manifest: Manifest | None
    state: Path
    text: str
    redact: Redactor

    def bundle(self, path: Path) -> int:
        """Write the tar.gz for a bug report, mode 0600; returns how many files are in it.

        Raises UsageError if ``path`` cannot be written.
        """
        versions = bundle.versions()
        return bundle.write(path, self.report, self.state, self.text, self.redact, versions)


def recorded_runs(path: Path) -> tuple[tuple[Run, ...], bool]:
    """All runs of the deployment, the oldest first, and whether one is active now.

    The manifest may be invalid now. Raises InputError if there is no such file, UsageError if
    nothing is deployed.
    """
    if not path.exists():
        load(path)  # raises
    state = state_directory(path)
    lock.refuse_undeployed(state)
    return runs(state), lock.in_use(state)


def recorded(path: Path, wanted: str | None = None) -> Recorded:
    """The run with the number ``wanted``, the last one of that deploy, or the last of all.

    Raises as :func:`recorded_runs` does, and UsageError if there is no such run.
    """
    path, (known, running) = path.absolute(), recorded_runs(path)
    state, run = state_directory(path), _chosen(known, wanted)
    manifest, _ = read(path)
    text = path.read_text(errors="replace") if path.is_file() else ""
    redact = Redactor(known_secrets(state, text, manifest))
    under_way = running and run == known[-1] and not run.ended
    cloud = manifest.name if manifest else ""
    report = read_run(state, run, under_way=under_way, now=time.time(), redact=redact, cloud=cloud)
    return Recorded(report, manifest, state, text, redact)


def _chosen(known: tuple[Run, ...], wanted: str | None) -> Run:
    if not known:
        raise UsageError("the first run is just starting", remedy="try again in a moment")
    if wanted is None:
        return known[-1]
    found = [run for run in known if wanted in (str(run.id), run.deploy)]
    if not found:
        raise UsageError(
            f"unknown run {wanted}", remedy="run `stackcook report --list` to see all runs"
        )
    return found[-1]
