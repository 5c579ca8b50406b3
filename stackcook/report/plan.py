"""A plan for people and as JSON: the Chef server's objects, then every step in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from stackcook.errors import counted
from stackcook.manifest.model import Node
from stackcook.redact import Redactor
from stackcook.report import difference
from stackcook.run.events import LOOKS
from stackcook.run.plan import RUN_LISTS, Plan, Step
from stackcook.run.preview import Creation, Deletion, Preview


def render(preview: Preview) -> Text:
    """The plan as lines; ends without a newline."""
    parts: list[Text] = []
    if preview.deletion:
        parts += _deletion(preview.deletion, preview.server)
    if preview.creation:
        parts += _creation(preview.creation, preview.server, preview.unasked)
    return Text("\n").join(parts) if parts else Text("nothing to do")


def data(preview: Preview) -> dict[str, Any]:
    """The plan as JSON holds it; parts that were not requested are null.

    ``steps`` are all steps in the order in which one worker would take them.
    """
    deletion, creation = preview.deletion, preview.creation
    found = creation.difference if creation else None
    plans = [part.plan for part in (deletion, creation) if part]
    return {
        "delete": deletion
        and {
            "nodes": [
                {
                    "name": gone.node.name,
                    "machine": gone.machine,
                    "registered": gone.registered,
                    "host": gone.host,
                }
                for gone in deletion.removals
            ],
            "objects": list(deletion.objects),
            "state": str(deletion.state) if deletion.state else None,
        },
        "chef_server": found and {"url": preview.server, **difference.data(found)},
        "passwords": creation and list(creation.passwords),
        "stages": creation and list(_stage_data(creation)),
        "steps": [_step(plan, step) for plan in plans for step in plan.steps],
        "knife": creation and [Redactor().command(command) for command in creation.commands],
    }


def _stage_data(creation: Creation) -> Iterator[dict[str, Any]]:
    plan, nodes = creation.plan, {node.name: node for node in creation.nodes}
    for name, names in plan.stages:
        gate = _gate(plan, name)
        yield {
            "name": name,
            "after": _waits_for(gate) if gate else [],
            "nodes": [_node(plan, nodes[name]) for name in names],
        }


def _waits_for(gate: Step) -> list[str]:
    """The nodes whose steps come before a gate."""
    return list(gate.after_nodes) or [node for node, _ in gate.after if node]


def _node(plan: Plan, node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": str(node.address) if node.address else None,
        "provider": node.provider,
        "environment": node.environment,
        "run_list": list(node.run_list),
        "policy": node.policy_name,
        "machine": plan.machines.get(node.name),
        "done": node.name in plan.done,
        "steps": [step.name for step in plan.of(node.name)],
    }


def _step(plan: Plan, step: Step) -> dict[str, Any]:
    after = [f"{where}: {name}" if where else name for where, name in step.after]
    return {
        "command": plan.command,
        "step": step.name,
        "node": step.node or None,
        "stage": step.stage or None,
        "zone": step.zone or None,
        "does": step.does,
        "after": after,
        "after_nodes": list(step.after_nodes),
        "timeout": step.timeout,
        "retry": step.retry,
    }


def _deletion(deletion: Deletion, server: str | None) -> Iterator[Text]:
    if deletion.removals or deletion.state:
        yield Text("`stackcook destroy` would delete")
    for gone in deletion.removals:
        what = ["machine"] * gone.machine + ["node and client"] * gone.registered
        yield _word("delete", f"{' and '.join(what)} {gone.node.name}")
        if gone.host:
            yield _word("give back", f"host {gone.node.name}: what the cloud has brought, and /etc")
    if deletion.state:
        yield _word("delete", f"{deletion.state} with passwords, keys and the embedded Chef server")
    if deletion.objects:
        yield Text(f"`stackcook upload --delete` would delete from {server}")
    yield from (_word("delete", label) for label in deletion.objects)
    if not (deletion.removals or deletion.state or deletion.objects):
        yield Text("nothing to delete")


def _creation(creation: Creation, server: str | None, unasked: str) -> Iterator[Text]:
    if creation.difference:
        nothing = f"{unasked or 'no Chef server is running'}, so everything is shown as new"
        yield Text(f"Chef server {server}" if server else nothing)
        if creation.passwords:
            generated = f"{counted(len(creation.passwords), 'password')}, generated"
            yield Text.assemble("  ", ("new      ", "green"), f"  {generated}")
        yield difference.render(creation.difference)
    yield from map(Text, _steps(creation))
    if creation.commands:
        yield Text("commands of the section `knife`")
        yield from (Text(f"  {Redactor().command(command)}") for command in creation.commands)


def _word(word: str, label: str) -> Text:
    return Text.assemble("  ", (f"{word:9}", "red"), f"  {label}")


def _steps(creation: Creation) -> Iterator[str]:
    """One line per step for the whole deployment, and one line per node with all of its steps."""
    plan, nodes = creation.plan, {node.name: node for node in creation.nodes}
    places = {name: _place(node) for name, node in nodes.items()}
    name = max(map(len, places), default=0)
    place = max(map(len, places.values()), default=0)
    shown = {step.key: " ".join(step.key).strip() for step in plan.of("") if step.name != "gate"}
    whole = max(map(len, shown.values()), default=0)
    head = "first"
    for step in plan.steps:
        if step.key not in shown:
            continue
        if head:
            yield head
        head = ""
        yield f"  {shown[step.key]:{whole}}  {step.does}"
        if step.key != RUN_LISTS:
            continue
        for stage, names in plan.stages:
            gate = _gate(plan, stage)
            yield f"stage {stage}{f': before the converge, {gate.does}' if gate else ''}"
            for each in names:
                yield f"  {each:{name}}  {places[each]:{place}}  {_node_line(plan, each)}".rstrip()
        head = "finally"


def _node_line(plan: Plan, node: str) -> str:
    """What is done with the node."""
    machine = plan.machines.get(node)
    does = [f"{machine} the machine"] if machine else []
    does += (each.does for each in plan.of(node) if each.name not in LOOKS)
    return ", ".join(does) or "already converged by the deploy that this one resumes"


def _gate(plan: Plan, stage: str) -> Step | None:
    return next((each for each in plan.of("") if each.key == (stage, "gate")), None)


def _place(node: Node) -> str:
    """Where the node is: its address, else the name that it is reached by, else its provider."""
    return str(node.address or node.host or node.provider)
