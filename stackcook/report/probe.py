"""The result of ``probe`` as text, JSON and JUnit XML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from stackcook.errors import counted, one_line
from stackcook.report.format import columns, duration, iso, when
from stackcook.report.junit import FAILURE, Case, Suite, document
from stackcook.verify.probe.run import Probed, Report

GAPS = 10
"""How many gaps are listed: the longest ones."""

_HEADING = ("API", "AVAILABLE", "LONGEST GAP", "P50", "P99", "PROBES", "FAILED", "LAST FAILURE")


def table(probed: Iterable[Probed]) -> Text:
    """A line for each API; those that are failing now are red."""
    probed = tuple(probed)
    heading, *lines = columns([_HEADING, *map(_row, probed)]).splitlines()
    text = Text(no_wrap=True, overflow="ellipsis").append(heading, "bold")
    for line, each in zip(lines, probed):
        text.append(f"\n{line}", "red" if each.samples.failing else "")
    return text


def _row(each: Probed) -> tuple[str, ...]:
    samples = each.samples
    return (
        each.name,
        _percent(samples.availability),
        duration(samples.longest_gap) if samples.probes else "-",
        *(_milliseconds(samples.latency(share)) for share in (0.5, 0.99)),
        str(samples.probes),
        str(samples.failed),
        one_line(samples.last_error),
    )


def _percent(share: float | None) -> str:
    """Rounded down: 100 % only without a failure."""
    return "-" if share is None else f"{math.floor(share * 10000) / 100:.2f} %"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def render(report: Report) -> Text:
    """The table, the longest gaps, notes and a summary; no newline at the end."""
    text = Text()
    text.append_text(table(report.probed))
    gaps = sorted(
        ((gap, each) for each in report.probed for gap in each.samples.gaps),
        key=lambda found: -found[0].seconds,
    )
    if gaps:
        some = "longest gaps" if len(gaps) > GAPS else "gaps"
        text.append(f"\n\n{some}", "bold")
    for gap, each in gaps[:GAPS]:
        text.append(f"\n  {each.name}, {when(report.at(gap.began))}, {duration(gap.seconds)}: ")
        text.append(one_line(gap.error))
    for note in report.notes:
        text.append(f"\n{note}")
    text.append(f"\n{summary(report)}", "bold")
    return text


def summary(report: Report) -> str:
    """The result in one line."""
    number = sum(each.samples.probes for each in report.probed)
    failed = sum(each.samples.failed for each in report.probed)
    text = f"{counted(number, 'probe')} of {counted(len(report.probed), 'API')} in "
    text += f"{duration(report.seconds)}: {failed or 'none'} failed"
    bad = ", ".join(each.name for each in report.probed if not report.is_good(each))
    if report.max_gap and (failed or bad):
        limit = duration(report.max_gap)
        text += f"; longer gaps than {limit}: {bad}" if bad else f"; no gap longer than {limit}"
    return text


def data(report: Report) -> dict[str, Any]:
    """The result as JSON holds it."""
    return {
        "ok": report.ok,
        "began": iso(report.began),
        "seconds": round(report.seconds, 1),
        "apis": [_data(report, each) for each in report.probed],
        "notes": list(report.notes),
    }


def _data(report: Report, each: Probed) -> dict[str, Any]:
    samples = each.samples
    return {
        "cloud": each.api.cloud,
        "api": each.api.name,
        "url": each.api.url,
        "ok": report.is_good(each),
        "probes": samples.probes,
        "failed": samples.failed,
        "availability": _rounded(samples.availability, 6),
        "longest_gap": round(samples.longest_gap, 3),
        "p50": _rounded(samples.latency(0.5), 4),
        "p99": _rounded(samples.latency(0.99), 4),
        "last_error": samples.last_error or None,
        "gaps": [
            {
                "began": iso(report.at(gap.began)),
                "seconds": round(gap.seconds, 3),
                "error": gap.error,
            }
            for gap in samples.gaps
        ],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def junit(report: Report) -> str:
    """The result as JUnit XML: a suite for each cloud, a case for each API.

    The time of a case is that of its requests.
    """
    clouds: dict[str, list[Case]] = {}
    for each in report.probed:
        clouds.setdefault(each.api.cloud, []).append(_case(report, each))
    suites = [Suite(cloud, cases, report.began) for cloud, cases in clouds.items()]
    return document("stackcook probe", suites, report.seconds)


def _case(report: Report, each: Probed) -> Case:
    samples = each.samples
    owner = f"probe.{each.api.cloud}"
    if report.is_good(each):
        return Case(each.api.name, owner, seconds=samples.requesting)
    longest = duration(samples.longest_gap)
    message = (
        f"{samples.failed} of {counted(samples.probes, 'probe')} failed, longest gap {longest}"
    )
    details = "\n".join(_gaps(report, each))
    return Case(each.api.name, owner, FAILURE, message, details, samples.requesting)


def _gaps(report: Report, each: Probed) -> Iterator[str]:
    for gap in each.samples.gaps:
        yield f"{when(report.at(gap.began))}, {duration(gap.seconds)}: {gap.error}"
    if each.samples.slowest > report.max_gap > 0:
        yield f"{duration(each.samples.slowest)}: a request was slow, but did not fail"
