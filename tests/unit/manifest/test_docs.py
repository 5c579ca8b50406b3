"""The manifests of docs/manifest.md are ones that stackcook reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackcook.manifest.read import read
from stackcook.manifest.settings import KEYS

DOCS = (Path(__file__).parents[3] / "docs" / "manifest.md").read_text()

EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_have_no_findings(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (".ssh/lab", ".chef/operator.pem", "keys/users_secret"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    path = tmp_path / "infrastructure.yml"
    path.write_text(text)
    assert [str(finding) for finding in read(path)[1]] == []


def test_every_key_of_the_section_stackcook_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \| ", DOCS, re.MULTILINE) == KEYS
