"""The steps that bootstrap and converge a node; pure, so that a plan can be printed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from stackcook.bootstrap.providers import create_arguments
from stackcook.manifest.model import BootstrapKind, MachineKind, Manifest, Node
from stackcook.redact import Redactor

CONVERGE_TIMEOUT = 3600.0
"""Seconds for a bootstrap or a converge, unless the manifest gives the node others."""

PREPARE_TIMEOUT = 1800.0
INSTALL_TIMEOUT = 1800.0
REGISTER_TIMEOUT = 120.0
INTERFACES_TIMEOUT = 600.0
RECORD_TIMEOUT = 120.0
HOSTNAME_TIMEOUT = 60.0


@dataclass(frozen=True)
class NodeStep:
    """One step on a node; ``does`` says what it does, ``timeout`` is in seconds."""

    name: str
    does: str
    timeout: float


def steps_of(
    node: Node,
    manifest: Manifest,
    *,
    registered: bool,
    recipes: Sequence[str] = (),
    bundled: bool = False,
    named: bool = False,
) -> tuple[NodeStep, ...]:
    """The steps of a node, in order; ``registered`` says if the Chef server has it already.

    The last one is the converge of the whole run list. ``recipes`` need no other node: they can be
    converged before the stage begins. ``bundled``: it gets its Debian packages from a bundle.
    ``named``: a host that is new gets the name of its node.
    """
    timeout = float(node.timeout or CONVERGE_TIMEOUT)
    converge = NodeStep("converge", f"converge {_target(node)}", timeout)
    steps = []
    if not registered and manifest.machines is MachineKind.SSH and not node.provider:
        does = "record the host's state"
        steps.append(NodeStep("record", does, RECORD_TIMEOUT))
        if named:
            does = f"give the host the name {node.name}"
            steps.append(NodeStep("hostname", does, HOSTNAME_TIMEOUT))
    if bundled and not node.provider:
        does = "send the packages of the bundle, and let apt use only these"
        steps.append(NodeStep("packages", does, PREPARE_TIMEOUT))
    interfaces = []
    if node.interfaces:
        names = ", ".join(interface.name for interface in node.interfaces)
        interfaces = [NodeStep("interfaces", f"set up {names}", INTERFACES_TIMEOUT)]
    if registered:
        return (*steps, *interfaces, converge)
    by_knife = node.provider or node.options.knife_only
    if manifest.bootstrap is BootstrapKind.NATIVE and not by_knife:
        steps += [
            NodeStep("install", "install the Chef client", INSTALL_TIMEOUT),
            NodeStep("register", "register it with the Chef server", REGISTER_TIMEOUT),
            *interfaces,
        ]
        if recipes:
            limit = min(timeout, PREPARE_TIMEOUT)
            steps.append(NodeStep("prepare", f"converge only {', '.join(recipes)}", limit))
        return (*steps, converge)
    does = f"knife bootstrap, and converge {_target(node)}"
    if node.provider:
        does = Redactor().command(shlex.join(("knife", *create_arguments(node))))
    return (*steps, NodeStep("bootstrap", does, timeout))


def _target(node: Node) -> str:
    """What the node converges to, in a few words."""
    if node.policy_name:
        return f"policy {node.policy_name} of {node.policy_group}"
    environment = "" if node.environment == Node.environment else f" in {node.environment}"
    return f"{', '.join(node.run_list) or 'an empty run list'}{environment}"
