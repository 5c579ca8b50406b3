"""From names and globs of the manifest to files of the Chef repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from stackcook.chef.findings import Findings, suggestion
from stackcook.manifest.model import Pattern

_GLOB = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*)\}")


def locate(
    manifest: Path,
    patterns: Iterable[Pattern],
    directory: Path,
    findings: Findings,
    *,
    suffixes: Sequence[str] = (".json", ".rb"),
) -> dict[str, Path]:
    """Name → file for all that ``patterns`` name below ``directory``.

    The name is the file's, without directory and suffix. Of two files that differ in their suffix
    only, the one whose suffix comes first in ``suffixes`` counts.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        if not _GLOB.search(pattern.text):
            matches = _named(directory, pattern.text, suffixes)
        else:
            matches = sorted(_matching(directory, pattern.text, suffixes))
        if not matches:
            _note_missing(manifest, pattern, directory, findings, suffixes)
        for path in matches:
            other = found.setdefault(path.stem, path)
            if other.with_suffix("") != path.with_suffix(""):
                what = f"{path.stem} is there twice, in {other} too"
                findings.error(path, None, what, "keep one")
    return found


def _named(directory: Path, name: str, suffixes: Sequence[str]) -> list[Path]:
    paths = (directory / f"{name}{suffix}" for suffix in suffixes)
    return [path for path in paths if path.is_file()][:1]


def _matching(directory: Path, glob: str, suffixes: Sequence[str]) -> list[Path]:
    paths: dict[Path, Path] = {}
    for plain in _without_braces(glob):
        for suffix in suffixes:
            for path in directory.glob(plain + suffix):
                if path.is_file() and not path.name.startswith("."):
                    paths.setdefault(path.with_suffix(""), path)
    return list(paths.values())


def _without_braces(glob: str) -> list[str]:
    """``{a,b}*`` → ``a*`` and ``b*``, as Ruby's globs."""
    match = _BRACES.search(glob)
    if not match:
        return [glob]
    before, after = glob[: match.start()], glob[match.end() :]
    return [
        plain
        for choice in match[1].split(",")
        for plain in _without_braces(f"{before}{choice}{after}")
    ]


def _note_missing(
    manifest: Path,
    pattern: Pattern,
    directory: Path,
    findings: Findings,
    suffixes: Sequence[str],
) -> None:
    shown = directory.name if directory.is_relative_to(manifest.parent) else str(directory)
    if directory.is_relative_to(manifest.parent):
        shown = str(directory.relative_to(manifest.parent))
    endings = " or ".join(suffixes)
    if _GLOB.search(pattern.text):
        if pattern.text == "*":
            return  # all that is there: nothing
        findings.warning(
            manifest,
            pattern.at,
            f'no file of {shown}/ matches "{pattern.text}"',
            "correct the glob",
        )
        return
    known = [path.stem for path in _matching(directory, "*", suffixes)]
    remedy = suggestion(pattern.text, known, "make the file, or take the name out")
    what = f"there is no {shown}/{pattern.text} ({endings})"
    findings.error(manifest, pattern.at, what, remedy)
