"""The tests that take too long for `make test` can at least begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_their_fixtures_fit_together() -> None:
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--setup-plan")
    done = subprocess.run((*argv, "tests/acceptance"), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "SETUP    S lab" in done.stdout
