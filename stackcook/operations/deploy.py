"""``deploy``: from the manifest to a verified cloud."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.preflight import is_hostname
from stackcook.errors import ExitCode, UsageError, VerifyError, counted
from stackcook.machines.base import ABSENT, RUNNING, STOPPED
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations.chefsite import ChefSite
from stackcook.operations.shared import (
    Actions,
    Facts,
    ZoneStages,
    by_zone,
    save_step,
    server_steps,
    chef_steps,
    converges_last,
    firewall_step,
    gate_step,
    named_or_counted,
    preflight_steps,
    reach_steps,
    run_lists_step,
    staged,
)
from stackcook.operations.runner import Settings, run
from stackcook.operations.snapshot import Wish, restore_step, restored, start_of, what_changed
from stackcook.retry import Backoff
from stackcook.run.events import FINDINGS, PREFLIGHT, Listener
from stackcook.run.executor import Action, Task
from stackcook.run.lock import forget_session
from stackcook.run.record import LastDeploy, new_id
from stackcook.run.plan import Key, Plan, Step

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site

_MACHINE = {RUNNING: "", STOPPED: "start"}
"""What is done with a machine in that state; in any other state it is created."""


def deploy(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    only: Collection[str] = (),
    *,
    last: LastDeploy | None = None,
    anew: bool = False,
    ignore: Collection[str] = (),
    named: bool = False,
    reset: bool = False,
    snapshot: str = "",
    settings: Settings = Settings(),
) -> ExitCode:
    """Bring up the cloud: all nodes, or those in ``only``.

    Begins with a snapshot if there are no machines yet, unless ``anew``; with ``reset``, machines
    are replaced, and ``snapshot`` may name one. Resumes the ``last`` deploy if its inputs are the
    same and it did not finish, unless ``anew``: the nodes that it has converged are only inspected.
    ``ignore`` has the IDs of findings of
    preflight that do not stop it. ``named``: new hosts get the names of their nodes; raises
    UsageError if such a name can't be a host name.
    """
    _check_names(manifest, only, named)
    forget_session(manifest.state)
    now, digest = settings.clock(), site.digest()
    resumed = None if anew else last and last.resumable(digest, now)
    id = resumed.id if resumed else new_id("d", now)
    facts = replace(observe(manifest, site, only, resumed), named=named)
    wish = Wish(reset, snapshot, anew, bool(only) or site.bundle is not None)
    if start := start_of(manifest, site, facts.machines, digest, now, wish):
        facts = restored(facts, manifest, start)
        id = start.snapshot.deploy if start.same else new_id("d", now)
    plan = deploy_plan(manifest, facts, only)
    made = actions(manifest, site, facts, id, only, ignore)
    return run(plan, made, manifest, site, listeners, settings, deploy=id, digest=digest)


def preflight(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    only: Collection[str] = (),
    *,
    ignore: Collection[str] = (),
    named: bool = False,
    settings: Settings = Settings(),
) -> ExitCode:
    """Inspect the nodes as a deploy does, and end before the first change of one; no retries.

    Machines are not created: only those that run are inspected. Raises UsageError without any.
    """
    _check_names(manifest, only, named)
    facts = replace(observe(manifest, site, only), named=named)
    states = facts.machines.items()
    only = {name for name, state in states if state == RUNNING or not _creates(manifest)}
    if not only:
        what = "there is no node to inspect, or no machine that runs"
        raise UsageError(what, where="preflight", remedy="run `stackcook deploy`")
    steps = deploy_plan(manifest, facts, only).steps
    last = next(number for number, step in enumerate(steps, 1) if step.name == FINDINGS)
    plan = Plan(PREFLIGHT, steps[:last])
    made = actions(manifest, site, facts, "", only, ignore)
    settings = replace(settings, backoff=Backoff(()))
    return run(plan, made, manifest, site, listeners, settings)


def observe(
    manifest: Manifest,
    site: Site | ChefSite,
    only: Collection[str] = (),
    resumed: LastDeploy | None = None,
) -> Facts:
    """What the plan of a deploy depends on; changes nothing."""
    nodes = [node for node in manifest.nodes if not only or node.name in only]
    names = {node.name for node in nodes}
    states = site.machines.states(nodes) if nodes else {}
    there = {name for name, state in states.items() if state in _MACHINE}
    registered = there.intersection(site.registered()) if there else frozenset()
    return Facts(
        states,
        registered,
        site.recipes_to_prepare(nodes),
        frozenset(names.intersection(resumed.done)) if resumed else frozenset(),
        site.outdated([node for node in nodes if node.name in registered]),
        site.bundle is not None,
        in_turn=site.in_turn(nodes, registered),
        renewals=site.renewals(),
    )


def deploy_plan(manifest: Manifest, facts: Facts, only: Collection[str] = ()) -> Plan:
    """The plan for all nodes, or those in ``only``. Pure."""
    stages = staged(manifest, only)
    zones = by_zone(stages)
    nodes = [node for stage in stages for node in stage.nodes]
    machines = {node.name: _machine(node, manifest, facts) for node in nodes}
    check = Step("check", "read and check the Chef repository", changes=False)
    restore = [replace(restore_step(facts.start), after=(check.key,))] if facts.start else []
    before = [check, *restore]
    generates = "generate the passwords and keys that are missing"
    if manifest.tls:
        generates += ", and the certificates that are missing or due"
    does = "; ".join((generates, *facts.renewals))
    secrets = Step("secrets", does, after=(before[-1].key,))
    network, server = server_steps(after=(secrets.key,))
    steps = [*before, secrets, network, server]
    inspected: list[Key] = []
    for zone in zones:
        does = _machines({node.name: machines[node.name] for node in zone.nodes})
        up = Step("machines", does, stage=zone.name, after=(server.key,), zone=zone.name)
        looks = preflight_steps(zone, facts.done)
        steps += [up, *reach_steps(zone.stages, up.key), *looks]
        inspected.append(looks[-1].key)
    upload = Step(
        "upload",
        "upload what differs from the Chef repository",
        after=tuple(inspected) or (server.key,),
        retry=True,
    )
    steps.append(upload)
    last = upload.key
    if manifest.firewall and 0 < len(nodes) < len(manifest.nodes):
        steps.append(firewall_step(stages, last))
        last = steps[-1].key
    if nodes:
        steps.append(run_lists_step(stages, facts, last))
        last = steps[-1].key
    for stage in stages:
        gate = gate_step(stage, last)
        if gate and not facts.done.issuperset(node.name for node in stage.nodes):
            steps.append(gate)
        of_nodes = (
            chef_steps(manifest, node, stage, facts, registered=node.name in facts.registered)
            for node in stage.nodes
            if node.name not in facts.done
        )
        steps += converges_last(of_nodes, facts)
    names = tuple(node.name for node in nodes)
    if manifest.knife:
        does = "run the commands of the section `knife`"
        steps.append(Step("knife", does, after=(last,), after_nodes=names))
        last = ("", "knife")
    steps.append(save_step((last,), names))
    steps += (_verify(manifest, zone, last) for zone in zones)
    made = {name: what for name, what in machines.items() if what}
    return Plan("deploy", tuple(steps), made, facts.done, frozenset(facts.in_turn))


def actions(
    manifest: Manifest,
    site: Site,
    facts: Facts,
    id: str,
    only: Collection[str],
    ignore: Collection[str] = (),
) -> dict[str, Action]:
    """What the steps of a deploy do."""
    stages = staged(manifest, only)
    zones = {zone.name: zone.nodes for zone in by_zone(stages)}
    nodes = [node for stage in stages for node in stage.nodes]
    deploy = Deploy(id, frozenset(node.name for node in nodes), facts.recipes)
    shared = Actions(manifest, site, stages, facts, deploy, ignore, wanted=site.wanted)
    one_at_a_time = threading.Lock()

    def restore(_: Task) -> str:
        assert facts.start
        return site.restore(facts.start) + what_changed(facts.start)

    def machines(task: Task) -> str:
        nodes = zones[task.step.zone]
        if _creates(manifest):
            # A machine that is about to be created has a host key that nobody has seen yet. A host
            # has not: it may only be off, and another machine may answer at its address.
            states = site.machines.states(nodes)
            site.forget_host_keys([node for node in nodes if states[node.name] == ABSENT])
        with one_at_a_time:  # Vagrant refuses to run twice for the same machines
            site.machines.up(nodes, task.say)
        shared.find_hosts(nodes)
        names = named_or_counted([node.name for node in nodes])
        return f"{'running' if _creates(manifest) else 'existing hosts'}: {names}"

    def upload(task: Task) -> str:
        done = site.upload(task.say)
        return done if nodes else f"{done}; the manifest has no nodes to deploy"

    def verify(task: Task) -> str:
        zone = task.step.zone
        report = site.verify(zone=zone, without=task.failed, deploy=deploy, say=task.say)
        for check in report.failures:
            task.report(VerifyError(str(check)), check.node)
        if not report.ok:
            raise VerifyError(
                f"{len(report.failures)} of {len(report.checks)} checks failed",
                remedy="fix the failures listed above, then run `stackcook verify`",
            )
        return "; ".join((f"{counted(len(report.checks), 'check')} passed", *report.notes))

    return {
        **shared.by_name(),
        "check": lambda _: site.check(),
        "restore": restore,
        "secrets": lambda _: site.secrets(),
        "machines": machines,
        "upload": upload,
        "knife": lambda task: site.knife(task.say),
        "verify": verify,
    }


def _verify(manifest: Manifest, zone: ZoneStages, after: Key) -> Step:
    """The last step of a zone; it boots instances, unless the manifest says that it shall not."""
    does = "check that the cloud works"
    if manifest.verify_instance:
        does += ", also with an instance on each compute node"
    elif manifest.verify_instance is None:
        does += ", also with instances if it has an external network and an image `test`"
    return Step(
        "verify",
        does,
        stage=zone.name,
        after=(after,),
        after_nodes=tuple(node.name for node in zone.nodes),
        retry=True,
        changes=False,
        zone=zone.name,
    )


def _check_names(manifest: Manifest, only: Collection[str], named: bool) -> None:
    """Raise UsageError if nodes are to give hosts names that these can't have."""
    nodes = (node.name for node in manifest.nodes if not only or node.name in only)
    if named and (wrong := [name for name in nodes if not is_hostname(name)]):
        what = f"{', '.join(wrong)} cannot be the name of a host"
        remedy = "use letters, digits and hyphens in the names of nodes"
        raise UsageError(what, where="--set-hostnames", remedy=remedy)


def _creates(manifest: Manifest) -> bool:
    return manifest.machines is MachineKind.VAGRANT


def _machine(node: Node, manifest: Manifest, facts: Facts) -> str:
    """What is done with the node's machine: "create", "start", or nothing."""
    if node.provider or not _creates(manifest):
        return ""
    return _MACHINE.get(facts.machines.get(node.name, ABSENT), "create")


def _machines(machines: dict[str, str]) -> str:
    """What the step ``machines`` does."""
    parts = []
    for verb in ("create", "start"):
        if names := [name for name, what in machines.items() if what == verb]:
            parts.append(f"{verb} {named_or_counted(names, 'machines')}")
    return " and ".join(parts) or "check that the machines are up"
