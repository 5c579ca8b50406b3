"""The engine's order, what it tells, and what one failure does to the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.deploy.engine import Engine
from stackcook.deploy.events import (
    Event,
    NodeSkipped,
    RunDone,
    StepDone,
    StepFailed,
    StepProgress,
)
from stackcook.deploy.logs import path_of
from stackcook.errors import ChefServerError, ExitCode, Finding, InputError, MachineError
from stackcook.manifest.model import KnifeCommand, Manifest, Node
from stackcook.verify.check import Check
from tests.fakes import AT, FakeSite, recipe_error, two_stages

ALL_STEPS = [
    "check",
    "secrets",
    "network",
    "chef server",
    "up",
    "upload",
    "bootstrap controller",
    "gate controller",
    "bootstrap compute1",
    "verify",
    "settle",
]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return two_stages(tmp_path)


def engine(manifest: Manifest, site: FakeSite, events: list[Event]) -> Engine:
    return Engine(manifest, site, (events.append,))


def deploy(manifest: Manifest, site: FakeSite) -> tuple[ExitCode, list[Event]]:
    events: list[Event] = []
    return engine(manifest, site, events).deploy(), events


def failures(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e.step, e.node, e.error) for e in events if isinstance(e, StepFailed)]


def test_the_section_knife_runs_last_but_for_the_proof(manifest: Manifest) -> None:
    site = FakeSite()
    commands = (KnifeCommand("status", AT),)
    code, _ = deploy(replace(manifest, knife=commands), site)
    assert code is ExitCode.DONE
    assert site.asked[-4:] == ["bootstrap compute1", "knife", "verify", "settle"]


def test_controllers_come_first_whatever_the_manifest_lists_first(manifest: Manifest) -> None:
    site = FakeSite()
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert site.asked == ALL_STEPS
    done = events[-1]
    assert isinstance(done, RunDone) and done.facts == {"Horizon": "http://10.0.115.10/"}


def test_a_second_deploy_converges_and_updates_nothing(manifest: Manifest) -> None:
    site = FakeSite()
    deploy(manifest, site)
    site.asked.clear()
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert [step for step in site.asked if step.startswith(("bootstrap", "converge"))] == [
        "converge controller",
        "converge compute1",
    ]
    assert [e.updated for e in events if isinstance(e, StepDone) and e.total] == [0, 0]


@pytest.mark.parametrize(
    "step, error, code, last",
    [
        ("check", InputError([Finding(Path("x"), None, "a", "b")]), ExitCode.INPUT, "check"),
        ("chef server", ChefServerError("down", where="url"), ExitCode.CHEF_SERVER, "chef server"),
    ],
)
def test_a_failed_step_ends_the_run(
    manifest: Manifest, step: str, error: InputError, code: ExitCode, last: str
) -> None:
    site = FakeSite()
    site.errors[step] = error
    assert deploy(manifest, site)[0] is code
    assert site.asked[-1] == last


def test_machines_that_do_not_come_up_leave_the_server_as_it_was(manifest: Manifest) -> None:
    site = FakeSite()
    site.machines.error = MachineError("no answer", where="compute1")
    code, events = deploy(manifest, site)
    assert code is ExitCode.MACHINES
    assert "upload" not in site.asked
    assert failures(events) == [("machines", "", "compute1: no answer")]


def test_one_node_fails_and_the_others_of_its_stage_finish(tmp_path: Path) -> None:
    manifest, site = two_stages(tmp_path, computes=5), FakeSite()
    site.chef.broken["compute3"] = recipe_error("compute3")
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert site.chef.known == {"controller", "compute1", "compute2", "compute4", "compute5"}
    assert failures(events) == [
        ("bootstrap", "compute3", "compute3: execute[boom] (x.rb:1): no; see more")
    ]
    assert "verify" not in site.asked
    site.chef.broken.clear()
    site.asked.clear()
    assert deploy(manifest, site)[0] is ExitCode.DONE
    assert [step for step in site.asked if "bootstrap" in step] == ["bootstrap compute3"]


def test_compute_nodes_do_not_start_after_a_failed_controller(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.broken["controller"] = recipe_error("controller")
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert "bootstrap compute1" not in site.asked
    assert [e.node for e in events if isinstance(e, NodeSkipped)] == ["compute1"]


def test_a_bug_on_one_node_is_its_failure_and_its_log_has_the_traceback(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.broken["controller"] = ZeroDivisionError("division by zero")
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert "a bug of ours: ZeroDivisionError" in failures(events)[0][2]
    assert "Traceback" in path_of(manifest.state, "controller").read_text()


def test_failed_checks_are_told_one_by_one(manifest: Manifest) -> None:
    site = FakeSite()
    site.bad = (Check("nova-scheduler", "controller", False, "inactive", "start it"),)
    code, events = deploy(manifest, site)
    assert code is ExitCode.VERIFY
    assert failures(events)[0] == (
        "verify",
        "controller",
        "nova-scheduler on controller: inactive; start it",
    )


def test_a_node_s_lines_are_logged_and_shown(manifest: Manifest) -> None:
    site = FakeSite()
    _, events = deploy(manifest, site)
    log = path_of(manifest.state, "controller")
    assert "controller: bootstrap" in log.read_text()
    assert "file[/etc/fake]" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    shown = [e.text for e in events if isinstance(e, StepProgress) and e.node == "controller"]
    assert shown == ["file[/etc/fake] create"]


def test_an_interrupt_ends_what_is_under_way(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()

    def interrupt(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepProgress):
            raise KeyboardInterrupt

    site.chef.broken["controller"] = recipe_error("controller")
    with pytest.raises(KeyboardInterrupt):
        Engine(manifest, site, (interrupt,)).deploy()
    assert site.chef.interrupted
    assert not failures(events)
    done = events[-1]
    assert isinstance(done, RunDone) and done.exit_code == ExitCode.INTERRUPTED


def test_a_dead_host_is_found_before_anything_is_changed(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.dead = {"compute1"}
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert failures(events) == [("reach", "compute1", "compute1: no SSH answer")]
    assert "upload" not in site.asked


def test_converge_names_who_is_not_bootstrapped(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    assert engine(manifest, site, events).converge() is ExitCode.NODES
    assert "run `stackcook deploy`" in failures(events)[0][2]
    assert "bootstrap controller" not in site.asked


def test_converge_of_some_nodes(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    site.chef.known = {"controller", "compute1"}
    assert engine(manifest, site, events).converge(["compute1"]) is ExitCode.DONE
    assert site.asked == [
        "network",
        "chef server",
        "gate controller",
        "converge compute1",
        "settle",
    ]


def test_converge_twice_names_what_changed_the_second_time(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    site.chef.known = {"controller", "compute1"}
    assert engine(manifest, site, events).converge(twice=True) is ExitCode.DONE
    site.chef.restless = {"compute1"}
    assert engine(manifest, site, events).converge(twice=True) is ExitCode.NODES
    assert failures(events)[0][1] == "compute1"
    assert "(file[/etc/fake])" in failures(events)[0][2]


def test_many_nodes_are_bounded(tmp_path: Path) -> None:
    manifest, site, now, most = two_stages(tmp_path, computes=40), FakeSite(), set[str](), [0]

    def during(node: Node) -> None:
        now.add(node.name)
        most[0] = max(most[0], len(now))
        now.discard(node.name)

    site.chef.during = during
    assert Engine(manifest, site, (), parallel=4).deploy() is ExitCode.DONE
    assert most[0] <= 4
    assert len(site.chef.known) == 41
