"""The lab of the whole deploy, and what tests do that build on one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.labs import Lab, prepared


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of the repository's own manifest."""
    with prepared("sctest", "10.0.116", "10.0.117") as lab:
        yield lab


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "incremental: each test goes on where the last one ended")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Note a failure for the tests that build on it, and show what the nodes' logs end with."""
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    if not report.failed:
        return
    if item.get_closest_marker("incremental"):
        _failed(item)[_teller(item)] = item.name
    lab = getattr(item, "funcargs", {}).get("lab")
    for path in sorted(lab.logs.glob("*.log")) if isinstance(lab, Lab) else ():
        tail = path.read_text(errors="replace").splitlines()[-40:]
        report.sections.append((f"the end of {path.name}", "\n".join(tail)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    before = _failed(item).get(_teller(item))
    if before and item.get_closest_marker("incremental"):
        pytest.skip(f"it builds on {before}, which failed")


def _failed(item: pytest.Item) -> dict[Any, str]:
    """The tests of its file that failed, by the story that they are of."""
    return item.parent.__dict__.setdefault("failed_before", {})


def _teller(item: pytest.Item) -> Any:
    """What tells the file's stories from each other: the param of ``one``, if it has that."""
    return item.callspec.params.get("one") if hasattr(item, "callspec") else None
