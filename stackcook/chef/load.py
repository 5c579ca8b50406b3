"""What the repository's JSON and Ruby files say; Ruby runs once for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.chef import ruby
from stackcook.chef.findings import Findings
from stackcook.errors import Finding, Position


@dataclass(frozen=True)
class Sources:
    """The maps that files hold, by path; a file with something wrong is not among them."""

    values: Mapping[Path, Mapping[str, Any]]

    @classmethod
    def load(cls, files: Iterable[ruby.Source], findings: Findings) -> Sources:
        """Read all ``files``: JSON here, the others by Ruby."""
        files = tuple(files)
        values: dict[Path, Mapping[str, Any]] = {}
        for path in (file.path for file in files if file.path.suffix == ".json"):
            value = read_json(path, findings)
            if value is not None:
                values[path] = value
        ruby_files = [file for file in files if file.path.suffix != ".json"]
        for path, result in ruby.evaluate(ruby_files).items():
            if isinstance(result, Finding):
                findings.found.append(result)
            else:
                values[path] = result
        return cls(values)


def read_json(path: Path, findings: Findings) -> Mapping[str, Any] | None:
    """The map in a JSON file, or ``None`` with the finding that says why not."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        at = Position(error.lineno, error.colno)
        findings.error(path, at, f"this is no JSON: {error.msg}", "correct it")
    except UnicodeDecodeError:
        findings.error(path, None, "this is not UTF-8", "save it as UTF-8")
    except OSError as error:
        findings.error(path, None, f"can't be read ({error.strerror})", "give read permission")
    else:
        if isinstance(value, dict):
            return value
        findings.error(path, Position(1, 1), "this is no JSON map", "put it in braces")
    return None
