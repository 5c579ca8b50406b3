"""Whose turn it is: the order that holds whatever ends when, and what failures do to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.run.budget import Budget
from stackcook.run.plan import Facts, plan
from stackcook.run.schedule import Part, Schedule, Turn
from stackcook.manifest.model import FailureBudget, Manifest
from tests.fakes import AT, two_stages

NOWHERE = Path("/nowhere")


def with_budget(computes: int, amount: int, *, percent: bool = False) -> Manifest:
    manifest = two_stages(NOWHERE, computes=computes)
    budget = FailureBudget("single-compute", amount, AT, percent)
    return Manifest(**{**vars(manifest), "failure_budget": (budget,)})


def schedule(manifest: Manifest, done: tuple[str, ...] = ()) -> Schedule:
    return Schedule(plan(manifest, Facts()).stages, Budget.of(manifest), done)


def take_all(made: Schedule, *bad: str) -> list[Turn]:
    """One turn after the other; the converges of ``bad`` nodes fail."""
    turns = []
    while turn := made.next():
        turns.append(turn)
        made.ended(turn, turn.part is not Part.CONVERGE or turn.node not in bad)
    return turns


def test_all_prepare_while_the_controller_converges_and_the_gate_comes_before_the_rest() -> None:
    made = schedule(two_stages(NOWHERE, computes=2))
    controller = made.next()
    assert controller == Turn(Part.AHEAD, 0, "controller")
    made.ended(controller, True)
    converge = made.next()
    assert converge == Turn(Part.CONVERGE, 0, "controller")
    ahead = made.next(), made.next()
    assert ahead == (Turn(Part.AHEAD, 1, "compute1"), Turn(Part.AHEAD, 1, "compute2"))
    assert made.next() is None, "no gate before the controller has ended"
    for turn in ahead:
        assert turn
        made.ended(turn, True)
    assert made.next() is None
    made.ended(converge, True)
    gate = made.next()
    assert gate == Turn(Part.GATE, 1)
    assert made.next() is None
    made.ended(gate, True)
    assert made.next() == Turn(Part.CONVERGE, 1, "compute1")


def test_a_gate_that_stays_shut_ends_it() -> None:
    made = schedule(two_stages(NOWHERE, computes=1))
    while turn := made.next():
        made.ended(turn, turn.part is not Part.GATE)
    assert "the gate of stage single-compute stayed shut" in made.why
    assert made.skipped() == ("compute1",)


@pytest.mark.parametrize(
    "amount, percent, bad, why",
    [
        (20, True, 2, ""),
        (20, True, 3, "3 of role[single-compute] failed, 2 of 10 may"),
        (1, False, 1, ""),
        (0, False, 1, "1 of role[single-compute] failed, 0 of 10 may"),
        (9, True, 1, "1 of role[single-compute] failed, 0 of 10 may"),
    ],
)
def test_the_budget_of_a_role(amount: int, percent: bool, bad: int, why: str) -> None:
    made = schedule(with_budget(10, amount, percent=percent))
    names = [f"compute{n}" for n in range(1, bad + 1)]
    turns = take_all(made, *names)
    assert made.why == why
    assert list(made.failed) == names
    converged = [t.node for t in turns if t.part is Part.CONVERGE and t.node not in names]
    assert set(converged) | set(names) | set(made.skipped()) == {
        "controller",
        *(f"compute{n}" for n in range(1, 11)),
    }
    assert bool(made.skipped()) is bool(why)


def test_how_many_more_the_budget_bears() -> None:
    budget = Budget.of(with_budget(4, 2))
    assert budget.bears(()) and budget.bears(["compute1", "compute4"])
    assert not budget.bears(["compute1", "compute2", "compute3"])
    assert not budget.bears(["compute1", "controller"]), "which others wait for"
    budget.spend("compute3")
    assert budget.bears(["compute1"]) and not budget.bears(["compute1", "compute2"])


def test_a_controller_has_no_budget() -> None:
    manifest = with_budget(3, 100, percent=True)
    budget = FailureBudget("single-controller", 1, AT)
    manifest = Manifest(**{**vars(manifest), "failure_budget": (*manifest.failure_budget, budget)})
    made = schedule(manifest)
    take_all(made, "controller")
    assert made.why == "controller failed, and has no failure budget"
    assert made.skipped() == ("compute1", "compute2", "compute3")


def test_without_a_budget_the_others_of_the_stage_get_their_turn() -> None:
    made = schedule(two_stages(NOWHERE, computes=3))
    take_all(made, "compute1")
    assert made.why == "compute1 failed, and has no failure budget"
    assert made.skipped() == ()


def test_what_is_done_has_no_turn() -> None:
    made = schedule(two_stages(NOWHERE, computes=2), ("controller", "compute1"))
    turns = take_all(made)
    assert [turn.part for turn in turns] == [Part.GATE, Part.AHEAD, Part.CONVERGE]
    assert {turn.node for turn in turns} == {"", "compute2"}
    assert take_all(schedule(two_stages(NOWHERE), ("controller", "compute1"))) == []


@given(st.data())
def test_whatever_ends_when_the_order_holds(data: st.DataObject) -> None:
    computes = data.draw(st.integers(0, 6))
    made = schedule(with_budget(computes, data.draw(st.integers(0, 3))))
    nodes = ["controller", *(f"compute{n}" for n in range(1, computes + 1))]
    running: list[Turn] = []
    begun: list[Turn] = []
    controller = False
    while True:
        turn = made.next() if len(running) < 3 else None
        if turn:
            assert turn not in begun, "nothing has two turns"
            if turn.part is Part.CONVERGE:
                assert Turn(Part.AHEAD, turn.stage, turn.node) in begun
                assert turn.stage == 0 or controller
            begun.append(turn)
            running.append(turn)
            continue
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        well = data.draw(st.booleans())
        controller = controller or (ended.part is Part.GATE and well)
        made.ended(ended, well)
    converged = {t.node for t in begun if t.part is Part.CONVERGE} - set(made.failed)
    assert converged | set(made.failed) | set(made.skipped()) == set(nodes)
    assert made.why or not made.skipped()
