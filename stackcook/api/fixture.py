"""The pytest plugin: a cloud as the fixture ``openstack_cloud``.

pytest loads this file wherever stackcook is installed. So the rest of stackcook is imported only
once the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackcook.api.cloud import Cloud, MakeSite
    from stackcook.api import session

_SESSION: pytest.StashKey[session.SessionCloud] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("stackcook", "OpenStack cloud of stackcook")
    group.addoption(
        "--stackcook-manifest",
        metavar="PATH",
        help="Manifest of the cloud; the default is infrastructure.yml in the root directory.",
    )
    group.addoption(
        "--stackcook-keep", action="store_true", help="Do not destroy the cloud at the end."
    )
    group.addoption(
        "--stackcook-artifacts",
        metavar="DIR",
        help="Where the report bundle is written after a failure; the default is the directory"
        " stackcook in pytest's cache.",
    )


@pytest.fixture(scope="session")
def _stackcook_site() -> MakeSite:
    """What reaches machines, Chef server and cloud; tests of the plugin replace it."""
    from stackcook.operations.site import Site

    return Site


@pytest.fixture(scope="session")
def openstack_cloud(request: pytest.FixtureRequest, _stackcook_site: MakeSite) -> Iterator[Cloud]:
    """The cloud of --stackcook-manifest, a stackcook.Cloud; deployed when it is first used.

    A cloud that is deployed already is used, and left at the end. Otherwise, or if a session that
    was killed has left it, it is destroyed at the end, unless --stackcook-keep is given.
    """
    from stackcook.api.session import SessionCloud

    config = request.config
    used = config.stash[_SESSION] = SessionCloud(
        _manifest(config),
        _artifacts(config),
        keep=config.getoption("--stackcook-keep"),
        make_site=_stackcook_site,
    )
    with _one_line():
        cloud = used.start()
    yield cloud
    with _one_line():
        used.end(cloud)


@contextmanager
def _one_line() -> Iterator[None]:
    """Show an expected error as one line instead of a traceback."""
    from stackcook.errors import StackcookError

    try:
        yield
    except StackcookError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _manifest(config: pytest.Config) -> Path:
    given: str | None = config.getoption("--stackcook-manifest")
    return config.invocation_params.dir / given if given else config.rootpath / "infrastructure.yml"


def _artifacts(config: pytest.Config) -> Path:
    given: str | None = config.getoption("--stackcook-artifacts")
    if given:
        return config.invocation_params.dir / given
    cache = getattr(config, "cache", None)  # not there with `-p no:cacheprovider`
    return Path(cache.mkdir("stackcook")) if cache else config.rootpath / "stackcook-artifacts"


def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Write the bundle after the first failed test that uses the cloud, while it is there."""
    used = node.config.stash.get(_SESSION, None)
    if used and "openstack_cloud" in getattr(node, "fixturenames", ()):
        used.write_bundle()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the bundle is."""
    used = config.stash.get(_SESSION, None)
    for note in used.notes if used else ():
        terminalreporter.write_line(f"stackcook: {note}")
