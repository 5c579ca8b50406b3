"""``stackcook ssh``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from stackcook.cli.context import Context, node_names
from stackcook.cli.help import Command
from stackcook.command import find_program
from stackcook.errors import UsageError
from stackcook.machines.base import RUNNING
from stackcook.manifest.model import MachineKind, Node
from stackcook.operations.site import Site
from stackcook.remote.base import Host


@click.command(
    context_settings={"allow_interspersed_args": False},  # `df -h` is COMMAND's -h
    cls=Command,
    examples="""
    stackcook ssh controller
    # one command
    stackcook ssh compute1 systemctl status nova-compute
    """,
)
@click.argument("node", shell_complete=node_names)
@click.argument("command_line", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(context: Context, node: str, command_line: tuple[str, ...]) -> None:
    """Open a shell on a node, or run COMMAND there and return its exit status."""
    manifest = context.load_deployed(lab_only=True)
    found = context.node(manifest, node)
    machines = Site(manifest).machines
    if manifest.machines is MachineKind.VAGRANT and not found.provider:
        state = machines.states([found])[found.name]
        if state != RUNNING:  # another deployment's machine may have its address
            what = f"its machine is {state}"
            raise UsageError(what, where=found.name, remedy="run `stackcook deploy`")
    host = machines.hosts([found])[found.name]
    keys = _given_keys(host, found)
    argv = ["ssh", *_arguments(host, keys, manifest.state / "known_hosts")]
    if command_line[:1] == ("--",):  # click leaves it in, after the first argument
        command_line = command_line[1:]
    target = str(found.ssh_place or found.name) if host.known_hosts else host.address
    os.execv(find_program("ssh"), [*argv, "--", target, *command_line])


def _arguments(host: Host, keys: tuple[Path, ...], known_hosts: Path) -> list[str]:
    """The arguments of ssh(1) that lead to ``host`` as stackcook reaches it.

    ssh reads its own configuration, too, so that what stackcook doesn't know is as usual there. Of
    the user's keys and known hosts, it gets none for machines that stackcook has made.
    """
    options = {
        "HostName": host.address.replace("%", "%%"),  # the % of fe80::1%eth0 is no token
        "UserKnownHostsFile": " ".join(f'"{file}"' for file in (known_hosts, *host.known_hosts)),
        "StrictHostKeyChecking": host.host_keys.value,
        "LogLevel": "ERROR",
    }
    if host.gateway:
        options["ProxyCommand"] = _proxy(host.gateway, known_hosts)
    if not host.known_hosts:
        options |= {"GlobalKnownHostsFile": "/dev/null", "IdentitiesOnly": "yes"}
    words = ["-p", str(host.port), "-l", host.user]
    for option, value in options.items():
        words += ["-o", f"{option}={value}"]
    for key in keys:
        words += ["-i", str(key)]
    return words


def _proxy(gateway: Host, known_hosts: Path) -> str:
    """The command that connects to a host through its gateway; -J has no place for its key."""
    words = _arguments(gateway, gateway.keys, known_hosts)
    # ssh replaces the tokens of a command; those of a gateway's own gateway come later
    quoted = (word.replace("%", "%%") for word in words)
    target = gateway.name.removeprefix("gateway ")
    return shlex.join(["ssh", "-W", "[%h]:%p", *quoted, "--", target])


def _given_keys(host: Host, node: Node) -> tuple[Path, ...]:
    """The keys for ssh(1), which finds its configuration in another place if HOME is not the user's
    own directory; raises UsageError if one of the manifest is missing."""
    if host.known_hosts and not node.key:
        return tuple(key for key in host.keys if key.is_file())
    for key in host.keys:
        if not key.is_file() and not host.password:
            remedy = f"set `key` in `stackcook: nodes: {node.name}`"
            raise UsageError(f"SSH key not found: {key}", where=node.name, remedy=remedy)
    return host.keys
