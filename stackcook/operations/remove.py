"""``node remove``: takes one compute node out of a running cloud, and gives its host back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackcook.bootstrap.record import Keep
from stackcook.errors import ExitCode, UsageError
from stackcook.machines.base import RUNNING, STOPPED
from stackcook.manifest.model import Manifest, Node
from stackcook.operations.destroy import GIVE_BACK_TIMEOUT, give_back_step, given_back
from stackcook.operations.runner import Settings, run
from stackcook.run.events import Listener
from stackcook.run.executor import Action, Task
from stackcook.run.plan import Plan, Step
from stackcook.verify.check import pointing_here
from stackcook.verify.member import COMPUTE_UNITS, Member

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site


@dataclass(frozen=True)
class Leaving:
    """A node that is to be removed, and what was observed of it.

    ``listed``: the manifest has it. ``state`` is its machine's, ``units`` what it runs as the Chef
    server knows it, ``registered`` whether that has it, in an environment of the manifest.
    ``os_cloud`` is the cloud's name in clouds.yaml.
    """

    node: Node
    listed: bool
    state: str
    units: frozenset[str]
    registered: bool
    member: Member
    os_cloud: str = "stackcook"

    @property
    def answers(self) -> bool:
        """Whether its host or machine can be worked on."""
        return self.state == RUNNING or self.state == STOPPED and self.listed


def remove(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    leaving: Leaving,
    *,
    delete_instances: bool = False,
    settings: Settings = Settings(),
) -> ExitCode:
    """Remove the node; raises UsageError where :func:`refuse` does."""
    refuse(leaving, delete_instances=delete_instances)
    plan = remove_plan(manifest, leaving)
    made = actions(manifest, site, leaving)
    return run(plan, made, manifest, site, listeners, settings)


def refuse(leaving: Leaving, *, delete_instances: bool) -> None:
    """Raise UsageError if the node is unknown, or the cloud would lose something. Pure."""
    name, member = leaving.node.name, leaving.member
    if not (leaving.listed or leaving.registered or member.hosts or member.providers):
        remedy = "`stackcook verify` lists the compute nodes that only the cloud has"
        raise UsageError(
            "neither the manifest nor the cloud has this node", where=name, remedy=remedy
        )
    if more := sorted((leaving.units - COMPUTE_UNITS).union(member.others)):
        what = f"it is not only a compute node: it also runs {', '.join(more)}"
        kept = [unit for unit in more if unit.startswith(("swift-", "ceph-", "cinder-volume"))]
        remedy = "only compute nodes can be removed; use `stackcook destroy` for the whole cloud"
        if kept:
            remedy = f"data of {', '.join(kept)} on its disks would be lost: move it away first"
        raise UsageError(what, where=name, remedy=remedy)
    if member.instances and not delete_instances:
        shown = ", ".join(f"{each.name} ({each.status})" for each in member.instances)
        raise UsageError(
            f"it has instances: {shown}",
            where=name,
            remedy=f"delete them with `openstack --os-cloud {leaving.os_cloud} server delete`, or"
            " add --delete-instances; they cannot be migrated, because nodes do not share disks",
        )


def remove_plan(manifest: Manifest, leaving: Leaving) -> Plan:
    """The plan. Pure."""
    node, member = leaving.node, leaving.member
    steps: list[Step] = []

    def add(name: str, does: str) -> None:
        after = (steps[-1].key,) if steps else ()
        steps.append(Step(name, does, after=after, retry=True))

    if member.services:
        add("disable", "disable nova-compute, so that no instance is scheduled to the node")
    if member.instances:
        add("instances", f"delete {len(member.instances)} instances")
    after = (steps[-1].key,) if steps else ()
    if leaving.answers and given_back(manifest, node):
        steps.append(give_back_step(node, "", after))
    elif leaving.answers and leaving.listed:
        add("machine", "destroy its machine")
    if member.hosts or member.providers:
        # Nova's cells first: see `member.cell_script`
        add("databases", "delete its chassis from OVN, and prepare its record in Nova's cell")
        add("nova", "delete its compute service and its resource provider")
        add("neutron", "delete its agents")
    add("nodes", "delete the node and its client from the Chef server")
    return Plan("node remove", tuple(steps))


def actions(manifest: Manifest, site: Site, leaving: Leaving) -> dict[str, Action]:
    """What the steps do."""
    node, member = leaving.node, leaving.member

    def machine(task: Task) -> str:
        site.machines.destroy([node], task.say)
        return "deleted"

    def asking(work: Callable[[Member], str]) -> Action:
        """The action that asks the cloud to do something."""

        def act(_task: Task) -> str:
            with pointing_here():
                return work(member)

        return act

    return {
        "disable": asking(site.disable),
        "instances": asking(site.delete_instances),
        "give back": lambda task: site.give_back(node, Keep(), GIVE_BACK_TIMEOUT, task.say),
        "machine": machine,
        "nova": asking(site.leave_nova),
        "neutron": asking(site.leave_neutron),
        "databases": lambda _: site.forget_member(member),
        "nodes": lambda _: site.unregister(node),
    }


def question(manifest: Manifest, leaving: Leaving) -> str:
    """What the user is asked before anything is changed. Pure."""
    name, member = leaving.node.name, leaving.member
    asked = [f"Remove {name} from the cloud {manifest.name}"]
    if names := ", ".join(each.name for each in member.instances):
        asked.append(f"and delete {names}")
    warnings = []
    if not leaving.answers:
        warnings.append(f"{name} does not answer, so nothing is removed on its host.")
    if member.last:
        warnings.append(f"{name} is the last compute node: no instance can run without it.")
    return " ".join((*warnings, f"{', '.join(asked)}?"))


def advice(manifest: Manifest, leaving: Leaving) -> tuple[str, ...]:
    """What is left to do for the user, after the node was removed. Pure."""
    name, found = leaving.node.name, []
    if leaving.listed:
        found.append(
            f"{manifest.path} still has {name}: remove it there, or the next deploy adds it again"
        )
    if not leaving.answers:
        found.append(
            f"nothing was changed on the host of {name}, which did not answer: if it comes back,"
            " its services will join the cloud again; reinstall it"
        )
    return tuple(found)
