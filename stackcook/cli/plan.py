"""``stackcook plan``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from stackcook.cli.context import Context
from stackcook.deploy.plan import ChefAction, MachineAction, NodePlan, Plan
from stackcook.manifest.model import MachineKind

_MACHINE = {
    MachineKind.VAGRANT: {
        MachineAction.MAKE: "make the machine, ",
        MachineAction.START: "start the machine, ",
    },
    MachineKind.SSH: {MachineAction.MAKE: "wait until it answers SSH, "},
}


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Show what deploy would do with each node, stage by stage; change nothing.

    Looks at the machines, and asks the Chef server where one is running.
    """
    from stackcook.cli.wiring import RealSite
    from stackcook.deploy.plan import Facts, plan

    manifest = context.load()
    site = RealSite(manifest)
    site.check()
    facts = Facts(site.machines.states(manifest.nodes), site.registered())
    made = plan(manifest, facts)
    text = "\n".join(_lines(made, manifest.machines)) or "there are no nodes"
    context.console.result(text, _data(made))


def _lines(made: Plan, kind: MachineKind) -> Iterator[str]:
    width = max((len(node.name) for node in made.nodes), default=0)
    for stage in made.stages:
        gate = ", once the services on the nodes above answer" if stage.after else ""
        yield f"stage {stage.name}{gate}"
        for part in stage.nodes:
            run_list = ", ".join(part.node.run_list) or "an empty run list"
            chef = "bootstrap with" if part.chef is ChefAction.BOOTSTRAP else "converge"
            machine = _MACHINE[kind].get(part.machine, "")
            yield f"  {part.node.name:{width}}  {part.node.address}  {machine}{chef} {run_list}"


def _data(made: Plan) -> dict[str, Any]:
    return {
        "stages": [
            {
                "name": stage.name,
                "after": [node.name for node in stage.after],
                "nodes": [_node(part) for part in stage.nodes],
            }
            for stage in made.stages
        ]
    }


def _node(part: NodePlan) -> dict[str, Any]:
    return {
        "name": part.node.name,
        "address": str(part.node.address),
        "environment": part.node.environment,
        "run_list": list(part.node.run_list),
        "machine": part.machine.value,
        "chef": part.chef.value,
    }
