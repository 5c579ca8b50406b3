"""What tests/cases/repository/*.yml say: a Chef repository in, findings out.

A case has `case` (its name), `manifest` (the text), `files` (path → text), and `findings`: the
lines expected, paths relative to the manifest's directory; none is the same as an empty list.
What is wrong with the manifest alone is not looked at here: tests/cases/*.yml have that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.checks.references import OwnServer
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.read import read
from tests.casefiles import DIRECTORY, read_cases


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in read_cases(DIRECTORY / "repository")]
)
def test_case(case: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    for name, text in {"infrastructure.yml": case["manifest"], **case.get("files", {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    manifest, _ = read(root / "infrastructure.yml")
    assert manifest
    server = manifest.chef_server and OwnServer(manifest.chef_server.url)  # as in `check`
    for again in ("cold", "from the cache"):
        _, findings = Repository.inspect(manifest, lambda: server)
        assert [str(finding) for finding in findings] == case.get("findings", []), again
