"""Tempest's results as text, table, JSON and JUnit."""

from __future__ import annotations

from pathlib import Path

from stackcook.report import tempest
from tests.junit import clouds_of, validate
from stackcook.verify.tempest.guideline import Capability, Component, Verdict, Wanted
from stackcook.verify.tempest.results import FAILED, NOT_RUN, PASSED, SKIPPED, Result
from stackcook.verify.tempest.run import TempestReport

CREATE = Result("tempest.api.X.test_create", PASSED, began=10, ended=12)
DELETE = Result("tempest.api.X.test_delete", FAILED, "Conflict: in use", 12, 15, "Trace\x07back")
VOLUME = Result("tempest.api.V.test_attach", SKIPPED, "no Cinder")
VERDICTS = (
    Verdict(Capability("create", "nova", ()), PASSED, "", ((Wanted(("c",), "1"), CREATE),)),
    Verdict(
        Capability("delete", "nova", ()),
        FAILED,
        "Conflict: in use",
        ((Wanted(("d",), "2"), DELETE), (Wanted(("v",), "3"), VOLUME)),
    ),
)
COMPONENT = Component("compute", "OpenStack Powered Compute", tuple(v.capability for v in VERDICTS))
REPORT = TempestReport(
    "2026.01",
    (CREATE, DELETE, VOLUME),
    65.0,
    2,
    {DELETE.name: "nova-compute on compute1: 10:00:00 refused"},
    ((COMPONENT, VERDICTS),),
    Path("/state/tempest/now"),
    ("something was not removed",),
)


def test_text_shows_failures_with_causes_and_reasons_of_skips() -> None:
    assert tempest.render(REPORT).plain.splitlines() == [
        "✗ tempest.api.X.test_delete: Conflict: in use",
        "    nova-compute on compute1: 10:00:00 refused",
        "1 skipped: no Cinder",
        "something was not removed",
        "results: /state/tempest/now",
        "Tempest 2026.01: 3 tests in 1 min 05 s: 1 passed, 1 failed, 1 skipped",
        "",
        "capability  result  passed  failed  skipped  why",
        "create      passed  1       0       0",
        "delete      failed  0       1       1        Conflict: in use",
        "OpenStack Powered Compute: 1 of 2",
    ]


def test_json_has_tests_and_capabilities() -> None:
    data = tempest.data(REPORT, "ci-42")
    assert (data["cloud"], data["ok"]) == ("ci-42", False)
    assert data["counts"] == {"passed": 1, "failed": 1, "skipped": 1, "not_run": 0}
    assert data["tests"][1]["cause"] == "nova-compute on compute1: 10:00:00 refused"
    assert data["components"][0]["capabilities"][1]["tests"] == {"d": FAILED, "v": SKIPPED}


def test_junit_has_a_case_for_each_test() -> None:
    root = validate(tempest.junit(REPORT, "ci-42"))
    (suite,) = root
    assert root.get("name", "").endswith(" of ci-42") and clouds_of(root) == {"ci-42"}
    assert root.get("time") == "65.000" and suite.get("timestamp") == "1970-01-01T00:00:10"
    totals = {name: suite.get(name) for name in ("tests", "failures", "skipped")}
    assert totals == {"tests": "3", "failures": "1", "skipped": "1"}
    passed, failed, skipped = suite.findall("testcase")
    assert (passed.get("classname"), passed.get("name")) == ("tempest.api.X", "test_create")
    assert passed.get("time") == "2.000" and len(passed) == 0
    assert failed.findtext("failure", "").splitlines()[-1] == "Trace?back"
    assert [element.get("message") for element in skipped] == ["no Cinder"]


def test_what_was_not_run_is_no_success() -> None:
    missing = Result("tempest.api.X.test_y", NOT_RUN, "Tempest has no result of it")
    assert TempestReport("smoke", (CREATE,), 1.0, 1).ok
    assert not TempestReport("smoke", (CREATE, missing), 1.0, 1).ok
    assert not TempestReport("smoke", (VOLUME,), 1.0, 1).ok
