"""What tests/cases/*.yml say: a manifest in, findings and a model out.

A case file holds documents with `case` (its name), `manifest` (the text), and
- `findings`: the lines expected, without the path; none is the same as an empty list,
- `reads`: a part of the model, as plain data; keys that aren't there are not looked at,
- `files`: files that lie beside the manifest, with their text if that matters, `home`: files in ~,
- `prints`: what the command of an inventory prints; or its `status`, `stdout` and `stderr`,
- `name`: the manifest's own file name, for others than infrastructure.yml.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

import pytest

from stackcook.command import Command, CommandError, Completed, Say
from stackcook.errors import Position, Severity
from stackcook.manifest.knifeoptions import KnifeOptions
from stackcook.manifest.read import read
from tests.casefiles import read_cases
from tests.runner import FakeRun


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in read_cases()])
def test_case(case: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "repository" / case.get("name", "infrastructure.yml")
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    files = case.get("files", {})
    texts = files if isinstance(files, dict) else dict.fromkeys(files, "")
    for path, text in [(manifest.parent / name, text) for name, text in texts.items()] + [
        (home / name, "") for name in case.get("home", ())
    ]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text(case["manifest"], newline="")

    program = Program(case.get("prints", ""), manifest.parent)
    model, findings = read(manifest, program if "prints" in case else None)

    shown = [
        str(finding).removeprefix(f"{manifest}:").removeprefix(f"{manifest.parent}/").strip()
        for finding in findings
    ]
    assert program.runs == int("prints" in case)
    assert shown == case.get("findings", [])
    if model is None:
        assert any(finding.severity is Severity.ERROR for finding in findings)
    if "reads" in case:
        assert matching(plain(model, tmp_path), case["reads"]) == case["reads"]


@dataclasses.dataclass
class Program(FakeRun):
    """The program ``./hosts.py``, which is run in the directory of the manifest."""

    prints: Any
    directory: Path
    runs: int = 0

    def answer(self, command: Command, say: Say) -> Completed:
        self.runs += 1
        assert (command.argv, command.cwd) == (("./hosts.py", "--list"), self.directory)
        if isinstance(self.prints, str):
            return Completed(0, self.prints)
        if "raises" in self.prints:
            raise CommandError(self.prints["raises"], where="./hosts.py")
        return Completed(
            self.prints["status"], self.prints.get("stdout", ""), self.prints.get("stderr", "")
        )


def plain(value: Any, base: Path) -> Any:
    """The model as YAML can say it: paths relative to ``base``, options as they are written."""
    if isinstance(value, KnifeOptions):
        return value.text
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name), base) for f in dataclasses.fields(value)}
    if isinstance(value, Position):
        return value._asdict()
    if isinstance(value, Mapping):
        return {key: plain(item, base) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item, base) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value.relative_to(base))
    texts = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface)
    return str(value) if isinstance(value, texts) else value


def matching(value: Any, wanted: Any) -> Any:
    """``value`` without the keys that ``wanted`` doesn't speak of."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {key: matching(value.get(key), part) for key, part in wanted.items()}
    if isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        return [matching(item, part) for item, part in zip(value, wanted)]
    return value
