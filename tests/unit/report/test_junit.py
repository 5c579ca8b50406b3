"""JUnit's XML: held to the schema that its readers share, and what CI shows of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.errors import NodeError
from stackcook.report import junit
from tests.junit import clouds_of, validate
from tests.ran import FakeCloud


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
    assert root.get("name") == "stackcook deploy of fake" and clouds_of(root) == {"fake"}


def test_a_cloud_whose_name_is_unknown_is_not_named(cloud: FakeCloud) -> None:
    cloud.deploy()
    root = validate(junit.render(replace(cloud.report(), cloud="")))
    assert root.get("name") == "stackcook deploy" and clouds_of(root) == {None}


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
