"""JUnit XML, for CI: its suites and cases, and those of a run, of findings and of a verification.

Valid by the schema that Ant, Maven and Jenkins share.
"""

from __future__ import annotations

import re
import socket
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackcook.errors import Finding, Severity, counted
from stackcook.run.record import StepState
from stackcook.report.findings import RULES, rule_of
from stackcook.report.run import Failure, RunReport, seconds
from stackcook.verify.check import Check, Report

FAILURE, ERROR, SKIP = "failure", "error", "skipped"

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot contain, not even escaped."""

_ALL = "all nodes"


@dataclass(frozen=True)
class Case:
    """A test case. ``outcome``: FAILURE, ERROR, SKIP, or empty if it has passed.

    ``message`` says why in one line, ``details`` in many.
    """

    name: str
    owner: str
    outcome: str = ""
    message: str = ""
    details: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Suite:
    """A test suite; ``started`` is seconds since the epoch, ``output`` is a text for people."""

    name: str
    cases: Sequence[Case]
    started: float
    output: str = ""

    @property
    def seconds(self) -> float:
        """How long all cases took."""
        return sum(case.seconds for case in self.cases)


def document(
    name: str,
    suites: Sequence[Suite],
    seconds: float | None = None,
    hostname: str = "",
    *,
    cloud: str = "",
) -> str:
    """The document; by default with the seconds of its suites, and the name of this machine.

    The name of the ``cloud``, if it is known, is in the name of the document and a property of each
    suite. It is not in the names of suites and cases: of these, CI systems keep a history.
    """
    host = hostname or socket.gethostname()
    if seconds is None:
        seconds = sum(suite.seconds for suite in suites)
    root = xml.Element("testsuites", name=_clean(f"{name} of {cloud}" if cloud else name))
    root.extend(_suite(number, suite, host, cloud) for number, suite in enumerate(suites))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    root.set("time", f"{max(0.0, seconds):.3f}")
    xml.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(root, encoding="unicode")}\n'


def render(report: RunReport, hostname: str = "") -> str:
    """A run as a document: a suite for each stage, a case for each step of a node."""
    failures = {id(failure.step): failure for failure in report.failures}
    suites = [_of_steps(_ALL, report.whole, failures, report.run.started)]
    for stage in report.stages:
        steps = [step for node in stage.nodes for step in node.steps]
        suites.append(_of_steps(stage.name or "unknown", steps, failures, stage.started))
    took = report.ended - report.run.started
    name = f"stackcook {report.run.command}"
    return document(name, suites, took, hostname, cloud=report.cloud)


def of_findings(
    findings: Sequence[Finding], manifest: Path, *, strict: bool, checked: bool, cloud: str = ""
) -> str:
    """The findings of ``check`` as a document: a suite for each rule, a case for each finding.

    A rule without findings is one case, skipped unless the repository could be ``checked``.
    Warnings are skipped, or with ``strict`` failures.
    """
    suites = []
    for rule, text in RULES.items():
        mine = (each for each in findings if rule_of(each.path, manifest) == rule)
        cases = [_of_finding(rule, each, strict) for each in mine]
        passed = Case(text, f"check.{rule}")
        if not checked:
            passed = replace(passed, outcome=SKIP, message="the manifest could not be read")
        suites.append(Suite(rule, cases or [passed], time.time()))
    return document("stackcook check", suites, cloud=cloud)


def _of_finding(rule: str, finding: Finding, strict: bool) -> Case:
    place, _, message = str(finding).partition(f": {finding.severity.value}: ")
    fails = strict or finding.severity is Severity.ERROR
    outcome = FAILURE if fails else SKIP
    return Case(place, f"check.{rule}", outcome, message, "" if fails else str(finding))


def of_verification(report: Report, cloud: str) -> str:
    """The checks of ``verify`` as a document: a suite for each node, and one for the cloud.

    ``cloud`` is the cloud's name.
    """
    now = time.time()
    suites = [
        Suite(node or "cloud", [_of_check(check) for check in checks], now)
        for node, checks in report.by_node().items()
    ]
    return document("stackcook verify", suites, report.seconds, cloud=cloud)


def _of_check(check: Check) -> Case:
    owner = f"verify.{check.node or 'cloud'}"
    outcome = "" if check.ok else FAILURE
    return Case(check.name, owner, outcome, check.cause, check.remedy, check.seconds)


def _of_steps(
    name: str, steps: Sequence[StepState], failures: Mapping[int, Failure], started: float
) -> Suite:
    cases = [
        _of_step(name, step, failures.get(id(step))) for step in steps if step.result != "retried"
    ]
    return Suite(name, cases, started, "\n".join(_retries(steps)))


def _of_step(suite: str, step: StepState, failure: Failure | None) -> Case:
    name = step.step
    if step.step == "gate" and not step.node:
        name = f"gate {step.stage}"
    outcome, message, details = "", "", ""
    if step.result == "skipped":
        outcome, message = SKIP, step.text
    elif step.result == "failed":
        outcome, message, details = FAILURE, step.text, "\n".join(_details(step, failure))
    elif step.result != "done":
        outcome, message = ERROR, step.result
    owner = f"{suite}.{step.node}" if step.node else suite
    return Case(name, owner, outcome, message, details, seconds(step))


def _details(step: StepState, failure: Failure | None) -> Iterator[str]:
    yield step.text
    if step.attempt > 1:
        yield f"attempt {step.attempt}"
    if failure and failure.log:
        yield f"log: {failure.log}"
        yield from failure.lines


def _retries(steps: Iterable[StepState]) -> Iterator[str]:
    tries = [step for step in steps if step.result == "retried"]
    if tries:
        yield f"{counted(len(tries), 'step')} retried"
    yield from (f"{s.node}: {s.step}, attempt {s.attempt}: {s.text}" for s in tries)


def _suite(number: int, suite: Suite, host: str, cloud: str) -> xml.Element:
    outcomes = [case.outcome for case in suite.cases]
    element = xml.Element(
        "testsuite",
        name=_clean(suite.name),
        package="stackcook",
        id=str(number),
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(suite.started)),
        hostname=_clean(host),
        tests=str(len(outcomes)),
        failures=str(outcomes.count(FAILURE)),
        errors=str(outcomes.count(ERROR)),
        skipped=str(outcomes.count(SKIP)),
        time=f"{suite.seconds:.3f}",
    )
    properties = xml.SubElement(element, "properties")
    if cloud:
        xml.SubElement(properties, "property", name="cloud", value=_clean(cloud))
    element.extend(map(_case, suite.cases))
    xml.SubElement(element, "system-out").text = _clean(suite.output)
    xml.SubElement(element, "system-err")
    return element


def _case(case: Case) -> xml.Element:
    element = xml.Element(
        "testcase",
        name=_clean(case.name),
        classname=_clean(case.owner),
        time=f"{case.seconds:.3f}",
    )
    if case.outcome:
        found = xml.SubElement(element, case.outcome, message=_clean(case.message))
        if case.outcome != SKIP:
            found.set("type", _clean(case.name))
        found.text = _clean(case.details) or None
    return element


def _clean(text: str) -> str:
    """The text without characters that XML cannot contain."""
    return _FORBIDDEN.sub("?", text)
