"""Which step is next: the order that holds whatever ends when, and what failures do to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.errors import ExitCode, NodeError, Transient
from stackcook.manifest.model import Amount, BootstrapKind, FailureBudget, Manifest
from stackcook.operations.deploy import deploy_plan
from stackcook.operations.shared import Facts
from stackcook.retry import Backoff
from stackcook.run.budget import Budget
from stackcook.run.plan import RUN_LISTS, Plan, Step
from stackcook.run.schedule import MOST_RETRIES, Schedule
from tests.fakes import AT, three_controllers, two_stages

NOWHERE = Path("/nowhere")
BROKEN = NodeError("broken")
AWAY = Transient("away")
BACKOFF = Backoff((10.0, 20.0), jitter=(1.0, 1.0))


def with_budget(computes: int, amount: int, *, percent: bool = False) -> Manifest:
    manifest = two_stages(NOWHERE, computes=computes)
    budget = FailureBudget("single-compute", Amount(amount, percent), AT)
    return replace(manifest, failure_budget=(budget,))


def schedule(manifest: Manifest, facts: Facts = Facts()) -> Schedule:
    return Schedule(deploy_plan(manifest, facts), Budget.of(manifest), BACKOFF)


def carry_out(made: Schedule, *bad: str, at: str = "bootstrap") -> list[str]:
    """One step after the other; those named ``at`` of the ``bad`` nodes fail."""
    taken = []
    while step := made.next(0):
        taken.append(f"{step.node} {step.name}".strip())
        if step.node in bad and step.name == at:
            made.failure(step, BROKEN, 0)
        else:
            made.done(step)
    return taken


def test_one_worker_takes_the_steps_in_the_order_of_the_plan() -> None:
    manifest = replace(two_stages(NOWHERE, computes=3), bootstrap=BootstrapKind.NATIVE)
    facts = Facts(recipes={"compute1": ("a::b",)})
    plan = deploy_plan(manifest, facts)
    taken = carry_out(schedule(manifest, facts))
    assert taken == [f"{step.node} {step.name}".strip() for step in plan.steps]


def test_other_nodes_prepare_while_the_controller_converges() -> None:
    manifest = replace(two_stages(NOWHERE), bootstrap=BootstrapKind.NATIVE)
    made = schedule(manifest)
    while (step := made.next(0)) and step.key != ("controller", "converge"):
        made.done(step)
    assert step
    early = []
    while other := made.next(0):
        early.append(other.name)
        made.done(other)
    assert early == ["install", "register"], "no gate before the controller is done"
    made.done(step)
    gate = made.next(0)
    assert gate and gate.key == ("single-compute", "gate")
    assert made.next(0) is None
    made.done(gate)
    converge = made.next(0)
    assert converge and converge.key == ("compute1", "converge")


def test_a_step_for_all_that_fails_ends_the_run() -> None:
    made = schedule(two_stages(NOWHERE))
    while (step := made.next(0)) and step.name != "gate":
        made.done(step)
    assert step
    made.failure(step, BROKEN, 0)
    assert made.next(0) is None
    assert (made.why, made.code) == ("gate failed", ExitCode.NODES)
    assert made.skipped() == (("compute1", "single-compute", made.why),)


@pytest.mark.parametrize(
    "amount, percent, bad, allowed",
    [(20, True, 2, 2), (20, True, 3, 2), (1, False, 1, 1), (0, False, 1, 0), (9, True, 1, 0)],
)
def test_the_budget_of_a_role(amount: int, percent: bool, bad: int, allowed: int) -> None:
    made = schedule(with_budget(10, amount, percent=percent))
    names = [f"compute{n}" for n in range(1, bad + 1)]
    taken = carry_out(made, *names)
    limit = f"but the failure budget allows {allowed} of 10"
    beyond = bad > allowed
    nodes = "1 node" if bad == 1 else f"{bad} nodes"
    assert made.why == (f"{nodes} with role[single-compute] failed, {limit}" if beyond else "")
    assert list(made.failed) == names
    converged = {each.split()[0] for each in taken if each.endswith("bootstrap")} - set(names)
    skipped = {name for name, *_ in made.skipped()}
    assert converged | set(names) | skipped == {
        "controller",
        *(f"compute{n}" for n in range(1, 11)),
    }
    assert bool(skipped) is beyond
    assert made.code is (ExitCode.NODES if beyond else ExitCode.WITHIN_BUDGET)


def test_how_many_more_the_budget_bears() -> None:
    budget = Budget.of(with_budget(4, 2))
    assert budget.bears(()) and budget.bears(["compute1", "compute4"])
    assert not budget.bears(["compute1", "compute2", "compute3"])
    assert not budget.bears(["compute1", "controller"]), "others wait for the controller"
    budget.spend("compute3")
    assert budget.bears(["compute1"]) and not budget.bears(["compute1", "compute2"])


def test_a_controller_has_no_budget() -> None:
    manifest = with_budget(3, 100, percent=True)
    budget = FailureBudget("single-controller", Amount(1), AT)
    made = schedule(replace(manifest, failure_budget=(*manifest.failure_budget, budget)))
    carry_out(made, "controller")
    assert made.why == "controller failed and has no failure budget"
    assert [name for name, *_ in made.skipped()] == ["compute1", "compute2", "compute3"]


THREE = ("controller1", "controller2", "controller3")


def in_turn(manifest: Manifest) -> Schedule:
    plan = deploy_plan(manifest, Facts(in_turn=dict.fromkeys(THREE, THREE)))
    return Schedule(plan, Budget.of(manifest, plan.in_turn), BACKOFF)


@pytest.mark.parametrize("kind", BootstrapKind)
def test_after_a_controller_that_failed_no_other_one_of_its_cluster_converges(
    kind: BootstrapKind,
) -> None:
    manifest = replace(three_controllers(NOWHERE), bootstrap=kind)
    budget = FailureBudget("ha-controller", Amount(2), AT)
    for each in (manifest, replace(manifest, stages=(), failure_budget=(budget,))):
        made = in_turn(each)
        last = "converge" if kind is BootstrapKind.NATIVE else "bootstrap"
        taken = carry_out(made, "controller2", at=last)
        assert [name for name in THREE if f"{name} {last}" in taken] == [
            "controller1",
            "controller2",
        ]
        assert made.why == (
            "controller2 failed, and no further controller converges: they could lose the quorum"
        )
        assert made.code is ExitCode.NODES
        assert ("controller3", made.why) in {(name, why) for name, _, why in made.skipped()}


def test_a_controller_is_retried_before_the_next_one_converges() -> None:
    made = in_turn(replace(three_controllers(NOWHERE), bootstrap=BootstrapKind.NATIVE))
    while (step := made.next(0)) and step.key != ("controller1", "converge"):
        made.done(step)
    assert step and made.failure(step, AWAY, 0)
    while other := made.next(0):
        assert other.name != "converge" or other.node == "compute1"
        made.done(other)
    again = made.next(10)
    assert again and again.key == step.key
    made.done(again)
    following = made.next(10)
    assert following and following.key == ("controller2", "converge")


def test_without_a_budget_the_others_of_the_stage_finish() -> None:
    made = schedule(two_stages(NOWHERE, computes=3))
    taken = carry_out(made, "compute1")
    assert {"compute2 bootstrap", "compute3 bootstrap"} <= set(taken) and "verify" not in taken
    assert made.why == "compute1 failed and has no failure budget"
    assert made.skipped() == () and made.code is ExitCode.NODES


def test_after_an_unreachable_node_the_others_are_looked_at_and_nothing_is_changed() -> None:
    made = schedule(two_stages(NOWHERE, computes=2))
    taken = carry_out(made, "controller", at="reach")
    assert taken[-3:] == ["compute1 preflight", "compute2 preflight", "findings"]
    assert made.code is ExitCode.NODES


def test_also_when_more_fail_than_the_budget_allows_the_others_are_looked_at() -> None:
    made = schedule(with_budget(4, 1))
    taken = carry_out(made, "compute1", "compute2", at="preflight")
    assert taken[-3:] == ["compute3 preflight", "compute4 preflight", "findings"]
    assert "2 nodes with role[single-compute] failed" in made.why
    made = schedule(with_budget(4, 1))
    taken = carry_out(made, "compute1", at="preflight")
    assert "compute2 bootstrap" in taken and "compute1 bootstrap" not in taken
    assert made.code is ExitCode.WITHIN_BUDGET


def test_what_waits_for_a_step_despite_failures_does_not_begin_after_one() -> None:
    made = schedule(two_stages(NOWHERE, computes=2))
    taken = carry_out(made, "compute1", at="preflight")
    assert taken[-1] == "findings"
    assert {name for name, *_ in made.skipped()} == {"controller", "compute2"}


def test_nodes_that_can_not_be_finished_are_not_changed() -> None:
    manifest = replace(two_stages(NOWHERE), bootstrap=BootstrapKind.NATIVE)
    made = schedule(manifest)
    taken = carry_out(made, "controller", at="install")
    assert "compute1 preflight" in taken and "compute1 install" not in taken


def test_done_nodes_are_only_inspected() -> None:
    manifest = two_stages(NOWHERE, computes=2)
    taken = carry_out(schedule(manifest, Facts(done=frozenset({"controller", "compute1"}))))
    on_nodes = [each for each in taken if each.startswith(("controller ", "compute"))]
    assert [each for each in on_nodes if "reach" not in each] == [
        "controller preflight",
        "compute1 preflight",
        "compute2 preflight",
        "compute2 bootstrap",
    ]
    everything = Facts(done=frozenset({"controller", "compute1", "compute2"}))
    assert "gate" not in carry_out(schedule(manifest, everything))


def test_a_retry_is_due_after_its_backoff_and_the_last_one_fails_the_node() -> None:
    step = Step("converge", "", "a", "all", retry=True)
    made = Schedule(Plan("x", (step,)), backoff=BACKOFF)
    for attempt, (begin, due) in enumerate([(0, 10), (10, 30)], 1):
        assert made.next(begin) == step and made.attempt(step) == attempt
        wait = made.failure(step, AWAY, begin)
        assert wait and begin + wait == due == made.next_retry
        assert made.next(due - 1) is None
    assert made.next(30) == step
    assert made.failure(step, AWAY, 30) is None
    assert list(made.failed) == ["a"] and made.next_retry is None


@pytest.mark.parametrize("error, retry", [(BROKEN, True), (AWAY, False)])
def test_permanent_errors_and_steps_without_retry_fail_at_once(
    error: NodeError, retry: bool
) -> None:
    step = Step("converge", "", "a", "all", retry=retry)
    made = Schedule(Plan("x", (step,)), backoff=BACKOFF)
    made.next(0)
    assert made.failure(step, error, 0) is None and list(made.failed) == ["a"]


def test_hosts_that_may_fail_are_not_waited_for() -> None:
    made = schedule(with_budget(3, 1))
    taken: list[str] = []
    while step := made.next(0):
        taken.append(f"{step.node} {step.name}".strip())
        if step.key == ("compute1", "reach"):
            assert made.failure(step, AWAY, 0)
        else:
            made.done(step)
    assert "upload" in taken and "compute3 bootstrap" in taken
    assert "verify" not in taken and made.next_retry == 10
    late = made.next(10)
    assert late and late.key == ("compute1", "reach")
    made.done(late)
    assert carry_out(made) == ["compute1 preflight", "compute1 bootstrap", "save", "verify"]
    assert made.code is ExitCode.DONE


def test_hosts_that_must_not_fail_are_waited_for() -> None:
    made = schedule(with_budget(3, 1))
    away = {"compute1", "compute2"}
    while step := made.next(0):
        if step.name == "reach" and step.node in away:
            made.failure(step, AWAY, 0)
        else:
            assert step.name != "upload"
            made.done(step)
    assert made.next_retry == 10


def test_no_further_node_begins_while_too_many_wait_for_a_retry() -> None:
    steps = tuple(Step("install", "", f"n{n}", "all", retry=True) for n in range(MOST_RETRIES + 9))
    made = Schedule(Plan("x", steps), backoff=BACKOFF)
    begun = 0
    while step := made.next(0):
        begun += 1
        made.failure(step, AWAY, 0)
    assert begun == MOST_RETRIES
    assert made.next(10), "once the retries are due"


def test_what_waits_for_a_retry_when_the_run_stops_has_failed() -> None:
    steps = tuple(Step("install", "", name, "all", retry=True) for name in ("a", "b"))
    made = Schedule(Plan("x", steps), backoff=BACKOFF)
    for step in (made.next(0), made.next(0)):
        assert step and made.failure(step, AWAY, 0)
    made.stop("interrupted", ExitCode.INTERRUPTED)
    assert [(each.step.node, each.attempt) for each in made.abandoned()] == [("a", 1), ("b", 1)]
    assert made.abandoned() == () and made.next_retry is None
    assert list(made.failed) == ["a", "b"] and made.skipped() == ()


def test_replaced_steps_keep_their_place_and_are_waited_for() -> None:
    manifest = two_stages(NOWHERE, computes=1)
    made = schedule(manifest)
    while (step := made.next(0)) and step.key != ("controller", "preflight"):
        made.done(step)
    assert step
    new = Step("converge", "", "controller", step.stage, after=(step.key, RUN_LISTS))
    (old,) = made.replace(step, (new,))
    assert old.name == "bootstrap"
    made.done(step)
    taken = carry_out(made)
    assert taken[taken.index("run lists") :][:3] == ["run lists", "controller converge", "gate"]


def test_nothing_waits_for_a_step_that_a_new_plan_leaves_out() -> None:
    one, two = (Step("look", "", name, "all") for name in ("one", "two"))
    register = Step("register", "", "one", "all", after=(one.key,))
    converge = Step("converge", "", "two", "all", after=(two.key, register.key))
    made = Schedule(Plan("x", (one, two, register, converge)))
    assert (made.next(0), made.next(0)) == (one, two)
    made.done(two)
    assert made.next(0) is None
    made.replace(one, (Step("converge", "", "one", "all", after=(one.key,)),))
    assert made.next(0) == converge


def test_replaced_steps_do_not_begin_after_a_node_that_failed_before_they_were_planned() -> None:
    """As when both were done, both were lost, and the first one can't be converged again."""
    made = schedule(two_stages(NOWHERE), Facts(done=frozenset({"controller", "compute1"})))
    preflights = []
    while step := made.next(0):
        if step.name == "preflight":
            preflights.append(step)
        else:
            made.done(step)
    controller, compute = preflights
    made.failure(controller, BROKEN, 0)
    new = Step("converge", "", "compute1", compute.stage, (compute.key,), ("controller",))
    made.replace(compute, (new,))
    made.done(compute)
    assert carry_out(made) == ["findings"]
    assert made.skipped() == (("compute1", "single-compute", made.why),)


@given(st.data())
def test_whatever_ends_when_the_order_holds(data: st.DataObject) -> None:
    computes = data.draw(st.integers(0, 6))
    manifest = with_budget(computes, data.draw(st.integers(0, 3)))
    plan = deploy_plan(replace(manifest, bootstrap=BootstrapKind.NATIVE), Facts())
    made = Schedule(plan, Budget.of(manifest), Backoff((1.0,), jitter=(1.0, 1.0)))
    running: list[Step] = []
    begun: list[Step] = []
    ended: set[tuple[str, str]] = set()
    now = 0.0
    while True:
        step = made.next(now) if len(running) < 3 else None
        if step:
            assert step not in running
            for need in step.after:
                assert need in ended or need[0] in made.failed or need[1] == "preflight"
            for node in step.after_nodes:
                last = plan.of(node)[-1:]
                assert not last or last[0].key in ended or node in made.failed
            begun.append(step)
            running.append(step)
            continue
        if not running:
            if made.next_retry is None:
                break
            now = made.next_retry
            continue
        step = running.pop(data.draw(st.integers(0, len(running) - 1)))
        end = data.draw(st.sampled_from(["done", "done", "done", "failed", "retried"]))
        if end == "done":
            made.done(step)
            ended.add(step.key)
        else:
            made.failure(step, BROKEN if end == "failed" else AWAY, now)
    assert all(begun.count(step) <= 2 for step in begun)
    finished = {n for n in plan.nodes if all(step.key in ended for step in plan.of(n))}
    skipped = {name for name, *_ in made.skipped()}
    assert finished | set(made.failed) | skipped == set(plan.nodes)
    assert made.why or not skipped
