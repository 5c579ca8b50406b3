"""A manifest with two nodes, and a fake site for the commands that deploy it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.cli import converge, deploy, destroy, down, node, open, status
from tests.fakes import FakeSite

MANIFEST = """\
nodes:
- controller: {run_list: "recipe[a]"}
- compute1: {run_list: "recipe[a]"}
stackcook:
  machines: ssh
  nodes:
    controller: {address: 127.0.0.2, key: key}
    compute1: {address: 127.0.0.3, key: key}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a manifest; the current one, too."""
    (tmp_path / "key").touch()
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    site = FakeSite()
    for command in (deploy, converge, destroy, down, node, open):
        monkeypatch.setattr(command, "Site", lambda *_: site)
    monkeypatch.setattr(status, "ChefSite", lambda *_: site)
    return site
