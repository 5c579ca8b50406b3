"""Nodes that one knife command creates and bootstraps: cloud machines and Windows hosts."""

from __future__ import annotations

from stackcook.command import Command, Runner, find_program, run
from stackcook.errors import Finding, Severity
from stackcook.manifest.model import Manifest, Node

WINDOWS = {"windows_ssh": "ssh", "windows_winrm": "winrm"}
"""Providers of existing hosts, and the protocol that reaches them."""

_MACHINES = {
    "digital_ocean": ("droplet", "create", "destroy"),
    "kvm": ("vm", "create", "delete"),
    "vsphere": ("vm", "clone", "delete"),
}
"""Words of a plugin for a machine, for creating and deleting it; else server, create, delete."""

_SERVER = ("server", "create", "delete")
_LOGIN = ("user", "key", "password", "port", "gateway", "--winrm-user", "--winrm-password")


def create_words(provider: str) -> tuple[str, ...]:
    """The subcommand that creates a machine: ``("ec2", "server", "create")``."""
    noun, create, _ = _MACHINES.get(provider, _SERVER)
    return (provider, noun, create)


def delete_words(provider: str) -> tuple[str, ...]:
    """The subcommand that deletes a machine: ``("ec2", "server", "delete")``."""
    noun, _, delete = _MACHINES.get(provider, _SERVER)
    return (provider, noun, delete)


def create_arguments(node: Node) -> tuple[str, ...]:
    """knife's arguments that create the machine, or reach the host, and converge it."""
    assert node.provider
    if protocol := WINDOWS.get(node.provider):
        words = ["bootstrap", node.host, "-o", protocol]
    else:
        words = [*create_words(node.provider), *([node.name] * (node.provider == "google"))]
    run_list = ("-r", ",".join(node.run_list)) if node.run_list else ()
    options = node.options.without(("name", "environment"))
    return (*words, *options, "-N", node.name, "-E", node.environment, *run_list)


def connection_arguments(node: Node) -> tuple[str, ...]:
    """How ``knife ssh`` and ``knife winrm`` log in, from the node's options."""
    found = filter(None, map(node.options.last, _LOGIN))
    return tuple(word for option in found for word in option.words)


def missing_plugins(manifest: Manifest, runner: Runner = run) -> tuple[Finding, ...]:
    """The providers whose plugin knife lacks; runs knife once for each provider.

    They are warnings: only ``deploy`` needs knife and its plugins. Raises UsageError without knife.
    knife looks for its configuration, and for plugins, from the manifest's directory upward.
    """
    first: dict[str, Node] = {}
    for node in manifest.nodes:
        if node.provider and node.provider not in WINDOWS:
            first.setdefault(node.provider, node)
    found = []
    for provider, node in first.items():
        words = create_words(provider)
        command = Command((str(find_program("knife")), *words, "--help"), cwd=manifest.root)
        output = f"\n{runner(command, timeout=120).output}"
        if f"\nknife {' '.join(words)} " not in output:  # its help, whose exit status is 1
            what = f"knife has no command `{' '.join(words)}`"
            gem = f"knife-{provider.replace('_', '-')}"
            remedy = f"install the knife plugin, for example with `gem install {gem}`"
            found.append(
                Finding(manifest.path, node.at, what, remedy, Severity.WARNING, ("deploy",))
            )
    return tuple(found)
