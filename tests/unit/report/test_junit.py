"""JUnit's XML: held to the schema that its readers share, and what CI shows of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from stackcook.errors import NodeError
from stackcook.report import junit
from tests.ran import FakeCloud

SUITE = {
    "name": ".+",
    "package": ".+",
    "id": r"\d+",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "hostname": ".+",
    "time": r"\d+\.\d+",
    **dict.fromkeys(("tests", "failures", "errors", "skipped"), r"\d+"),
}
CHILDREN = r"properties( testcase)* system-out system-err"
CASE = {"name": ".+", "classname": ".+", "time": r"\d+\.\d+"}
OUTCOMES = {"failure": {"message", "type"}, "error": {"message", "type"}, "skipped": {"message"}}


def hold(element: xml.Element, wanted: dict[str, str]) -> None:
    """Each attribute that there must be, and no other."""
    assert set(element.attrib) == set(wanted)
    for name, pattern in wanted.items():
        assert re.fullmatch(pattern, element.attrib[name], re.DOTALL), (name, element.attrib)


def validate(text: str) -> xml.Element:
    """The document's root, once it is what Ant's, Maven's and Jenkins' readers take."""
    root = xml.fromstring(text.encode())
    assert root.tag == "testsuites"
    assert {child.tag for child in root} == {"testsuite"}
    assert [suite.get("id") for suite in root] == [str(n) for n in range(len(root))]
    for suite in root:
        hold(suite, SUITE)
        assert re.fullmatch(CHILDREN, " ".join(child.tag for child in suite))
        for case in suite.iter("testcase"):
            hold(case, CASE)
            assert len(case) <= 1
            for outcome in case:
                assert set(outcome.attrib) == OUTCOMES[outcome.tag]
        for tag, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.attrib[total]) == len([*suite.iter(tag)])
        assert int(suite.attrib["tests"]) == len([*suite.iter("testcase")])
    for total in ("tests", "failures", "errors"):
        assert int(root.attrib[total]) == sum(int(suite.attrib[total]) for suite in root)
    return root


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return FakeCloud(tmp_path)


def test_a_suite_is_a_stage_and_a_case_a_step_of_a_node(cloud: FakeCloud) -> None:
    cloud.deploy()
    root = validate(junit.render(cloud.report()))
    assert [suite.get("name") for suite in root] == [
        *("all nodes", "single-controller", "single-compute"),
    ]
    assert [(case.get("classname"), case.get("name")) for case in root[1].iter("testcase")] == [
        ("single-controller.controller", "reach"),
        ("single-controller.controller", "preflight"),
        ("single-controller.controller", "install"),
        ("single-controller.controller", "register"),
        ("single-controller.controller", "prepare"),
        ("single-controller.controller", "converge"),
    ]
    names = [case.get("name") for case in root[0].iter("testcase")]
    assert "gate single-compute" in names and names[-1] == "verify"


def test_a_failure_says_why_and_ends_with_the_log(cloud: FakeCloud) -> None:
    cloud.chef.failing.add("compute2")
    cloud.chef.transient["compute1"] = 1
    cloud.deploy()
    root = validate(junit.render(cloud.report()))
    (failure,) = root.iter("failure")
    assert "execute[boom]' (trivial/recipes/broken.rb:1): it is broken" in failure.attrib["message"]
    assert failure.text and "ShellCommandFailed" in failure.text
    assert str(cloud.manifest.state / "logs" / "compute2.log") in failure.text
    assert root[2].findtext("system-out") == (
        "1 step retried\ncompute1: converge, attempt 1: compute1: the mirror is unreachable"
    )


def test_nodes_whose_turn_never_came_are_skipped(cloud: FakeCloud) -> None:
    cloud.chef.failing.add("controller")
    cloud.deploy()
    root = validate(junit.render(cloud.report()))
    skipped = [case for case in root[2].iter("testcase") if case.find("skipped") is not None]
    assert len(skipped) == 3
    (reason,) = {s.attrib["message"] for case in skipped for s in case}
    assert reason == "controller failed and has no failure budget"


@pytest.mark.parametrize("text", ["<&\"'>]]>", "\x00\x1b[31m\x0c", "\ud800", "\ufffe"])
def test_whatever_a_node_says_is_valid(cloud: FakeCloud, text: str) -> None:
    cloud.chef.broken["compute1"] = NodeError(f"a{text}b", where="compute1")
    cloud.chef.lines["compute1"] = [f"c{text}d"]
    cloud.deploy()
    (failure,) = validate(junit.render(cloud.report(), "a host")).iter("failure")
    assert failure.attrib["message"].startswith("compute1: a")
