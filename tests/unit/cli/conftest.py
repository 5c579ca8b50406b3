"""A manifest with two nodes, and a fake site for the commands that deploy it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.cli import converge, deploy, destroy, down, node, open, snapshot, status
from stackcook.machines.layers import Layers
from stackcook.snapshot.store import Store, default_directory
from tests.fakes import FakeSite
from tests.snapshots import FakeLayers

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
    for command in (deploy, converge, destroy, down, node, open, snapshot):
        monkeypatch.setattr(command, "Site", lambda *_: site)
    monkeypatch.setattr(status, "ChefSite", lambda *_: site)
    return site


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The user's store; containers are asked for in vain."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for method in ("used", "sync", "delete"):
        monkeypatch.setattr(Layers, method, getattr(FakeLayers, method))
    monkeypatch.setattr(Layers, "roots", {}, raising=False)
    monkeypatch.setattr(Layers, "busy", set(), raising=False)
    return Store(default_directory())
