"""Zones: failure domains of one run. What fails in one never stops another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.errors import ExitCode, NodeError, Transient
from stackcook.manifest.model import Amount, BootstrapKind, FailureBudget, Manifest
from stackcook.operations.converge import converge_plan
from stackcook.operations.deploy import deploy_plan
from stackcook.operations.shared import Facts
from stackcook.retry import Backoff
from stackcook.run.budget import Budget
from stackcook.run.plan import Step
from stackcook.run.schedule import Schedule
from tests.fakes import AT, two_zones

BROKEN, AWAY = NodeError("broken"), Transient("away")
ZONED = replace(two_zones(Path("/nowhere"), computes=2), bootstrap=BootstrapKind.NATIVE)
SHARED = ["check", "secrets", "network", "chef server", "upload", "run lists", "save"]


def schedule(manifest: Manifest = ZONED) -> Schedule:
    backoff = Backoff((1.0,), jitter=(1.0, 1.0))
    return Schedule(deploy_plan(manifest, Facts()), Budget.of(manifest), backoff)


def carry_out(made: Schedule, *bad: str) -> list[str]:
    """One step after the other, those of ``bad`` fail; all that have succeeded, as ``bad`` is."""
    done = []
    while step := made.next(0):
        label = " ".join(filter(None, step.key))
        if label in bad:
            made.failure(step, BROKEN, 0)
        else:
            made.done(step)
            done.append(label)
    return done


def test_each_zone_has_stages_gates_and_a_verification_of_its_own() -> None:
    plan = deploy_plan(ZONED, Facts())
    assert plan.stages == (
        ("alpha/single-controller", ("alpha-controller",)),
        ("alpha/single-compute", ("alpha-compute1", "alpha-compute2")),
        ("beta/single-controller", ("beta-controller",)),
        ("beta/single-compute", ("beta-compute1", "beta-compute2")),
    )
    gates = {step.stage: step.after_nodes for step in plan.steps if step.name == "gate"}
    assert gates == {
        "alpha/single-compute": ("alpha-controller",),
        "beta/single-compute": ("beta-controller",),
    }
    verifications = {step.stage: step.after_nodes for step in plan.steps if step.name == "verify"}
    nodes = ("controller", "compute1", "compute2")
    assert verifications == {
        zone: tuple(f"{zone}-{node}" for node in nodes) for zone in ("alpha", "beta")
    }
    assert [step.name for step in plan.steps if not step.zone] == SHARED


def test_without_failures_all_is_done() -> None:
    made = schedule()
    done = carry_out(made)
    assert made.left() == () and made.code is ExitCode.DONE
    assert done.count("alpha verify") == done.count("beta verify") == 1
    assert made.zones == {"alpha": "", "beta": ""}


@pytest.mark.parametrize(
    "bad",
    [
        "alpha machines",
        "alpha-controller reach",
        "alpha findings",
        "alpha-controller install",
        "alpha-controller converge",
        "alpha/single-compute gate",
        "alpha-compute1 converge",
        "alpha verify",
    ],
)
def test_what_fails_in_one_zone_stops_only_that(bad: str) -> None:
    made = schedule()
    done = carry_out(made, bad)
    assert {*SHARED, "beta verify"} <= {*done} and "alpha verify" not in done
    assert made.code is ExitCode.WITHIN_BUDGET
    assert made.zones["alpha"] and not made.zones["beta"]
    assert all(why == made.zones["alpha"] for *_, why in made.skipped())
    assert not any(node.startswith("beta") for node, *_ in made.skipped())


def test_a_step_of_no_zone_that_fails_stops_all() -> None:
    made = schedule()
    done = carry_out(made, "upload")
    assert "alpha findings" in done and "beta-controller converge" not in done
    assert made.code is ExitCode.NODES and made.why == "upload failed"


def test_if_all_zones_fail_no_further_step_begins() -> None:
    made = schedule()
    done = carry_out(made, "alpha findings", "beta-controller reach")
    assert "upload" not in done
    assert made.code is ExitCode.NODES and all(made.zones.values())


def test_the_last_zone_s_failure_keeps_what_is_left_from_beginning() -> None:
    made = schedule()
    done = carry_out(made, "alpha-controller converge", "beta-controller converge")
    assert "save" not in done and made.code is ExitCode.NODES


def test_each_zone_has_the_failure_budget() -> None:
    budget = FailureBudget("single-compute", Amount(1), AT)
    made = schedule(replace(ZONED, failure_budget=(budget,)))
    done = carry_out(made, "alpha-compute1 converge", "beta-compute1 converge")
    assert {"alpha verify", "beta verify"} <= {*done}
    assert made.code is ExitCode.WITHIN_BUDGET and not any(made.zones.values())
    made = schedule(replace(ZONED, failure_budget=(budget,)))
    done = carry_out(made, "alpha-compute1 converge", "alpha-compute2 converge")
    assert "beta verify" in done and "alpha verify" not in done
    assert made.zones["alpha"] == (
        "2 nodes with role[single-compute] in alpha failed, but the failure budget allows 1 of 2"
    )


def test_a_task_of_a_failed_zone_is_not_tried_again() -> None:
    made = schedule()
    while (step := made.next(0)) and step.key != ("alpha-controller", "converge"):
        made.done(step)
    early = [other for _ in range(2) if (other := made.next(0))]
    assert step and len(early) == 2 and early[0].node == "alpha-compute1"
    made.failure(early[0], AWAY, 0)
    assert made.failure(step, BROKEN, 0) is None
    assert carry_out(made).count("beta verify") == 1
    assert made.next_retry is None or "alpha-compute1" not in made.failed


def test_a_converge_keeps_zones_apart() -> None:
    plan = converge_plan(ZONED, Facts(), twice=True)
    (gate,) = [step for step in plan.steps if step.key == ("beta/single-compute", "gate")]
    assert {node for node, _ in gate.after if node} == {"beta-controller"}
    made = Schedule(plan, Budget.of(ZONED))
    done = carry_out(made, "alpha-controller converge")
    assert {"save", "beta-compute2 converge again"} <= {*done}
    assert made.code is ExitCode.WITHIN_BUDGET


@given(st.data())
def test_whatever_fails_in_one_zone_the_other_is_finished(data: st.DataObject) -> None:
    made = schedule()
    running: list[Step] = []
    done: set[tuple[str, str]] = set()
    now = 0.0
    while True:
        step = made.next(now) if len(running) < 3 else None
        if step:
            running.append(step)
        elif running:
            step = running.pop(data.draw(st.integers(0, len(running) - 1)))
            ends = ["done", "done", "failed", "retried"] if step.zone == "alpha" else ["done"]
            end = data.draw(st.sampled_from(ends))
            if end == "done":
                made.done(step)
                done.add(step.key)
            else:
                made.failure(step, BROKEN if end == "failed" else AWAY, now)
        elif made.next_retry is None:
            break
        else:
            now = made.next_retry
    others = {step.key for step in deploy_plan(ZONED, Facts()).steps if step.zone != "alpha"}
    assert others <= done
    assert made.zones["beta"] == ""
    bad = bool(made.failed or made.zones["alpha"])
    assert made.code is (ExitCode.WITHIN_BUDGET if bad else ExitCode.DONE)
