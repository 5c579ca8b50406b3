"""Document → Manifest: every finding at once."""

from __future__ import annotations

from pathlib import Path

from stackcook.errors import Finding
from stackcook.manifest.model import Manifest


def read(path: Path) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """The manifest at ``path`` and all that is wrong with it; ``None`` where nothing can be made of it."""
    raise NotImplementedError
