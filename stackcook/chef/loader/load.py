"""What the repository's JSON and Ruby files say, and where; Ruby runs once for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.loader import jsontext, ruby
from stackcook.chef.loader.findings import Findings
from stackcook.errors import Finding, Position, UsageError

Keys = tuple[jsontext.Key, ...]


@dataclass(frozen=True)
class Sources:
    """The maps that files hold, by path; a file with something wrong is not among them."""

    values: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[Path, Mapping[str, int | None]] = field(default_factory=dict)
    _positions: dict[Path, Mapping[Keys, Position]] = field(default_factory=dict)

    @classmethod
    def load(cls, files: Iterable[ruby.Source], manifest: Path, findings: Findings) -> Sources:
        """Read all ``files``: JSON here, the others by Ruby.

        Where there is no Ruby, that is noted of the manifest.
        """
        files = tuple(files)
        values: dict[Path, Mapping[str, Any]] = {}
        lines: dict[Path, Mapping[str, int | None]] = {}
        for path in (file.path for file in files if file.path.suffix == ".json"):
            value = read_json(path, findings)
            if value is not None:
                values[path] = value
        with ruby_needed(manifest, findings):
            for path, said in ruby.listen([f for f in files if f.path.suffix != ".json"]).items():
                if isinstance(said, Finding):
                    findings.found.append(said)
                else:
                    values[path], lines[path] = said.values, said.lines
        return cls(values, lines)

    def place(self, path: Path, *keys: jsontext.Key) -> Position | None:
        """Where a file says what ``keys`` lead to; ``None`` if it doesn't say it in so many words.

        In JSON that is a map's key or a list's item, in Ruby the item's text after the call that
        names it, or else that call's line.
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
    """The whole word ``text`` at or after ``line``; else that line."""
    word = re.compile(rf"(?<![\w:-]){re.escape(text)}(?![\w:-])")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, said in enumerate(lines[line - 1 :], line):
        if match := word.search(said):
            return Position(number, match.start() + 1)
    return Position(line, 1)


@contextmanager
def ruby_needed(manifest: Path, findings: Findings) -> Iterator[None]:
    """What can't be done without Ruby: a finding says so, and all else goes on."""
    try:
        yield
    except UsageError as error:
        what = f"{error.what}, so no Ruby file of the repository was looked at"
        findings.error(manifest, None, what, f"{error.remedy}, or `apt-get install ruby`")


def read_json(path: Path, findings: Findings) -> Mapping[str, Any] | None:
    """The map in a JSON file, or ``None`` with the finding that says why not."""
    try:
        value = jsontext.parse(path.read_text(encoding="utf-8"))
    except jsontext.Malformed as error:
        findings.error(path, error.at, f"this is no JSON: {error}", "correct it")
    except UnicodeDecodeError:
        findings.error(path, None, "this is not UTF-8", "save it as UTF-8")
    except OSError as error:
        findings.error(path, None, f"can't be read ({error.strerror})", "give read permission")
    else:
        if isinstance(value, dict):
            return value
        findings.error(path, Position(1, 1), "this is no JSON map", "put it in braces")
    return None
