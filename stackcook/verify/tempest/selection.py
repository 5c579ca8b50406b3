"""Which of Tempest's tests to run: the smoke tests, or those of a regular expression. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackcook.errors import UsageError

SMOKE = "smoke"
_REMEDY = f"use `{SMOKE}`, or a regular expression such as tempest.api.network"

_LINE = re.compile(r"^(?P<name>[\w.]+\.\w+(?:\([^)]*\))?)(?:\[(?P<tags>[^]]*)\])?$")


@dataclass(frozen=True)
class Listed:
    """A test as ``tempest run --list-tests`` prints it: its name, and tags such as ``smoke``.

    ``id`` is its idempotent ID, a UUID; ``""`` if it has none.
    """

    line: str
    name: str
    tags: frozenset[str] = frozenset()
    id: str = ""

    @property
    def owner(self) -> str:
        """The class that the test belongs to."""
        return self.name.rpartition(".")[0]


def listed(output: str) -> tuple[Listed, ...]:
    """The tests in the output of ``tempest run --list-tests``; other lines are ignored."""
    return tuple(test for line in output.splitlines() if (test := parsed(line.strip())))


def parsed(line: str) -> Listed | None:
    """The test of a line such as ``tempest.api.X.test_y[id-UUID,smoke]``."""
    match = _LINE.match(line)
    if not match:
        return None
    tags = frozenset(filter(None, (match["tags"] or "").split(",")))
    found = next((tag for tag in tags if tag.startswith("id-")), "")
    return Listed(line, match["name"], tags, uuid(found))


def uuid(text: str) -> str:
    """An ID without its prefix: guidelines write it as ``id-UUID`` or ``UUID``."""
    return text.removeprefix("id-")


def chosen(tests: Iterable[Listed], what: str) -> tuple[Listed, ...]:
    """The tests with the tag ``smoke``, or those whose line the regular expression matches.

    Raises UsageError if it is no regular expression, or matches no test.
    """
    tests = tuple(tests)
    if what == SMOKE:
        found = tuple(test for test in tests if SMOKE in test.tags)
    else:
        expression = pattern(what)
        found = tuple(test for test in tests if expression.search(test.line))
    if not found:
        raise UsageError(
            f"Tempest has {len(tests):,} tests, but none that matches {what!r}",
            where="--tempest",
            remedy=_REMEDY,
        )
    return found


def pattern(what: str) -> re.Pattern[str]:
    """The regular expression; raises UsageError."""
    try:
        return re.compile(what)
    except re.error as error:
        raise UsageError(
            f"{what!r} is not a valid regular expression ({error})",
            where="--tempest",
            remedy=_REMEDY,
        ) from error
