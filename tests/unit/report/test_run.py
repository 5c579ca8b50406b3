"""What is told of a run: stages, causes, retries, what took long; what a killed one left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackcook.run.events import NodeSkipped, RunDone, RunStarted, StepDone, StepStarted
from stackcook.run.state import State
from stackcook.errors import ExitCode, NodeError
from stackcook.report import data as report_data, text
from stackcook.report.run import causes
from tests.ran import FakeCloud, took


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return FakeCloud(tmp_path)


def test_a_run_is_told_by_stages_and_nodes(cloud: FakeCloud) -> None:
    cloud.chef.failing.add("compute2")
    assert cloud.deploy() is ExitCode.WITHIN_BUDGET
    report = cloud.report()
    assert [stage.name for stage in report.stages] == ["single-controller", "single-compute"]
    assert [node.name for node in report.nodes] == [
        *("controller", "compute1", "compute2", "compute3"),
    ]
    assert [node.result for node in report.nodes] == ["done", "done", "failed", "done"]
    steps = [step.step for step in report.nodes[1].steps]
    assert steps == ["reach", "preflight", "install", "register", "prepare", "converge"]
    assert report.stages[0].gate is None and report.stages[1].gate is not None
    assert report.chef == ("18.10.17",)
    shown = text.render(report).plain
    assert shown.startswith(
        "deploy of fake: done, except for failed nodes within the failure budget (exit 8), "
    )
    assert "3 nodes in" in shown and "2 done, 1 failed, gate" in shown


def test_a_failure_has_chef_s_resource_its_place_the_message_and_the_log(cloud: FakeCloud) -> None:
    cloud.chef.failing.add("compute2")
    cloud.deploy()
    (failure,) = cloud.report().failures
    assert failure.step.text == (
        "compute2: Error executing action `run` on resource 'execute[boom]'"
        " (trivial/recipes/broken.rb:1): it is broken; see its log"
    )
    assert "=====" in failure.lines[0]
    assert any("Mixlib::ShellOut::ShellCommandFailed" in line for line in failure.lines)
    log = cloud.manifest.state / "logs" / "compute2.log"
    assert f"    log: {log}" in text.render(cloud.report()).plain.splitlines()


def test_the_same_failure_on_many_nodes_is_told_once(tmp_path: Path) -> None:
    cloud = FakeCloud(tmp_path, computes=12)
    for number in range(1, 12):
        name = f"compute{number}"
        error = NodeError(f"10.0.115.{number} refused {name}-x and {name}", where=name)
        cloud.chef.broken[name] = error
    cloud.chef.broken["compute3"] = NodeError("something else", where="compute3")
    cloud.deploy()
    groups = {cause.error: cause for cause in causes(cloud.report().failures)}
    assert len(groups) == 2 + 9  # NAME-x isn't the node's name
    for number in range(1, 12):
        name = f"compute{number}"
        cloud.chef.broken[name] = NodeError(f"10.0.115.{number} refused {name}", where=name)
    cloud.deploy()
    (cause,) = causes(cloud.report().failures)
    assert len(cause.failures) == 11
    assert cause.nodes.endswith(" and 3 more nodes")
    assert text.render(cloud.report()).plain.count("refused") == 1


def test_what_was_tried_again_says_so(cloud: FakeCloud) -> None:
    cloud.chef.transient["compute1"] = 2
    assert cloud.deploy() is ExitCode.DONE
    report = cloud.report()
    tries = [(step.attempt, step.result) for step in report.nodes[1].steps][-3:]
    assert tries == [(1, "retried"), (2, "retried"), (3, "done")]
    assert not report.failures
    assert "retried: compute1" in text.render(report).plain


def test_slow_resources_are_compared_with_the_last_run_that_had_them(cloud: FakeCloud) -> None:
    cloud.chef.times = {
        "compute1": (took("package[nova]", 10), took("file[/a]", 1)),
        "compute2": (took("package[nova]", 14),),
    }
    cloud.deploy()
    cloud.chef.times = {}
    cloud.deploy()
    cloud.chef.times = {
        "compute1": (took("package[nova]", 4),),
        "compute3": (took("service[nova]", 2, "nova::service"),),
    }
    cloud.deploy()
    report = cloud.report()
    found = [(s.spent.name, s.spent.mean, s.difference) for s in report.resources]
    assert found == [("package[nova]", 4, -8), ("service[nova]", 2, None)]
    recipes = [(s.spent.recipe, s.spent.seconds, s.difference) for s in report.recipes]
    assert recipes == [("nova::compute", 4, -8.5), ("nova::service", 2, None)]
    shown = text.render(report).plain
    assert "       4.0 s    -8.0 s  package[nova]  nova::compute  (1 node)" in shown
    assert "       2.0 s            service[nova]  nova::service  (1 node)" in shown


def test_a_resource_s_mean_and_worst_are_over_all_nodes(cloud: FakeCloud) -> None:
    cloud.chef.times = {f"compute{n}": (took("package[nova]", 10 + n),) for n in (1, 2, 3)}
    cloud.deploy()
    (slow,) = cloud.report().resources
    assert (slow.spent.nodes, slow.spent.seconds, slow.spent.mean) == (3, 36, 12)
    assert (slow.spent.most, slow.spent.slowest, slow.spent.updated) == (13, "compute3", 3)


def test_a_killed_run_says_so_and_what_it_was_at(cloud: FakeCloud) -> None:
    names = ("controller", "compute1", "compute2")
    with State(cloud.manifest.state) as state:
        state(RunStarted("deploy", 100.0, names))
        for name in names:
            state(StepStarted("reach", 101.0, name, "all"))
            state(StepDone("reach", 102.0, 1.0, name))
        state(StepStarted("converge", 102.0, "compute1", "all"))
        state(StepStarted("converge", 102.0, "compute2", "all"))
        state(StepDone("converge", 110.0, 8.0, "compute2", "3/4 resources updated", 3, 4))
    report = cloud.report()
    assert text.title(report) == "deploy of fake: killed, 10 s"
    assert {node.name: node.result for node in report.nodes} == {
        "compute1": "interrupted",
        "compute2": "done",
        "controller": "interrupted",
    }
    running = cloud.report(under_way=True)
    assert text.title(running).startswith("deploy of fake: running, ")
    assert [node.result for node in running.nodes] == ["running", "done", "waiting"]


def test_what_the_second_ctrl_c_broke_off_is_not_done(cloud: FakeCloud) -> None:
    with State(cloud.manifest.state) as state:
        state(RunStarted("deploy", 100.0, ("compute1", "compute2")))
        for name in ("compute1", "compute2"):
            state(StepStarted("install", 101.0, name, "all"))
        state(StepDone("install", 102.0, 1.0, "compute1"))
        state(RunDone("deploy", 103.0, 3.0, ExitCode.INTERRUPTED))
    assert [node.result for node in cloud.report().nodes] == ["interrupted", "interrupted"]


def test_nodes_whose_turn_never_came_are_skipped_and_say_why(cloud: FakeCloud) -> None:
    with State(cloud.manifest.state) as state:
        state(RunStarted("deploy", 100.0, ("compute1",)))
        state(NodeSkipped("compute1", 101.0, "3 of role[x] failed, 2 may", "single-compute"))
        state(RunDone("deploy", 102.0, 2.0, ExitCode.NODES))
    (node,) = cloud.report().nodes
    assert (node.stage, node.result, node.why) == (
        *("single-compute", "skipped", "3 of role[x] failed, 2 may"),
    )


def test_json_has_the_keys_that_programs_rely_on(cloud: FakeCloud) -> None:
    cloud.chef.failing.add("compute2")
    cloud.chef.times["compute1"] = (took("package[nova]", 10),)
    cloud.deploy()
    data = json.loads(json.dumps(report_data.run_data(cloud.report())))
    assert list(data) == [
        *("cloud", "run", "steps", "zones", "stages", "nodes", "failures", "slow", "versions"),
    ]
    assert list(data["run"]) == [
        *("id", "command", "who", "deploy", "manifest", "started", "ended", "seconds"),
        *("exit_code", "ending"),
    ]
    assert list(data["stages"][1]) == ["name", "at", "seconds", "gate", "nodes", "results"]
    assert data["stages"][1]["results"] == {"done": 2, "failed": 1}
    assert list(data["nodes"][0]) == ["node", "stage", "result", "why", "seconds", "steps"]
    assert list(data["nodes"][0]["steps"][0]) == [
        *("step", "stage", "attempt", "result", "at", "seconds", "text", "updated", "total"),
    ]
    assert list(data["failures"][0]) == [
        *("node", "stage", "step", "attempt", "seconds", "error", "log", "lines"),
    ]
    assert list(data["slow"]["resources"][0]) == [
        *("name", "recipe", "nodes", "seconds", "mean", "most", "slowest", "updated"),
        *("mean_before", "difference"),
    ]
    assert data["versions"]["chef"] == ["18.10.17"]
