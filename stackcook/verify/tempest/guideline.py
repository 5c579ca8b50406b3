"""OpenInfra's interoperability guidelines: the tests they name, and what the results mean. Pure.

A guideline has components (``os_powered_compute``), which require capabilities, which have tests. A
flagged test need not pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.errors import UsageError
from stackcook.verify.tempest.results import FAILED, NOT_RUN, PASSED, SKIPPED, Outcome, Result
from stackcook.verify.tempest.selection import Listed, uuid


@dataclass(frozen=True)
class Wanted:
    """A test that a guideline names. ``names`` are its name and its former ones."""

    names: tuple[str, ...]
    id: str
    flagged: bool = False


@dataclass(frozen=True)
class Capability:
    """Something that a cloud must be able to do; ``project`` is OpenStack's, such as ``nova``."""

    name: str
    project: str
    tests: tuple[Wanted, ...]


@dataclass(frozen=True)
class Component:
    """A set of required capabilities; ``title`` is what it is called, such as
    ``OpenStack Powered Compute``."""

    name: str
    title: str
    capabilities: tuple[Capability, ...]


@dataclass(frozen=True)
class Guideline:
    """A guideline, the components with most capabilities last."""

    id: str
    components: tuple[Component, ...]

    def tests(self) -> tuple[Wanted, ...]:
        """All tests that required capabilities name."""
        return tuple(
            test
            for component in self.components
            for capability in component.capabilities
            for test in capability.tests
        )


def load(path: Path) -> Guideline:
    """Read a guideline of schema 2; raises UsageError."""
    try:
        return parse(json.loads(path.read_text()))
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"is not an interoperability guideline ({type(error).__name__}: {error})",
            where=str(path),
            remedy="use a file of https://opendev.org/openinfra/interop, such as 2020.06.json",
        ) from error


def parse(document: Mapping[str, Any]) -> Guideline:
    """The guideline of a document; raises KeyError, TypeError or AttributeError if it is none."""
    titles = {}
    for title, platform in (document.get("platforms") or document.get("add-ons") or {}).items():
        if len(platform["components"]) == 1:
            titles[platform["components"][0]["name"]] = title
    components = [
        Component(
            name,
            titles.get(name, name),
            tuple(
                _capability(each, document["capabilities"][each])
                for each in component["capabilities"]["required"]
            ),
        )
        for name, component in document["components"].items()
    ]
    components.sort(key=lambda component: len(component.capabilities))
    return Guideline(str(document["metadata"]["id"]), tuple(components))


def _capability(name: str, said: Mapping[str, Any]) -> Capability:
    tests = (
        Wanted(
            (test, *about.get("aliases", ())),
            uuid(about["idempotent_id"]),
            bool(about.get("flagged")),
        )
        for test, about in said["tests"].items()
    )
    return Capability(name, str(said.get("project", "")), tuple(tests))


def match(wanted: Iterable[Wanted], tests: Iterable[Listed]) -> dict[str, Listed]:
    """The test that Tempest has for each ID, by ID; an ID for which it has none is left out.

    Several tests may have one ID, as subclasses inherit them (for IPv6, for instance): the one
    whose name the guideline gives counts. If a test has moved to another class, that is the one
    with the shortest name: those of subclasses are longer.
    """
    by_id: dict[str, list[Listed]] = {}
    for test in tests:
        by_id.setdefault(test.id, []).append(test)
    found = {}
    for each in wanted:
        same = by_id.get(each.id, [])
        named = [test for test in same if test.name in each.names]
        if same:
            found[each.id] = named[0] if named else min(same, key=lambda test: len(test.name))
    return found


@dataclass(frozen=True)
class Verdict:
    """Whether the cloud has a capability, why not, and the results of its tests."""

    capability: Capability
    status: str
    why: str
    results: tuple[tuple[Wanted, Result], ...]

    def count(self, status: str) -> int:
        """How many of the tests have this status."""
        return sum(result.status == status for _, result in self.results)


def judged(
    component: Component, tests: Mapping[str, Listed], outcome: Outcome
) -> tuple[Verdict, ...]:
    """A verdict on each capability of a component; ``tests`` are those of :func:`match`.

    It passed if all tests passed that are not flagged, and at least one test passed at all.
    """
    return tuple(_verdict(each, tests, outcome) for each in component.capabilities)


def _verdict(capability: Capability, tests: Mapping[str, Listed], outcome: Outcome) -> Verdict:
    results = []
    for wanted in capability.tests:
        test = tests.get(wanted.id)
        if test:
            result = outcome.of(test)
        else:
            result = Result(wanted.names[0], NOT_RUN, "this Tempest no longer has the test")
        results.append((wanted, result))
    needed = [result for wanted, result in results if not wanted.flagged]
    for status in (FAILED, SKIPPED, NOT_RUN):
        if reasons := _reasons(result for result in needed if result.status == status):
            return Verdict(capability, status, reasons, tuple(results))
    optional = [result for wanted, result in results if result.status != PASSED]
    if len(optional) == len(results):  # all of them are flagged
        why = f"{_reasons(optional)} (its tests are flagged in the guideline)"
        return Verdict(capability, optional[0].status, why, tuple(results))
    why = f"flagged tests did not pass: {_reasons(optional)}" if optional else ""
    return Verdict(capability, PASSED, why, tuple(results))


def _reasons(results: Iterable[Result]) -> str:
    """Each distinct reason once."""
    return "; ".join(dict.fromkeys(result.why or result.status for result in results))


def score(component: Component, verdicts: Sequence[Verdict]) -> str:
    """``OpenStack Powered Compute: 55 of 60``."""
    passed = sum(verdict.status == PASSED for verdict in verdicts)
    return f"{component.title}: {passed} of {len(verdicts)}"
