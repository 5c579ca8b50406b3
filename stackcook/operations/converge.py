"""``converge``: run chef-client again, stage by stage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stackcook.bootstrap.base import ConvergeResult, Deploy
from stackcook.errors import ExitCode, NodeError
from stackcook.manifest.model import Amount, Manifest
from stackcook.operations.batches import batched
from stackcook.operations.chefsite import ChefSite
from stackcook.operations.shared import (
    Actions,
    Facts,
    StageNodes,
    by_zone,
    save_step,
    server_steps,
    chef_steps,
    gate_step,
    preflight_steps,
    reach_steps,
    run_lists_step,
    staged,
)
from stackcook.operations.runner import Settings, run
from stackcook.run.events import Listener
from stackcook.run.executor import Action, NewPlan, Task
from stackcook.run.record import new_id
from stackcook.run.plan import Key, Plan, Step

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site


def converge(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    only: Collection[str] = (),
    *,
    twice: bool = False,
    batch: Amount | None = None,
    ignore: Collection[str] = (),
    settings: Settings = Settings(),
) -> ExitCode:
    """Run chef-client on all nodes, or those in ``only``; ``twice`` also tests idempotence.

    With ``batch``, it ends at the first batch with a failed node. ``ignore`` has the IDs of
    findings of preflight that do not stop it.
    """
    id = new_id("c", settings.clock())
    facts = observe(manifest, site, only)
    plan = converge_plan(manifest, facts, only, twice=twice, batch=batch)
    made = actions(manifest, site, facts, id, only, ignore, batch)
    return run(plan, made, manifest, site, listeners, settings, deploy=id)


def observe(manifest: Manifest, site: Site | ChefSite, only: Collection[str] = ()) -> Facts:
    """What the plan depends on. Every node counts as registered; its preflight checks that."""
    nodes = [node for node in manifest.nodes if not only or node.name in only]
    registered = frozenset(node.name for node in manifest.nodes)
    return Facts(registered=registered, in_turn=site.in_turn(nodes, registered))


def converge_plan(
    manifest: Manifest,
    facts: Facts,
    only: Collection[str] = (),
    *,
    twice: bool = False,
    batch: Amount | None = None,
) -> Plan:
    """The plan for all nodes, or those in ``only``. Pure."""
    stages = _stages(manifest, only, batch)
    network, server = server_steps()
    steps = [network, server]
    inspected: list[Key] = []
    for zone in by_zone(stages):
        looks = preflight_steps(zone)
        steps += [*reach_steps(zone.stages, server.key), *looks]
        inspected.append(looks[-1].key)
    run_lists = run_lists_step(stages, facts, *inspected)
    steps.append(run_lists)
    converged: dict[str, list[Key]] = {}
    for stage in stages:
        earlier = converged.setdefault(stage.zone, [])
        if gate := gate_step(stage, run_lists.key, converged=earlier):
            steps.append(gate)
        for node in stage.nodes:
            steps += map(_by_steps, chef_steps(manifest, node, stage, facts, registered=True))
            earlier.append(steps[-1].key)
    save = save_step(tuple(key for keys in converged.values() for key in keys))
    steps.append(save)
    if twice:
        steps += _again(steps, save)
    return Plan("converge", tuple(steps), in_turn=frozenset(facts.in_turn))


def _again(steps: Sequence[Step], save: Step) -> list[Step]:
    """The second converge of each node, after all first ones are saved: a test of idempotence.

    They wait for each other as the first ones do.
    """
    name = "converge again"
    first = [step for step in steps if step.name == "converge"]
    again_of = {step.key: (step.node, name) for step in first}
    again = [
        replace(
            step,
            name=name,
            does="converge again, and fail if anything changes",
            after=(save.key, *(again_of[key] for key in step.after if key in again_of)),
        )
        for step in first
    ]
    return [*again, replace(save, name="save again", after=tuple(step.key for step in again))]


def _by_steps(step: Step) -> Step:
    """The step, which waits for the converges of nodes, and not for what these do afterwards."""
    after = (*step.after, *((node, "converge") for node in step.after_nodes))
    return replace(step, after=after, after_nodes=())


def actions(
    manifest: Manifest,
    site: Site,
    facts: Facts,
    id: str,
    only: Collection[str],
    ignore: Collection[str] = (),
    batch: Amount | None = None,
) -> dict[str, Action]:
    """What the steps of a converge do."""
    stages = _stages(manifest, only, batch)
    names = frozenset(node.name for stage in stages for node in stage.nodes)
    made = Actions(manifest, site, stages, facts, Deploy(id, names), ignore)
    shared = made.by_name()

    def chef_server(task: Task) -> str:
        found = str(shared["chef server"](task))
        nodes = [node for node in manifest.nodes if node.name in names]
        made.find_hosts(nodes)  # a provider's machines, by their node objects
        return found

    def preflight(task: Task) -> str:
        found = shared["preflight"](task)
        if isinstance(found, NewPlan):
            raise NodeError(
                f"it cannot be converged yet: {found.why}",
                where=task.step.node,
                remedy="run `stackcook deploy` first",
            )
        return str(found)

    def again(task: Task) -> ConvergeResult | str | NewPlan:
        result = shared["converge"](replace(task, step=replace(task.step, name="converge")))
        if isinstance(result, ConvergeResult) and result.updated:
            changed = ", ".join(result.changed)
            raise NodeError(
                f"the second converge changed {result.updated} of {result.total} resources"
                f" ({changed})",
                where=task.step.node,
                remedy="make these resources idempotent (add not_if or only_if)",
            )
        return result

    return {
        **shared,
        "chef server": chef_server,
        "preflight": preflight,
        "converge again": again,
        "save again": shared["save"],
    }


def _stages(
    manifest: Manifest, only: Collection[str], batch: Amount | None
) -> tuple[StageNodes, ...]:
    stages = staged(manifest, only)
    return tuple(batched(stages, batch)) if batch else stages
