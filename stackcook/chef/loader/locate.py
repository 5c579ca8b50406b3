"""From names and globs of the manifest to files of the Chef repository."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from stackcook.chef.loader.findings import Findings, suggestion
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
    there: frozenset[str] | None = None  # looked for once, and only where something is missing
    for pattern in patterns:
        try:
            matches = _matches(directory, pattern.text, suffixes)
        except (OSError, ValueError, NotImplementedError):  # too long, `a**b`, `/etc/*`
            findings.error(manifest, pattern.at, f'"{pattern.text}" names no file', "correct it")
            continue
        if not matches:
            if there is None:
                there = _names(directory, suffixes)
            _note_missing(manifest, pattern, directory, findings, suffixes, there)
        for path in matches:
            _note_second(path, suffixes, findings)
            other = found.setdefault(path.stem, path)
            if other.with_suffix("") != path.with_suffix(""):
                second = other.relative_to(directory)
                findings.error(
                    path, None, f"{path.stem} is there twice, as {second} too", "keep one"
                )
    return found


def _matches(directory: Path, text: str, suffixes: Sequence[str]) -> list[Path]:
    if _GLOB.search(text):
        return sorted(_matching(directory, text, suffixes))
    paths = (directory / f"{text}{suffix}" for suffix in suffixes)
    return [path for path in paths if path.is_file()][:1]


def _note_second(path: Path, suffixes: Sequence[str], findings: Findings) -> None:
    """Warn of a file that differs from ``path`` in its suffix only."""
    for suffix in suffixes[suffixes.index(path.suffix) + 1 :]:
        if (second := path.with_suffix(suffix)).is_file():
            what = f"nobody reads it, for {path.name} is there too"
            findings.warning(second, None, what, "keep one of the two")


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


def _names(directory: Path, suffixes: Sequence[str]) -> frozenset[str]:
    """What may be named: ``web``, ``sub/db``."""
    paths = (path.relative_to(directory) for path in _matching(directory, "**/*", suffixes))
    return frozenset(path.with_suffix("").as_posix() for path in paths)


def _note_missing(
    manifest: Path,
    pattern: Pattern,
    directory: Path,
    findings: Findings,
    suffixes: Sequence[str],
    there: Collection[str],
) -> None:
    shown = directory.name
    if directory.is_relative_to(manifest.parent):
        shown = directory.relative_to(manifest.parent).as_posix()
    if not _GLOB.search(pattern.text):
        remedy = suggestion(pattern.text, there, "make the file, or take the name out")
        what = f"there is no {shown}/{pattern.text} ({' or '.join(suffixes)})"
        findings.error(manifest, pattern.at, what, remedy)
    elif pattern.text != "*":  # that is all there is, be it nothing
        what = f'no file of {shown}/ matches "{pattern.text}"'
        findings.warning(manifest, pattern.at, what, "correct the glob")
