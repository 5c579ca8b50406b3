"""An archive for bug reports: report, logs, manifest and versions, without secrets."""

from __future__ import annotations

import io
import json
import platform
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from stackcook import __version__
from stackcook.command import Command, CommandError, Runner, find_program
from stackcook.command import run as run_command
from stackcook.run.logs import path_of
from stackcook.run.record import reading
from stackcook.errors import UsageError, one_line
from stackcook.files import replacing
from stackcook.parallel import parallel_map
from stackcook.redact import Redactor
from stackcook.report import data, html
from stackcook.report.logs import end_of
from stackcook.report.run import RunReport

FAILED_LOG = 1 << 20
"""Bytes at the end of the log of a failed node."""

OTHER_LOG = 1 << 16
"""Bytes at the end of the logs of other nodes."""

RESOURCES = 10_000
"""How many resource times are included."""

PROGRAMS = ("knife", "vagrant", "goiardi", "ruby")
_TIMEOUT = 60.0


def write(
    path: Path,
    report: RunReport,
    state: Path,
    manifest: str,
    redact: Redactor,
    versions: Mapping[str, Any],
) -> int:
    """Write the bundle to ``path``, mode 0600; returns how many files are in it.

    ``manifest`` is the manifest's text. Raises UsageError if ``path`` cannot be written.
    """
    top, count = f"stackcook-run-{report.run.id}", 0
    with replacing(path) as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, text in _files(report, state, manifest, redact, versions):
            content = redact.known(text).encode()
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode, info.mtime = len(content), 0o600, int(report.ended)
            tar.addfile(info, io.BytesIO(content))
            count += 1
    return count


def _files(
    report: RunReport, state: Path, manifest: str, redact: Redactor, versions: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    yield "report.html", html.render(report)
    yield "report.json", _json(data.run_data(report))
    yield "versions.json", _json({**versions, "chef": list(report.chef)})
    yield "manifest.yml", redact.manifest(manifest)
    yield "state.json", _json(_rows(state, report.run.id, redact))
    for node in report.nodes:
        most = OTHER_LOG if node.result == "done" else FAILED_LOG
        if text := end_of(path_of(state, node.name), most):
            yield f"logs/{node.name.replace('/', '_')}.log", redact(text)
    for log in sorted((state / "chef").rglob("*.log")):
        yield str(log.relative_to(state)), redact(end_of(log, FAILED_LOG))


def _rows(state: Path, run: int, redact: Redactor) -> dict[str, list[dict[str, Any]]]:
    """All runs until this one, its steps, and its slowest resources."""
    queries = {
        "runs": "SELECT * FROM runs WHERE id <= :run",
        "steps": "SELECT * FROM steps WHERE run = :run",
        "resources": "SELECT resources.* FROM resources JOIN steps ON steps.id = resources.step"
        " WHERE run = :run ORDER BY seconds DESC LIMIT :most",
    }
    found: dict[str, list[dict[str, Any]]] = {}
    with reading(state) as db:
        if db is None:
            return {}
        for table, query in queries.items():
            with closing(db.execute(query, {"run": run, "most": RESOURCES})) as rows:
                names = [column[0] for column in rows.description]
                found[table] = [dict(zip(names, map(redact.value, row))) for row in rows]
    return found


def versions(run: Runner = run_command) -> dict[str, str]:
    """Versions of stackcook and its tools; empty for a missing program."""
    programs = dict(zip(PROGRAMS, parallel_map(lambda name: _version(name, run), PROGRAMS)))
    release = Path("/etc/debian_version")
    return {
        "stackcook": __version__,
        "python": platform.python_version(),
        "debian": release.read_text().strip() if release.is_file() else "",
        "platform": f"{sys.platform} {platform.release()} {platform.machine()}",
        **programs,
    }


def _version(program: str, run: Runner) -> str:
    try:
        path = str(find_program(program))
        said = run(Command((path, "--version"), apart=True), timeout=_TIMEOUT).output
    except (UsageError, CommandError):
        return ""
    return one_line(next((line for line in said.splitlines() if any(map(str.isdigit, line))), ""))


def _json(data: Any) -> str:
    return json.dumps(data, indent=1) + "\n"
