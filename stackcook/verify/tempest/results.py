"""The results of Tempest's tests, as they come in. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stackcook.verify.tempest.selection import Listed, parsed

PASSED, FAILED, SKIPPED, NOT_RUN = "passed", "failed", "skipped", "not run"

_STATUS = {
    "success": PASSED,
    "xfail": PASSED,
    "skip": SKIPPED,
    "fail": FAILED,
    "uxsuccess": FAILED,
    "inprogress": FAILED,
}
_FIXTURE = re.compile(r"^(?P<step>setUpClass|tearDownClass|setUpModule) \((?P<owner>[\w.]+)\)$")
_LENGTH = 300


@dataclass(frozen=True)
class Result:
    """How a test ended. ``began`` and ``ended`` are seconds since the epoch, by the node's clock.

    ``why`` is the reason of a skip, or the exception in a failure's ``traceback``. The name is that
    of a class in parentheses where its fixture failed or was skipped: ``setUpClass (CLASS)``.
    """

    name: str
    status: str
    why: str = ""
    began: float = 0.0
    ended: float = 0.0
    traceback: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, self.ended - self.began)


def read(line: str) -> Result | None:
    """The result that ``stream.py`` printed as a line of JSON; None if it is something else."""
    if not line.startswith('{"id": '):
        return None
    try:
        said = json.loads(line)
        status = _STATUS.get(said["status"])
        began, ended = float(said["began"]), float(said["ended"])
        name, reason = str(said["id"]), str(said["reason"])
        tracebacks = [str(each) for each in said["tracebacks"]]
    except (ValueError, KeyError, TypeError):
        return None
    if status is None:
        return None
    if said["status"] == "inprogress":
        reason = "it did not end: Tempest was stopped, or its worker died"
    # The first is the test's own; others are of what it could not clean up.
    why = " ".join((reason or _last(tracebacks[0] if tracebacks else "")).split())[:_LENGTH]
    test = parsed(name)
    return Result(test.name if test else name, status, why, began, ended, "\n".join(tracebacks))


def _last(traceback: str) -> str:
    """What a traceback says after its last indented line: the exception."""
    lines = traceback.rstrip().splitlines()
    indented = [number for number, line in enumerate(lines) if line.startswith("  ")]
    return " ".join(lines[indented[-1] + 1 if indented else 0 :])


@dataclass
class Outcome:
    """What is known of the chosen tests: the results so far."""

    tests: tuple[Listed, ...]
    results: dict[str, Result] = field(default_factory=dict)
    """By name."""

    def take(self, result: Result) -> None:
        """Add a result."""
        self.results[result.name] = result

    @property
    def done(self) -> int:
        """How many of the chosen tests have a result of their own or of their class."""
        fixtures = self._fixtures()
        return sum(
            test.name in self.results or ("setUpClass", test.owner) in fixtures
            for test in self.tests
        )

    def of(self, test: Listed) -> Result:
        """The result of a test: its own, or why its class could not be set up."""
        if own := self.results.get(test.name):
            return own
        for step in ("setUpClass", "setUpModule"):
            if found := self._fixtures().get((step, test.owner)):
                return Result(test.name, found.status, found.why, found.began, found.ended)
        return Result(test.name, NOT_RUN, "Tempest has no result of it")

    def all(self) -> tuple[Result, ...]:
        """A result for each chosen test in their order, then fixtures that failed by themselves.

        A failed ``setUpClass`` is the result of its tests; a failed ``tearDownClass`` stands alone.
        """
        own = tuple(self.of(test) for test in self.tests)
        covered = {("setUpClass", test.owner) for test in self.tests}
        others = (
            found
            for key, found in self._fixtures().items()
            if found.status == FAILED and key not in covered
        )
        return (*own, *others)

    def failed(self) -> tuple[Result, ...]:
        """What failed, a class whose ``setUpClass`` failed only once."""
        return tuple(result for result in self.results.values() if result.status == FAILED)

    def _fixtures(self) -> Mapping[tuple[str, str], Result]:
        found = {}
        for name, result in self.results.items():
            if match := _FIXTURE.match(name):
                found[match["step"], match["owner"]] = result
        return found


def left(done: int, total: int, seconds: float) -> float | None:
    """About how many seconds the rest takes, by the speed so far; None if it is too early."""
    if done < 3 or seconds <= 0:
        return None
    return seconds / done * (total - done)


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many passed, failed, were skipped and not run."""
    found = {PASSED: 0, FAILED: 0, SKIPPED: 0, NOT_RUN: 0}
    for result in results:
        found[result.status] += 1
    return found
