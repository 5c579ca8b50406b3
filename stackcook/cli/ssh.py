"""``stackcook ssh``."""

from __future__ import annotations

import os

import click

from stackcook.cli.context import Context, node_names
from stackcook.cli.help import Command
from stackcook.command import find_program
from stackcook.errors import UsageError
from stackcook.machines.base import RUNNING
from stackcook.manifest.model import MachineKind
from stackcook.operations.site import Site
from stackcook.remote.openssh import to_node


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
    argv = ["ssh", *to_node(host, found, manifest.state / "known_hosts")]
    if command_line[:1] == ("--",):  # click leaves it in, after the first argument
        command_line = command_line[1:]
    os.execv(find_program("ssh"), [*argv, *command_line])
