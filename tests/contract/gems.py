"""The gems that `stackcook setup` has installed, for tests that start Ruby themselves."""

from __future__ import annotations

import sys
from pathlib import Path


def gem_environment() -> dict[str, str]:
    """The variables by which Ruby finds these gems and no others."""
    home = Path(sys.prefix, "bin", ".gems").read_text().strip()
    return {"GEM_HOME": home, "GEM_PATH": home}
