"""What Tempest has shown: as text, as JSON, and as JUnit XML; for a guideline also as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from stackcook.errors import counted
from stackcook.report.format import columns, duration
from stackcook.report.junit import FAILURE, SKIP, Case, Suite, document
from stackcook.verify.tempest.guideline import Component, Verdict, score
from stackcook.verify.tempest.results import FAILED, NOT_RUN, PASSED, SKIPPED, Result
from stackcook.verify.tempest.run import TempestReport

_COLOURS = {PASSED: "green", FAILED: "bold red", SKIPPED: "yellow", NOT_RUN: "yellow"}
_WHY = 160


def render(report: TempestReport) -> Text:
    """Failures with their causes, why tests were skipped, notes, and a summary; then the tables."""
    text = Text()
    for result in report.results:
        if result.status == FAILED:
            text.append("✗ ", _COLOURS[FAILED])
            text.append(f"{result.name}: {result.why}\n")
            if cause := report.causes.get(result.name):
                text.append(f"    {cause}\n", "yellow")
    for line in skips(report.results):
        text.append(f"{line}\n")
    for note in report.notes:
        text.append(f"{note}\n", "yellow")
    if report.directory:
        text.append(f"results: {report.directory}\n", "dim")
    text.append(summary(report))
    for component, verdicts in report.judged:
        text.append("\n\n")
        text.append(table(component, verdicts))
    return text


def summary(report: TempestReport) -> str:
    """The counts in one line."""
    said = ", ".join(f"{number} {status}" for status, number in report.counts.items() if number)
    number = counted(len(report.results), "test")
    return f"Tempest {report.what}: {number} in {duration(report.seconds)}: {said}"


def skips(results: Sequence[Result]) -> Iterator[str]:
    """Each reason for a skip once, with the number of tests."""
    reasons: dict[tuple[str, str], int] = {}
    for result in results:
        if result.status in (SKIPPED, NOT_RUN):
            key = result.status, result.why
            reasons[key] = reasons.get(key, 0) + 1
    for (status, why), number in sorted(reasons.items(), key=lambda item: -item[1]):
        yield f"{number} {status}: {why}"


def table(component: Component, verdicts: Sequence[Verdict]) -> Text:
    """A line for each capability; the last line is the score."""
    rows: list[tuple[str, ...]] = [("capability", "result", "passed", "failed", "skipped", "why")]
    for verdict in verdicts:
        skipped = verdict.count(SKIPPED) + verdict.count(NOT_RUN)
        numbers = (verdict.count(PASSED), verdict.count(FAILED), skipped)
        why = verdict.why if len(verdict.why) <= _WHY else f"{verdict.why[:_WHY]}…"
        rows.append((verdict.capability.name, verdict.status, *map(str, numbers), why))
    return Text(f"{columns(rows)}\n{score(component, verdicts)}")


def data(report: TempestReport, cloud: str) -> dict[str, Any]:
    """The report about the cloud of that name, as JSON holds it."""
    return {
        "cloud": cloud,
        "ok": report.ok,
        "seconds": round(report.seconds, 1),
        "tempest": report.what,
        "workers": report.workers,
        "counts": {status.replace(" ", "_"): n for status, n in report.counts.items()},
        "directory": str(report.directory) if report.directory else None,
        "tests": [_test(result, report.causes.get(result.name, "")) for result in report.results],
        "components": [
            {
                "name": component.name,
                "title": component.title,
                "passed": sum(verdict.status == PASSED for verdict in verdicts),
                "capabilities": [
                    {
                        "name": verdict.capability.name,
                        "result": verdict.status,
                        "why": verdict.why,
                        "tests": {
                            wanted.names[0]: result.status for wanted, result in verdict.results
                        },
                    }
                    for verdict in verdicts
                ],
            }
            for component, verdicts in report.judged
        ],
        "notes": list(report.notes),
    }


def _test(result: Result, cause: str) -> dict[str, Any]:
    return {
        "name": result.name,
        "result": result.status,
        "seconds": round(result.seconds, 1),
        "why": result.why,
        "cause": cause,
    }


def junit(report: TempestReport, cloud: str) -> str:
    """The results as JUnit XML: one suite, a case for each test. ``cloud`` is the cloud's name."""
    name = f"tempest {report.what}"
    cases = [_case(result, report.causes.get(result.name, "")) for result in report.results]
    began = min((result.began for result in report.results if result.began), default=0.0)
    suite = Suite(name, cases, began)
    return document(name, [suite], report.seconds, cloud=cloud)


def _case(result: Result, cause: str) -> Case:
    owner, _, name = result.name.rpartition(".")
    outcome = {PASSED: "", FAILED: FAILURE}.get(result.status, SKIP)
    details = "\n".join(filter(None, (cause, result.traceback)))
    return Case(name, owner, outcome, result.why, details, result.seconds)
