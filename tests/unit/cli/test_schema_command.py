"""``stackcook schema``: one JSON document, whatever there is in the directory."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli
from stackcook.manifest.schema import schema
from stackcook.report.schema import schema as output_schema
from tests.output import data


@pytest.mark.parametrize("arguments", [[], ["--output"]])
def test_it_is_printed_without_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = output_schema() if arguments else schema()
    for more in ([], ["--json"]):
        result = CliRunner(mix_stderr=False).invoke(cli, ["schema", *arguments, *more])
        assert (result.exit_code, result.stderr) == (0, "")
        assert (data(result.stdout) if more else json.loads(result.stdout)) == wanted


def test_the_schema_of_the_output_in_the_docs() -> None:
    path = Path(__file__).parents[3] / "docs" / "output.schema.json"
    again = "write it with `stackcook schema --output >docs/output.schema.json`"
    assert json.loads(path.read_text()) == output_schema(), again
    jsonschema.Draft7Validator.check_schema(output_schema())
