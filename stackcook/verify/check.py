"""The result of a check, the report of all of them, and how long to wait for a good result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from stackcook.errors import VerifyError
from stackcook.verify.placing import Placed, running

T = TypeVar("T")

INSTANCE = 180.0
"""Seconds that an instance may take to boot and run its user data, at least."""


@dataclass(frozen=True)
class Check:
    """One check and its result; ``node`` is empty for checks of the whole cloud, or ``zone``.

    ``cause`` and ``remedy`` are for failures. ``unit`` is the systemd unit to blame, if there is
    one. ``seconds`` is how long the check took.
    """

    name: str
    node: str
    ok: bool
    cause: str = ""
    remedy: str = ""
    seconds: float = 0.0
    unit: str = ""
    zone: str = ""

    def __str__(self) -> str:
        """One line: what, where, and for a failure cause and remedy."""
        where = f" on {self.node}" if self.node else f" in {self.zone}" if self.zone else ""
        line = f"{self.name}{where}"
        for text, mark in ((self.cause, ": "), (self.remedy, "; ")):
            line += mark + text if text else ""
        return line


Checks = tuple[Check, ...]


@dataclass(frozen=True)
class Report:
    """All checks of one verification, in the manifest's order of nodes; the cloud's own first.

    ``notes`` say in a line each what was not checked and why, and what instances have shown.
    ``screenshots`` are of Horizon, as PNG files.
    """

    checks: Checks
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    screenshots: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are checks, and all of them passed."""
        return bool(self.checks) and not self.failures

    @property
    def failures(self) -> Checks:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.ok)

    def by_node(self) -> dict[str, Checks]:
        """The checks of each node, and by the zone's name, or ``""``, those of a whole cloud."""
        found: dict[str, list[Check]] = {}
        for check in self.checks:
            found.setdefault(check.node or check.zone, []).append(check)
        return {name: tuple(checks) for name, checks in found.items()}

    def of_zone(self, zone: str) -> Report:
        """The report with the zone in its checks."""
        return replace(self, checks=tuple(replace(check, zone=zone) for check in self.checks))

    @classmethod
    def of_all(cls, zones: Mapping[str, Report]) -> Report:
        """One report of all zones, which were verified at the same time."""
        reports = tuple(zones.values())
        return cls(
            tuple(check for each in reports for check in each.checks),
            max(each.seconds for each in reports),
            tuple(f"{zone}: {note}" for zone, each in zones.items() for note in each.notes),
            tuple(path for each in reports for path in each.screenshots),
        )

    def data(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "checks": [asdict(check) for check in self.checks],
            "notes": list(self.notes),
            "screenshots": [str(path) for path in self.screenshots],
        }


def poll(
    deadline: float,
    look: Callable[[], T],
    good: Callable[[T], bool],
    pause: Callable[[float], object] | None = None,
    every: float = 1.0,
) -> T:
    """What ``look`` returns, as soon as it is ``good``; at the deadline, whatever it is.

    ``deadline`` is a time of :func:`time.monotonic`; ``pause`` is called between two looks with the
    seconds to wait, instead of :func:`time.sleep`: ``every``, or as long as the look has taken,
    because looks that keep a slow cloud busy would keep it from becoming good.
    """
    while True:
        began = time.monotonic()
        found = look()
        ended = time.monotonic()
        left = deadline - ended
        if good(found) or left <= 0:
            return found
        (pause or time.sleep)(min(max(every, ended - began), left))


def until_good(
    deadline: float,
    look: Callable[[], Checks],
    pause: Callable[[float], object] | None = None,
) -> Checks:
    """The checks that ``look`` makes, as soon as all are good; otherwise see :func:`poll`."""

    def good(found: Checks) -> bool:
        return all(check.ok for check in found)

    return poll(deadline, look, good, pause)


def timed(name: str, node: str, unit: str, look: Callable[[], object]) -> Check:
    """The check that ``look`` makes: it fails by raising VerifyError.

    Without a remedy of its own, it gets one by :meth:`services.Sessions.explained`.
    """
    began = time.monotonic()
    try:
        look()
    except VerifyError as error:
        spent = time.monotonic() - began
        return Check(name, node, False, error.what, error.remedy, spent, unit)
    return Check(name, node, True, seconds=time.monotonic() - began, unit=unit)


@contextmanager
def pointing_here() -> Iterator[None]:
    """For other commands: a VerifyError that does not say what to do leads to these checks."""
    try:
        yield
    except VerifyError as error:
        error.remedy = error.remedy or "run `stackcook verify` to see which service fails"
        raise


def journal(node: str, unit: str) -> str:
    """The command that shows why a service does not run."""
    return f"read its log with `stackcook ssh {node} -- sudo journalctl -u {unit} -n 50`"


def log_of(node: Placed, unit: str) -> str:
    """The command that shows what a service says while it runs: its log file, if it has one."""
    service = node.service(unit)
    if service is None or not service.logs:
        return journal(node.name, unit)
    return f"read its log with `stackcook ssh {node.name} -- sudo tail -n 50 {service.logs[-1]}`"


def logs_of(nodes: Iterable[Placed], unit: str) -> str:
    """The command that shows the unit's log, and on which nodes; ``""`` if none of them runs it."""
    on = running(nodes, unit)
    if not on:
        return ""
    first, *others = on
    same = f", and the same on {', '.join(node.name for node in others)}" if others else ""
    return f"{log_of(first, unit)}{same}"


def ordered(checks: Iterable[Check], nodes: Iterable[str]) -> Checks:
    """The cloud's own checks first, then node by node as listed; failures before the rest.

    Otherwise they stay in their order.
    """
    rank = {name: number for number, name in enumerate(("", *nodes))}
    return tuple(sorted(checks, key=lambda c: (rank.get(c.node, len(rank)), c.ok)))
