"""Deploy and converge over fakes: order, events, and what one failure does to the rest."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackcook.bootstrap.base import ConvergeResult
from stackcook.console.board import Board
from stackcook.operations.converge import converge
from stackcook.operations.deploy import deploy as real_deploy
from stackcook.operations.deploy import deploy_plan
from stackcook.operations.runner import Settings
from stackcook.operations.shared import Facts
from stackcook.retry import STEP, Backoff
from stackcook.run.executor import Executor
from stackcook.run.plan import Plan, Step
from stackcook.run.events import (
    Event,
    Listener,
    NodeSkipped,
    Notice,
    PlanChanged,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepRetried,
    StepStarted,
)
from stackcook.run.history import runs, steps
from stackcook.run.record import LastDeploy
from stackcook.run.logs import path_of
from stackcook.run.record import last_deploy
from stackcook.run.state import State
from stackcook.errors import (
    ChefServerError,
    ExitCode,
    Finding,
    InputError,
    MachineError,
    UsageError,
)
from stackcook.manifest.model import (
    Amount,
    BootstrapKind,
    FailureBudget,
    KnifeCommand,
    Manifest,
    Node,
    Verification,
)
from stackcook.remote.base import Host, Unreachable
from stackcook.verify.check import Check
from tests.fakes import (
    AT,
    FakeBootstrap,
    FakeSite,
    recipe_error,
    three_controllers,
    two_stages,
)

ALL_STEPS = [
    "check",
    "secrets",
    "network",
    "chef server",
    "up",
    "upload",
    "run lists controller compute1",
    "bootstrap controller",
    "gate controller",
    "bootstrap compute1",
    "verify",
]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return two_stages(tmp_path)


def press_ctrl_c() -> None:
    """What a terminal does; in the main thread, whoever calls."""
    main = threading.main_thread().ident
    assert main
    signal.pthread_kill(main, signal.SIGINT)


def backoff(*waits: float) -> Backoff:
    return Backoff(waits, jitter=(1, 1))


def quick(parallel: int = 0) -> Settings:
    """A run that does not wait before a retry."""
    return Settings(parallel=parallel, backoff=backoff(0, 0, 0))


def run(
    manifest: Manifest, site: FakeSite, *listeners: Listener, parallel: int = 0, **options: Any
) -> ExitCode:
    return real_deploy(manifest, site, listeners, settings=quick(parallel), **options)


def deploy(manifest: Manifest, site: FakeSite, **options: Any) -> tuple[ExitCode, list[Event]]:
    events: list[Event] = []
    return run(manifest, site, events.append, **options), events


def failures(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e.step, e.node, e.error) for e in events if isinstance(e, StepFailed)]


def test_the_section_knife_runs_last_but_for_the_proof(manifest: Manifest) -> None:
    site = FakeSite()
    commands = (KnifeCommand("status", AT),)
    code, _ = deploy(replace(manifest, knife=commands), site)
    assert code is ExitCode.DONE
    assert site.asked[-3:] == ["bootstrap compute1", "knife", "verify"]


def test_controllers_come_first_whatever_the_manifest_lists_first(manifest: Manifest) -> None:
    site = FakeSite()
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert site.asked == ALL_STEPS
    done = events[-1]
    assert isinstance(done, RunDone) and done.facts == {"Horizon": "http://10.0.115.10/"}


def test_data_that_the_chef_server_can_not_write_is_said(manifest: Manifest) -> None:
    site = FakeSite()
    site.errors["settle"] = ChefServerError("it does not write its data")
    code, events = deploy(manifest, site)
    assert code is ExitCode.CHEF_SERVER
    assert failures(events) == [("save", "", "it does not write its data")]


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


def test_machines_that_do_not_say_how_ssh_reaches_them_are_no_failure_of_a_node(
    manifest: Manifest,
) -> None:
    site, events = FakeSite(), list[Event]()

    def hosts(nodes: object) -> dict[str, Host]:
        raise MachineError("`vagrant ssh-config` failed")

    site.machines.hosts = hosts  # type: ignore[method-assign, assignment]
    assert run(manifest, site, events.append) is ExitCode.MACHINES
    assert failures(events) == [("machines", "", "`vagrant ssh-config` failed")]
    assert converge(manifest, site, (), settings=quick()) is ExitCode.MACHINES


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


def test_an_internal_error_on_one_node_is_its_failure_with_the_traceback_in_its_log(
    manifest: Manifest,
) -> None:
    site = FakeSite()
    site.chef.broken["controller"] = ZeroDivisionError("division by zero")
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert "internal error: ZeroDivisionError" in failures(events)[0][2]
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


def test_what_instances_have_shown_is_told(manifest: Manifest) -> None:
    site = FakeSite()
    site.notes = ("an instance answered on 10.0.113.101 (compute1)",)
    _, events = deploy(manifest, site)
    (done,) = [e for e in events if isinstance(e, StepDone) and e.step == "verify"]
    assert done.text == "1 check passed; an instance answered on 10.0.113.101 (compute1)"


@pytest.mark.parametrize(
    ("verify", "ending"),
    [
        (None, ", also with instances if it has an external network and an image `test`"),
        ({Verification.SERVICES}, ""),
        ({Verification.INSTANCE}, ", also with an instance on each compute node"),
    ],
)
def test_the_plan_says_whether_instances_are_booted(
    manifest: Manifest, verify: set[Verification] | None, ending: str
) -> None:
    wanted = replace(manifest, verify=None if verify is None else frozenset(verify))
    step = deploy_plan(wanted, Facts()).steps[-1]
    assert step.does == f"check that the cloud works{ending}"


def test_a_node_s_lines_are_logged_and_shown(manifest: Manifest) -> None:
    site = FakeSite()
    _, events = deploy(manifest, site)
    log = path_of(manifest.state, "controller")
    assert "controller: bootstrap" in log.read_text()
    assert "file[/etc/fake]" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    shown = [e.text for e in events if isinstance(e, StepProgress) and e.node == "controller"]
    assert shown == ["file[/etc/fake] create"]


def interrupted(site: FakeSite, events: list[Event]) -> Callable[[Event], None]:
    """Have Ctrl-C pressed in every step, and each wait for its notice; gives what listens."""
    told = threading.Event()

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Notice):
            told.set()

    def during(node: Node) -> None:
        press_ctrl_c()
        assert told.wait(10)

    site.chef.during = during
    return listen


def test_one_interrupt_lets_end_what_is_under_way(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    listen = interrupted(site, events)
    with pytest.raises(KeyboardInterrupt):
        run(manifest, site, listen)
    assert site.chef.known == {"controller"} and not site.chef.interrupted
    assert [e.node for e in events if isinstance(e, NodeSkipped)] == ["compute1"]
    assert "Ctrl-C again" in next(e.text for e in events if isinstance(e, Notice))
    done = events[-1]
    assert isinstance(done, RunDone) and done.exit_code == ExitCode.INTERRUPTED


def test_an_interrupt_lets_no_further_step_of_a_node_begin(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    manifest = replace(manifest, bootstrap=BootstrapKind.NATIVE)
    listen = interrupted(site, events)
    with pytest.raises(KeyboardInterrupt):
        run(manifest, site, listen, parallel=1)
    assert [asked for asked in site.asked if asked.startswith("install")] == ["install controller"]
    assert "register controller" not in site.asked
    skipped = [(e.node, e.why) for e in events if isinstance(e, NodeSkipped)]
    assert skipped == [("controller", "interrupted"), ("compute1", "interrupted")]
    assert not failures(events)


@pytest.mark.parametrize("step, waits", [("reach", (0, 3600)), ("bootstrap", (3600,))])
def test_an_interrupt_ends_the_wait_for_a_retry(
    manifest: Manifest, step: str, waits: tuple[float, ...]
) -> None:
    site, events = FakeSite(), list[Event]()
    if step == "reach":
        site.chef.dead, site.chef.death = {"controller"}, Unreachable("off", where="controller")
    else:
        site.chef.transient["controller"] = 1

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepRetried) and event.wait:
            press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        real_deploy(manifest, site, (listen,), settings=Settings(backoff=backoff(*waits)))
    (failed,) = failures(events)
    assert failed[:2] == (step, "controller")
    (last,) = [e for e in events if isinstance(e, StepStarted) and e.attempt == len(waits) + 1]
    assert (last.step, last.stage) == (step, "single-controller")
    assert "bootstrap compute1" not in site.asked
    assert site.asked.count("bootstrap controller") == (step == "bootstrap"), "tried no more"


def test_a_log_that_can_t_be_written_is_its_node_s_failure(manifest: Manifest) -> None:
    path_of(manifest.state, "compute1").mkdir(parents=True)
    code, events = deploy(manifest, FakeSite())
    assert code is ExitCode.NODES
    ((step, node, error),) = failures(events)
    assert (step, node) == ("reach", "compute1")
    assert "compute1.log: cannot write the log (Is a directory); " in error


def test_a_second_interrupt_ends_that_as_well(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    told, ended = threading.Event(), threading.Event()

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Notice):
            told.set()

    def during(node: Node) -> None:
        press_ctrl_c()
        assert told.wait(10)
        press_ctrl_c()
        assert ended.wait(10)
        raise recipe_error(node.name)

    site.chef.during, site.chef.on_interrupt = during, ended.set
    with pytest.raises(KeyboardInterrupt):
        run(manifest, site, listen)
    assert site.chef.interrupted
    assert not failures(events), "what the second interrupt has ended is no failure"


def test_a_second_interrupt_does_not_wait_for_a_step_that_can_not_be_stopped(
    manifest: Manifest,
) -> None:
    site, told, release = FakeSite(), threading.Event(), threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            told.set()

    def check() -> str:
        press_ctrl_c()
        assert told.wait(10)
        press_ctrl_c()
        assert release.wait(60)
        return ""

    site.check = check  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            run(manifest, site, listen)
        assert not site.chef.interrupted, "nothing ran on a node"
        assert "secrets" not in site.asked
    finally:
        release.set()


def test_a_dead_host_is_found_before_anything_is_changed(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.dead = {"compute1"}
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert failures(events) == [("reach", "compute1", "compute1: no SSH answer")]
    assert "upload" not in site.asked


def test_a_dead_host_is_found_before_any_other_is_converged(tmp_path: Path) -> None:
    site, events = FakeSite(), list[Event]()
    site.chef.known = {"controller", "compute1", "compute2"}
    site.chef.dead = {"compute2"}
    code = converge(two_stages(tmp_path, 2), site, (events.append,), settings=quick())
    assert code is ExitCode.NODES
    assert failures(events) == [("reach", "compute2", "compute2: no SSH answer")]
    assert site.asked == ["network", "chef server"]
    code = converge(budgeted(tmp_path, 2, 1), site, (), settings=quick())
    assert code is ExitCode.WITHIN_BUDGET
    assert site.asked[-1] == "converge compute1"


def test_converge_names_who_is_not_bootstrapped(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    assert converge(manifest, site, (events.append,), settings=quick()) is ExitCode.NODES
    assert "run `stackcook deploy`" in failures(events)[0][2]
    assert "bootstrap controller" not in site.asked


def test_the_controller_that_has_the_databases_converges_first(tmp_path: Path) -> None:
    manifest, site = three_controllers(tmp_path), FakeSite()
    site.cluster, site.single = ("controller1", "controller2", "controller3"), {"controller3"}
    site.chef.known = {node.name for node in manifest.nodes}
    assert converge(manifest, site, (), settings=quick()) is ExitCode.DONE
    converged = [asked for asked in site.asked if asked.startswith("converge controller")]
    assert converged == [f"converge controller{number}" for number in (3, 1, 2)]


def test_converge_of_some_nodes(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()
    site.chef.known = {"controller", "compute1"}
    assert (
        converge(manifest, site, (events.append,), ["compute1"], settings=quick()) is ExitCode.DONE
    )
    assert site.asked == [
        "network",
        "chef server",
        "run lists compute1",
        "gate controller",
        "converge compute1",
    ]
    assert site.settled == 1


def test_converge_twice_names_what_changed_the_second_time(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()

    def again() -> ExitCode:
        return converge(manifest, site, (events.append,), twice=True, settings=quick())

    site.chef.known = {"controller", "compute1"}
    assert again() is ExitCode.DONE
    site.chef.restless = {"compute1"}
    assert again() is ExitCode.NODES
    assert failures(events)[0][1] == "compute1"
    assert "(file[/etc/fake])" in failures(events)[0][2]


def test_many_nodes_are_bounded(tmp_path: Path) -> None:
    manifest, site, now, most = two_stages(tmp_path, computes=40), FakeSite(), set[str](), [0]

    def during(node: Node) -> None:
        now.add(node.name)
        most[0] = max(most[0], len(now))
        now.discard(node.name)

    site.chef.during = during
    assert run(manifest, site, parallel=4) is ExitCode.DONE
    assert most[0] <= 4
    assert len(site.chef.known) == 41


def test_memory_grows_no_faster_than_the_nodes(tmp_path: Path) -> None:
    def peak(computes: int, attempt: int) -> int:
        manifest, board = two_stages(tmp_path / f"{computes}-{attempt}", computes), Board()

        def show(event: Event) -> None:
            board.take(event)

        tracemalloc.start()
        try:
            with State(manifest.state) as state:
                assert run(manifest, FakeSite(), state, show) is ExitCode.DONE
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The least of two: what is imported at the first use, and what threads of tests before leave
    # behind, is none of ours.
    small, middle, large = (min(peak(n, 1), peak(n, 2)) for n in (100, 300, 500))
    assert large - middle < 1.5 * (middle - small) + 100_000


def budgeted(root: Path, computes: int, amount: int) -> Manifest:
    budget = FailureBudget("single-compute", Amount(amount), AT)
    return replace(two_stages(root, computes=computes), failure_budget=(budget,))


def test_within_the_budget_the_cloud_is_proved_without_the_failed(tmp_path: Path) -> None:
    site = FakeSite()
    site.chef.broken["compute2"] = recipe_error("compute2")
    site.chef.dead = {"compute3"}
    code, events = deploy(budgeted(tmp_path, 4, 2), site)
    assert code is ExitCode.WITHIN_BUDGET
    assert site.chef.known == {"controller", "compute1", "compute4"}
    assert "verify without compute3 compute2" in site.asked
    assert sorted(node for _, node, _ in failures(events)) == ["compute2", "compute3"]


def test_beyond_the_budget_no_node_begins(tmp_path: Path) -> None:
    site, events = FakeSite(), list[Event]()
    for n in (1, 2):
        site.chef.broken[f"compute{n}"] = recipe_error(f"compute{n}")
    manifest = budgeted(tmp_path, 6, 1)
    assert run(manifest, site, events.append, parallel=1) is ExitCode.NODES
    assert site.chef.known == {"controller"} and "verify" not in site.asked
    skipped = {e.node: e.why for e in events if isinstance(e, NodeSkipped)}
    why = "2 nodes with role[single-compute] failed, but the failure budget allows 1 of 6"
    assert skipped == {f"compute{n}": why for n in (3, 4, 5, 6)}


@pytest.mark.parametrize("death", [None, Unreachable("off")])
def test_hosts_beyond_the_budget_are_found_before_anything_is_changed(
    tmp_path: Path, death: Unreachable | None
) -> None:
    site = FakeSite()
    site.chef.dead, site.chef.death = {"compute1", "compute2"}, death
    code, events = deploy(budgeted(tmp_path, 4, 1), site)
    assert code is ExitCode.NODES
    assert "upload" not in site.asked
    assert sorted(node for _, node, _ in failures(events)) == ["compute1", "compute2"]
    tries = [e.attempt for e in events if isinstance(e, StepStarted) and e.node == "compute1"]
    assert tries == ([1, 2, 3, 4] if death else [1])


def test_nobody_waits_for_a_host_that_may_fail(tmp_path: Path) -> None:
    site = FakeSite()
    site.chef.booting = {"compute1": 99, "compute2": 2}
    code, events = deploy(budgeted(tmp_path, 4, 2), site)
    assert code is ExitCode.WITHIN_BUDGET
    assert failures(events) == [("reach", "compute1", "compute1: no SSH answer")]
    assert site.chef.known == {"controller", "compute2", "compute3", "compute4"}
    tries = [e.attempt for e in events if isinstance(e, StepStarted) and e.node == "compute1"]
    assert tries == [1, 2, 3, 4]


def test_a_host_that_does_not_answer_takes_nobody_s_place(tmp_path: Path) -> None:
    site, done, reach = FakeSite(), threading.Event(), FakeBootstrap.reach
    site.chef.booting = {"compute1": 1}

    def slow(node: Node, host: Host) -> None:
        """In its turn it answers once the others have had theirs."""
        if node.name == "compute1" and not site.chef.booting["compute1"]:
            assert done.wait(10)
        reach(site.chef, node, host)

    def during(node: Node) -> None:
        if node.name == "compute2":
            done.set()

    site.chef.reach, site.chef.during = slow, during  # type: ignore[method-assign]
    settings = Settings(parallel=1, backoff=backoff(1))
    assert real_deploy(budgeted(tmp_path, 2, 1), site, (), settings=settings) is ExitCode.DONE
    assert site.chef.known == {"controller", "compute1", "compute2"}


def test_what_passes_is_tried_again(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.transient = {"controller": 3}
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert site.asked.count("bootstrap controller") == 4
    again = [e for e in events if isinstance(e, StepRetried)]
    assert [e.cause for e in again] == ["controller: the mirror is unreachable"] * 3
    attempts = [e.attempt for e in events if isinstance(e, StepStarted) and e.step == "bootstrap"]
    assert attempts[:4] == [1, 2, 3, 4]


def test_what_does_not_pass_after_three_more_tries_has_failed(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.transient = {"controller": 4}
    code, events = deploy(manifest, site)
    assert code is ExitCode.NODES
    assert failures(events) == [
        ("bootstrap", "controller", "controller: the mirror is unreachable")
    ]


def test_half_a_minute_without_a_chef_server_is_outlived(manifest: Manifest) -> None:
    """By a step that fails at once, as one does whose connection is refused."""
    assert sum(STEP.waits) > 30
    site, events, least = FakeSite(), list[Event](), (0.001, 0.002, 0.003)
    site.chef.transient = {"controller": 3}
    settings = Settings(backoff=Backoff(least))
    assert real_deploy(manifest, site, (events.append,), settings=settings) is ExitCode.DONE
    waits = [e.wait for e in events if isinstance(e, StepRetried)]
    assert all(wait >= wanted for wait, wanted in zip(waits, least, strict=True))


@pytest.mark.parametrize("step", ["upload", "gate controller", "verify"])
def test_a_chef_server_that_is_away_ends_no_step_for_all(manifest: Manifest, step: str) -> None:
    site = FakeSite()
    site.away[step] = 3
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE and not failures(events)
    retried = [(e.step, e.node, e.cause) for e in events if isinstance(e, StepRetried)]
    assert retried == [(step.split()[0], "", "http://chef: can't be reached")] * 3


def test_a_chef_server_that_is_away_while_run_lists_are_set(manifest: Manifest) -> None:
    site = FakeSite()
    step = "run lists controller compute1"
    site.away[step] = 1
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert [e.step for e in events if isinstance(e, StepRetried)] == ["run lists"]
    number = ALL_STEPS.index(step)
    assert site.asked == [*ALL_STEPS[:number], step, *ALL_STEPS[number:]]


def test_a_chef_server_that_never_was_there_is_told_at_once(manifest: Manifest) -> None:
    site = FakeSite()
    site.away["chef server"] = 1
    code, events = deploy(manifest, site)
    assert code is ExitCode.CHEF_SERVER
    assert not [e for e in events if isinstance(e, StepRetried)]


def test_the_next_deploy_goes_on_with_what_is_not_done(tmp_path: Path) -> None:
    manifest, site = two_stages(tmp_path, computes=2), FakeSite()
    site.chef.broken["compute2"] = recipe_error("compute2")
    with State(manifest.state) as state:
        assert run(manifest, site, state) is ExitCode.NODES
    first = last_deploy(manifest.state)
    assert first and (first.done, first.failed) == ({"controller", "compute1"}, {"compute2"})
    site.chef.broken.clear()
    site.asked.clear()
    with State(manifest.state) as state:
        assert run(manifest, site, state, last=first) is ExitCode.DONE
    taken = [step for step in site.asked if step.startswith(("bootstrap", "converge"))]
    assert taken == ["bootstrap compute2"]
    second = last_deploy(manifest.state)
    assert second and second.id == first.id
    assert second.done == {"controller", "compute1", "compute2"}
    assert second.resumable(site.inputs, second.at) is None, "it is at its end"


def test_a_node_whose_report_the_chef_server_lost_is_taken_up_again(tmp_path: Path) -> None:
    manifest, site = two_stages(tmp_path, computes=2), FakeSite()
    site.chef.known = {"controller", "compute1", "compute2"}
    done = frozenset({"controller", "compute1"})
    last = LastDeploy("d-1", site.inputs, time.time(), None, done)
    site.lost = {"compute1"}
    assert run(manifest, site, last=last) is ExitCode.DONE
    taken = {step for step in site.asked if step.startswith("converge")}
    assert taken == {"converge compute1", "converge compute2"}


@pytest.mark.parametrize(
    "change", [{"digest": "other"}, {"at": 0.0}, {"exit_code": 0}, {"exit_code": 5}]
)
def test_a_deploy_of_other_things_or_at_its_end_is_not_gone_on_with(
    manifest: Manifest, change: dict[str, Any]
) -> None:
    site = FakeSite()
    site.chef.known = {"controller", "compute1"}
    last = LastDeploy("d-1", site.inputs, time.time() - 60, 4, frozenset({"controller"}))
    assert run(manifest, site, last=replace(last, **change)) is ExitCode.DONE
    assert "converge controller" in site.asked
    site.asked.clear()
    assert run(manifest, site, last=last) is ExitCode.DONE
    assert "converge controller" not in site.asked
    site.asked.clear()
    assert run(manifest, site, last=last, anew=True) is ExitCode.DONE
    assert "converge controller" in site.asked


def test_a_node_made_anew_is_taken_up_whatever_the_deploy_has_done(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.known = {"compute1"}
    last = LastDeploy("d-1", site.inputs, time.time(), None, frozenset({"controller", "compute1"}))
    assert run(manifest, site, last=last) is ExitCode.DONE
    assert [s for s in site.asked if s.startswith(("bootstrap", "converge"))] == [
        "bootstrap controller"
    ]


def test_every_converge_records_the_deploy_and_packages_come_before_the_gate(
    manifest: Manifest,
) -> None:
    site, prepared = FakeSite(), threading.Event()

    def during(node: Node) -> None:
        """The controller converges until the compute node is prepared."""
        if site.asked[-1] == "prepare compute1":
            prepared.set()
        if site.asked[-1] == "converge controller":
            assert prepared.wait(10)

    site.chef.during = during
    code, events = deploy(replace(manifest, bootstrap=BootstrapKind.NATIVE), site)
    assert code is ExitCode.DONE
    started = next(e for e in events if isinstance(e, RunStarted))
    assert {deploy.id for deploy in site.chef.deploys} == {started.deploy}
    order = [site.asked.index(s) for s in ("prepare compute1", "gate controller")]
    assert order == sorted(order)


def test_a_node_that_is_registered_already_changes_the_plan(manifest: Manifest) -> None:
    site = FakeSite()
    site.chef.known = {"controller"}  # whose machine is not there yet: the plan says bootstrap
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    (changed,) = [e for e in events if isinstance(e, PlanChanged)]
    assert (changed.node, changed.before, changed.after) == (
        "controller",
        ("bootstrap",),
        ("converge",),
    )
    assert changed.why == "it is registered with the Chef server already"
    assert "converge controller" in site.asked and "bootstrap controller" not in site.asked


def test_controllers_that_are_registered_already_converge_in_turn(tmp_path: Path) -> None:
    """As after a reboot: the embedded Chef server, which knows them, starts in the deploy."""
    manifest, site = three_controllers(tmp_path), FakeSite()
    manifest = replace(manifest, bootstrap=BootstrapKind.NATIVE)
    site.cluster = ("controller1", "controller2", "controller3")
    site.chef.known = {node.name for node in manifest.nodes}
    code, events = deploy(manifest, site)
    assert code is ExitCode.DONE
    assert {e.node for e in events if isinstance(e, PlanChanged)} == site.chef.known
    converged = [asked for asked in site.asked if asked.startswith("converge controller")]
    assert converged == [f"converge controller{number}" for number in (1, 2, 3)]


def test_after_an_internal_error_what_runs_on_nodes_ends_and_is_recorded(tmp_path: Path) -> None:
    manifest, site = replace(two_stages(tmp_path), bootstrap=BootstrapKind.NATIVE), FakeSite()
    begun, broken, perform = threading.Event(), threading.Event(), site.chef.perform

    def performing(step: str, node: Node, *others: Any) -> ConvergeResult | str:
        """What is interrupted is still waited for: it is not left behind on the node."""
        if (step, node.name) == ("prepare", "compute1"):
            begun.set()
            assert broken.wait(10)
            press_ctrl_c()
        return perform(step, node, *others)

    def gate(nodes: object, deploy: object) -> str:
        assert begun.wait(10)
        raise ValueError("a bug")

    def listen(event: Event) -> None:
        if isinstance(event, StepFailed):
            broken.set()

    site.gate, site.chef.perform = gate, performing  # type: ignore[method-assign, assignment]
    with State(manifest.state) as state, pytest.raises(ValueError, match="a bug"):
        run(manifest, site, state, listen)
    (done,) = runs(manifest.state)
    assert done.exit_code == ExitCode.BUG
    results = {(step.node, step.step): step for step in steps(manifest.state, done.id)}
    assert results["compute1", "prepare"].result == "done"
    gate_step = results["", "gate"]
    assert gate_step.result == "failed" and "internal error: ValueError: a bug" in gate_step.text
    assert ("compute1", "converge") not in results


def test_an_interrupt_at_the_very_end_is_recorded_as_one(manifest: Manifest) -> None:
    site = FakeSite()

    def facts() -> dict[str, str]:
        press_ctrl_c()
        time.sleep(10)
        return {}

    site.facts = facts  # type: ignore[method-assign]
    with State(manifest.state) as state, pytest.raises(KeyboardInterrupt):
        run(manifest, site, state)
    assert [each.exit_code for each in runs(manifest.state)] == [ExitCode.INTERRUPTED]


def test_a_record_that_can_t_be_kept_ends_the_run(manifest: Manifest) -> None:
    site, events = FakeSite(), list[Event]()

    def full(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "bootstrap":
            raise UsageError("the disk is full")

    assert run(manifest, site, full, events.append) is ExitCode.USAGE
    assert "bootstrap compute1" not in site.asked
    assert failures(events) == [("deploy", "", "the disk is full")]


@pytest.mark.parametrize(
    "asked, code, node",
    [("upload", ExitCode.USAGE, ""), ("bootstrap compute1", ExitCode.NODES, "compute1")],
)
def test_a_full_disk_is_no_internal_error(
    manifest: Manifest, asked: str, code: ExitCode, node: str
) -> None:
    site, events = FakeSite(), list[Event]()

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y")

    if node:
        site.chef.during = lambda each: full() if each.name == node else None
    else:
        site.upload = full  # type: ignore[method-assign]
    assert run(manifest, site, events.append) is code
    why = "/x/y: no space left on device; free some space on this disk"
    assert failures(events) == [(asked.split()[0], node, why)]


def test_steps_that_wait_for_each_other_are_an_internal_error(tmp_path: Path) -> None:
    steps = (Step("a", "", after=(("", "b"),)), Step("b", "", after=(("", "a"),)))
    with pytest.raises(RuntimeError, match="wait for each other: .*a, .*b"):
        Executor(Plan("deploy", steps), {}, (), tmp_path).run()
