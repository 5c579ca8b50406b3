"""Which tests share a process when pytest has several, with `--dist loadgroup`."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All labs go one after the other: two at once are slow. Others share the files' fixtures."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        item.add_marker(pytest.mark.xdist_group("lab" if folder == "lab" else item.path.stem))
