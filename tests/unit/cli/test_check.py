"""``stackcook check``: every finding of the manifest and of the Chef repository, in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli

GOOD = """\
nodes:
- web1:
stackcook:
  network: 10.0.112.0/24
  nodes:
    web1: {address: 10.0.112.10}
"""


def check(directory: Path, manifest: str, *arguments: str) -> Result:
    path = directory / "infrastructure.yml"
    path.write_text(manifest)
    return CliRunner(mix_stderr=False).invoke(cli, ["-f", str(path), "check", *arguments])


def test_nothing_wrong(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD)
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "nothing is wrong (1 node)\n",
        "",
    )


def test_warnings_alone_are_0(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD + "knife:\n")
    assert result.exit_code == 0
    assert result.stdout.endswith("\nfound 1 warning\n")


def test_findings_of_both_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = check(tmp_path, "rolls:\nroles:\n- base:\nknife:\n")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        "infrastructure.yml:1:1",
        "infrastructure.yml:3:3",
        "infrastructure.yml:4:1",
    ]
    assert 'did you mean "roles"?' in lines[0]
    assert "base" in lines[1] and "error" in lines[1]
    assert lines[-1] == "found 2 errors, 1 warning"
    assert result.stderr == ""


def test_json(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD + "rolls:\n", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {
        "findings": [
            {
                "path": str(tmp_path / "infrastructure.yml"),
                "line": 7,
                "column": 1,
                "severity": "error",
                "what": 'unknown key "rolls" in the manifest',
                "remedy": 'did you mean "roles"?',
            }
        ]
    }


def test_changes_nothing(tmp_path: Path) -> None:
    check(tmp_path, GOOD)
    assert [path.name for path in tmp_path.iterdir()] == ["infrastructure.yml"]
