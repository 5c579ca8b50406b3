"""A run as JUnit XML, for CI: a suite for each stage, a case for each step of a node.

Valid by the schema that Ant, Maven and Jenkins share.
"""

from __future__ import annotations

import re
import socket
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterable, Mapping

from stackcook.errors import counted
from stackcook.run.record import StepState
from stackcook.report.run import Failure, RunReport, seconds

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot contain, not even escaped."""

_ALL = "all nodes"


def render(report: RunReport, hostname: str | None = None) -> str:
    """The document; ``hostname`` is this machine's by default."""
    host = hostname or socket.gethostname()
    failures = {id(failure.step): failure for failure in report.failures}
    root = xml.Element("testsuites", name=clean(f"stackcook {report.run.command}"))
    suites = [_suite(0, _ALL, report.whole, failures, report.run.started, host)]
    for number, stage in enumerate(report.stages, 1):
        steps = [step for node in stage.nodes for step in node.steps]
        name = stage.name or "unknown"
        suites.append(_suite(number, name, steps, failures, stage.started, host))
    root.extend(suites)
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in suites)))
    root.set("time", f"{max(0.0, report.ended - report.run.started):.3f}")
    return document(root)


def document(root: xml.Element) -> str:
    """The text of a document, indented."""
    xml.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(root, encoding="unicode")}\n'


def _suite(
    number: int,
    name: str,
    steps: Iterable[StepState],
    failures: Mapping[int, Failure],
    started: float,
    host: str,
) -> xml.Element:
    steps = tuple(steps)
    last = [step for step in steps if step.result != "retried"]
    cases = [_case(name, step, failures.get(id(step))) for step in last]
    suite = xml.Element(
        "testsuite",
        name=clean(name),
        package="stackcook",
        id=str(number),
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started)),
        hostname=clean(host),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=f"{sum(map(seconds, last)):.3f}",
    )
    xml.SubElement(suite, "properties")
    suite.extend(cases)
    xml.SubElement(suite, "system-out").text = clean("\n".join(_retries(steps)))
    xml.SubElement(suite, "system-err")
    return suite


def _case(suite: str, step: StepState, failure: Failure | None) -> xml.Element:
    name = step.step
    if step.step == "gate" and not step.node:
        name = f"gate {step.stage}"
    case = xml.Element(
        "testcase",
        name=clean(name),
        classname=clean(f"{suite}.{step.node}" if step.node else suite),
        time=f"{seconds(step):.3f}",
    )
    if step.result == "skipped":
        xml.SubElement(case, "skipped", message=clean(step.text))
    elif step.result == "failed":
        bad = xml.SubElement(case, "failure", message=clean(step.text), type=clean(name))
        bad.text = clean("\n".join(_details(step, failure)))
    elif step.result != "done":
        xml.SubElement(case, "error", message=step.result, type=step.result)
    return case


def _details(step: StepState, failure: Failure | None) -> Iterable[str]:
    yield step.text
    if step.attempt > 1:
        yield f"attempt {step.attempt}"
    if failure and failure.log:
        yield f"log: {failure.log}"
        yield from failure.lines


def _retries(steps: Iterable[StepState]) -> Iterable[str]:
    tries = [step for step in steps if step.result == "retried"]
    if tries:
        yield f"{counted(len(tries), 'step')} retried"
    yield from (f"{s.node}: {s.step}, attempt {s.attempt}: {s.text}" for s in tries)


def clean(text: str) -> str:
    """The text without characters that XML cannot contain."""
    return _FORBIDDEN.sub("?", text)
