"""``stackcook schema``: one JSON document, whatever there is in the directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli
from stackcook.manifest.schema import schema


@pytest.mark.parametrize("arguments", [["schema"], ["schema", "--json"]])
def test_it_is_printed_without_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner(mix_stderr=False).invoke(cli, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == schema()
