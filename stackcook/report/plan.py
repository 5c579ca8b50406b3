"""A plan for people and as JSON holds it: the Chef server's objects, then stages and nodes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from stackcook.bootstrap.providers import create_arguments
from stackcook.run.outlook import Creation, Deletion, Outlook
from stackcook.run.plan import ChefAction, MachineAction, NodePlan, Plan
from stackcook.errors import counted
from stackcook.manifest.model import MachineKind, Node
from stackcook.redact import Redactor
from stackcook.report import difference

_MACHINE: Mapping[MachineKind, Mapping[MachineAction, str]] = {
    MachineKind.VAGRANT: {
        MachineAction.MAKE: "make the machine, ",
        MachineAction.START: "start the machine, ",
    },
    MachineKind.SSH: {MachineAction.MAKE: "wait until it answers SSH, "},
}


def render(outlook: Outlook, kind: MachineKind) -> Text:
    """The plan as lines; ends without a newline. ``kind`` says how machines come up."""
    parts: list[Text] = []
    if outlook.deletion:
        parts += _deletion(outlook.deletion, outlook.server)
    if outlook.creation:
        parts += _creation(outlook.creation, outlook.server, kind)
    return Text("\n").join(parts) if parts else Text("there is nothing to do")


def data(outlook: Outlook) -> dict[str, Any]:
    """The plan as JSON holds it; what wasn't asked for is null."""
    deletion, creation = outlook.deletion, outlook.creation
    found = creation.difference if creation else None
    return {
        "delete": deletion
        and {
            "nodes": [
                {"name": gone.node.name, "machine": gone.machine, "registered": gone.registered}
                for gone in deletion.removals
            ],
            "objects": list(deletion.objects),
            "state": str(deletion.state) if deletion.state else None,
        },
        "chef_server": found and {"url": outlook.server, **difference.data(found)},
        "passwords": creation and list(creation.passwords),
        "stages": creation
        and [
            {
                "name": stage.name,
                "after": [node.name for node in stage.after],
                "nodes": [_node(part) for part in stage.nodes],
            }
            for stage in creation.plan.stages
        ],
        "knife": creation and [Redactor().command(command) for command in creation.last],
    }


def _deletion(deletion: Deletion, server: str | None) -> Iterator[Text]:
    if deletion.removals or deletion.state:
        yield Text("`stackcook destroy` takes away")
    for gone in deletion.removals:
        what = ["machine"] * gone.machine + ["node and client"] * gone.registered
        yield _word("gone", f"{' and '.join(what)} {gone.node.name}")
    if deletion.state:
        yield _word("gone", f"{deletion.state} with passwords, keys and the embedded Chef server")
    if deletion.objects:
        yield Text(f"`stackcook upload --delete` takes from {server}")
    yield from (_word("gone", label) for label in deletion.objects)
    if deletion == Deletion():
        yield Text("there is nothing to delete")


def _creation(creation: Creation, server: str | None, kind: MachineKind) -> Iterator[Text]:
    if creation.difference:
        nothing = "no Chef server is running: everything is new"
        yield Text(f"Chef server {server}" if server else nothing)
        if creation.passwords:
            yield Text.assemble("  ", ("new      ", "green"), f"  {_passwords(creation.passwords)}")
        yield difference.render(creation.difference)
    yield from map(Text, _stages(creation.plan, kind))
    if creation.last:
        yield Text("last")
        yield from (Text(f"  {Redactor().command(command)}") for command in creation.last)


def _passwords(names: tuple[str, ...]) -> str:
    return f"{counted(len(names), 'password')}, generated"


def _word(word: str, label: str) -> Text:
    return Text.assemble("  ", (f"{word:9}", "red"), f"  {label}")


def _stages(made: Plan, kind: MachineKind) -> Iterator[str]:
    """A line a stage and a line a node; below a node that knife makes, knife's command."""
    name = max((len(node.name) for node in made.nodes), default=0)
    place = max((len(_place(node)) for node in made.nodes), default=0)
    for stage in made.stages:
        gate = ", once the services on the nodes above answer" if stage.after else ""
        yield f"stage {stage.name}{gate}"
        for part in stage.nodes:
            shown = f"{part.node.name:{name}}  {_place(part.node):{place}}"
            yield f"  {shown}  {_machine(part, kind)}{_chef(part)}"
            if command := _command(part):
                yield f"    {command}"


def _place(node: Node) -> str:
    """Where the node is: its address, else the name that it is reached by, else who makes it."""
    return str(node.address or node.host or node.provider)


def _machine(part: NodePlan, kind: MachineKind) -> str:
    if part.node.provider:
        return ""  # one command makes the machine and brings it under Chef
    return _MACHINE[kind].get(part.machine, "")


def _chef(part: NodePlan) -> str:
    node = part.node
    verb = "bootstrap with" if part.chef is ChefAction.BOOTSTRAP else "converge"
    if node.policy_name:
        return f"{verb} policy {node.policy_name} of {node.policy_group}"
    environment = "" if node.environment == Node.environment else f" in {node.environment}"
    return f"{verb} {', '.join(node.run_list) or 'an empty run list'}{environment}"


def _command(part: NodePlan) -> str | None:
    """The command of knife that the bootstrap is."""
    if not part.node.provider or part.chef is not ChefAction.BOOTSTRAP:
        return None
    return Redactor().command(shlex.join(("knife", *create_arguments(part.node))))


def _node(part: NodePlan) -> dict[str, Any]:
    node = part.node
    return {
        "name": node.name,
        "address": str(node.address) if node.address else None,
        "provider": node.provider,
        "environment": node.environment,
        "run_list": list(node.run_list),
        "policy": node.policy_name,
        "machine": part.machine.value,
        "chef": part.chef.value,
        "command": _command(part),
    }
