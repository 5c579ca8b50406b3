"""What the tests of both bootstraps share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bootstrap.fakes import Setting


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A node, a Chef server and knife that know nothing of each other yet."""
    (tmp_path / "secret").write_text("s3\n")
    monkeypatch.setattr("stackcook.bootstrap.knife.find_program", lambda name: Path("/bin") / name)
    return Setting(tmp_path)
