"""The repository's files: found by the manifest's names and globs, read, each value with its place.

JSON is read here; Ruby runs once for all other files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.loader import jsontext, ruby
from stackcook.chef.loader.findings import Findings, searchable, suggestion
from stackcook.errors import Finding, Position, UsageError
from stackcook.manifest.model import Pattern

Keys = tuple[jsontext.Key, ...]

_GLOB = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Sources:
    """The maps in the repository's files, by path; files with errors are left out."""

    values: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[Path, Mapping[str, int | None]] = field(default_factory=dict)
    _positions: dict[Path, Mapping[Keys, Position]] = field(default_factory=dict)

    @classmethod
    def load(cls, files: Iterable[ruby.Source], manifest: Path, findings: Findings) -> Sources:
        """Read all ``files``. If Ruby is missing, one finding at the manifest says so."""
        files = tuple(files)
        values: dict[Path, Mapping[str, Any]] = {}
        lines: dict[Path, Mapping[str, int | None]] = {}
        for path in (file.path for file in files if file.path.suffix == ".json"):
            value = read_json(path, findings)
            if value is not None:
                values[path] = value
        with ruby_needed(manifest, findings):
            evaluated = ruby.evaluate(
                [f for f in files if f.path.suffix != ".json"], manifest.parent
            )
            for path, result in evaluated.items():
                if isinstance(result, Finding):
                    findings.found.append(result)
                else:
                    values[path], lines[path] = result.values, result.lines
        return cls(values, lines)

    def place(self, path: Path, *keys: jsontext.Key) -> Position | None:
        """The position of the value at the path ``keys``; ``None`` if it is not in the file's text.

        In JSON this is a map's key or a list's item. In Ruby it is the value's text at or after the
        call that sets it, or the line of that call.
        """
        if path.suffix == ".json":
            if path not in self._positions:
                self._positions[path] = jsontext.positions(path.read_text(encoding="utf-8"))
            return self._positions[path].get(keys)
        lines = self.lines.get(path, {})
        length = next((n for n in (3, 2, 1) if _call(keys[:n]) in lines), 0)
        line = lines[_call(keys[:length])] if length else None
        if line is None:
            return None
        wanted: Any = keys[-1]
        if isinstance(wanted, int):
            wanted = self.values[path]
            for key in keys:
                wanted = wanted[key]
        return _find(path, line, str(wanted))


def _call(keys: Keys) -> str:
    return " ".join(map(str, keys))


def _find(path: Path, line: int, text: str) -> Position:
    """The whole word ``text`` at or after ``line``; otherwise the beginning of that line."""
    word = re.compile(rf"(?<![\w:-]){re.escape(text)}(?![\w:-])")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, content in enumerate(lines[line - 1 :], line):
        if match := word.search(content):
            return Position(number, match.start() + 1)
    return Position(line, 1)


@contextmanager
def ruby_needed(manifest: Path, findings: Findings) -> Iterator[None]:
    """Turns the error that Ruby is missing into a finding, so that other checks continue."""
    try:
        yield
    except UsageError as error:
        what = f"{error.what}, so the repository's Ruby files were not checked"
        findings.error(manifest, None, what, f"{error.remedy}, or run `apt-get install ruby`")


def read_json(path: Path, findings: Findings) -> Mapping[str, Any] | None:
    """The map in a JSON file; ``None`` after adding a finding if it can't be read."""
    try:
        value = jsontext.parse(path.read_text(encoding="utf-8"))
    except jsontext.Malformed as error:
        findings.error(path, error.at, f"invalid JSON: {error}", error.remedy)
    except UnicodeDecodeError:
        findings.error(path, None, "the file is not UTF-8", "save it as UTF-8")
    except OSError as error:
        findings.error(path, None, f"cannot read the file ({error.strerror})", "make it readable")
    else:
        if isinstance(value, dict):
            return value
        findings.error(
            path, Position(1, 1), "the file is not a JSON object", "put it in braces: {...}"
        )
    return None


def locate(
    manifest: Path,
    patterns: Iterable[Pattern],
    directory: Path,
    findings: Findings,
    *,
    suffixes: Sequence[str] = (".json", ".rb"),
) -> dict[str, Path]:
    """Name → file for everything that ``patterns`` match below ``directory``.

    The name is the file's name without directory and suffix. Of two files that differ only in their
    suffix, the one whose suffix comes first in ``suffixes`` is used.
    """
    found: dict[str, Path] = {}
    if not searchable(directory, findings):
        return found
    known: frozenset[str] | None = None  # listed once, and only if a file is missing
    for pattern in patterns:
        try:
            matches = _matches(directory, pattern.text, suffixes)
        except (OSError, ValueError, NotImplementedError):  # too long, `a**b`, `/etc/*`
            findings.error(
                manifest,
                pattern.at,
                f'"{pattern.text}" is not a valid file name or glob',
                "correct it",
            )
            continue
        if not matches:
            if known is None:
                paths = (path.relative_to(directory) for path in _glob(directory, "**/*", suffixes))
                known = frozenset(path.with_suffix("").as_posix() for path in paths)
            _add_missing(manifest, pattern, directory, findings, suffixes, known)
        for path in matches:
            for suffix in suffixes[suffixes.index(path.suffix) + 1 :]:
                if (ignored := path.with_suffix(suffix)).is_file():
                    what = f"the file is ignored because {path.name} exists"
                    findings.warning(ignored, None, what, "keep one of the two files")
            other = found.setdefault(path.stem, path)
            if other.with_suffix("") != path.with_suffix(""):
                what = f'"{path.stem}" is defined twice, also in {other.relative_to(directory)}'
                findings.error(path, None, what, "keep one of the two files")
    return found


def is_glob(text: str) -> bool:
    """Whether a name in the manifest is a glob."""
    return bool(_GLOB.search(text))


def _matches(directory: Path, text: str, suffixes: Sequence[str]) -> list[Path]:
    if is_glob(text):
        return sorted(_glob(directory, text, suffixes))
    paths = (directory / f"{text}{suffix}" for suffix in suffixes)
    return [path for path in paths if path.is_file()][:1]


def _glob(directory: Path, glob: str, suffixes: Sequence[str]) -> list[Path]:
    paths: dict[Path, Path] = {}
    for plain in _without_braces(glob):
        for suffix in suffixes:
            for path in directory.glob(plain + suffix):
                if path.is_file() and not path.name.startswith("."):
                    paths.setdefault(path.with_suffix(""), path)
    return list(paths.values())


def _without_braces(glob: str) -> list[str]:
    """``{a,b}*`` → ``a*`` and ``b*``, as in Ruby's globs."""
    match = _BRACES.search(glob)
    if not match:
        return [glob]
    before, after = glob[: match.start()], glob[match.end() :]
    return [
        plain
        for choice in match[1].split(",")
        for plain in _without_braces(f"{before}{choice}{after}")
    ]


def _add_missing(
    manifest: Path,
    pattern: Pattern,
    directory: Path,
    findings: Findings,
    suffixes: Sequence[str],
    known: Collection[str],
) -> None:
    shown = directory.name
    if directory.is_relative_to(manifest.parent):
        shown = directory.relative_to(manifest.parent).as_posix()
    if not is_glob(pattern.text):
        remedy = suggestion(pattern.text, known, "create the file or remove the name")
        what = f"file not found: {shown}/{pattern.text} ({' or '.join(suffixes)})"
        findings.error(manifest, pattern.at, what, remedy)
    elif pattern.text != "*":  # which may well match nothing
        what = f'no file of {shown}/ matches "{pattern.text}"'
        findings.warning(manifest, pattern.at, what, "correct the glob")
