"""The lab of the chaos tests, which only run where ``--nodes`` says on how many (`make chaos`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scale import repository
from tests.scale.cloud import Cloud, say
from tests.scale.lab import Lab, locked


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nodes", type=int, default=0, help="the lab's nodes; 0: no chaos")
    parser.addoption("--seed", type=int, default=6, help="of what the chaos tests choose")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nodes", 0):
        here = [item for item in items if "tests/scale" in str(item.fspath)]
        for item in here:
            item.add_marker(pytest.mark.skip(reason="needs --nodes N, see `make chaos`"))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab; nothing runs in it yet."""
    with locked() as lab:
        yield lab
        lab.down(say)


@pytest.fixture
def cloud(lab: Lab, pytestconfig: pytest.Config) -> Iterator[Callable[..., Cloud]]:
    """Makes a deployment over nodes that nobody has touched; settings go into the manifest."""
    made: list[Cloud] = []

    def make(**settings: Any) -> Cloud:
        machines = lab.up(pytestconfig.getoption("--nodes"), say)
        # Defaults first: what a test says wins.
        manifest = repository.write(
            lab.root / "chaos", machines, lab.key, {"bootstrap": "native", **settings}
        )
        made.append(Cloud(lab, manifest, machines))
        return made[-1]

    yield make
    for each in made:
        each.end()
