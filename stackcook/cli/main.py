"""The command ``stackcook``: its options, its commands, and their exit codes.

A command is a file of this package with a :class:`~stackcook.cli.help.Command` called ``command``,
with examples; it takes the :class:`~stackcook.cli.context.Context` with ``@click.pass_obj`` and
returns an :class:`~stackcook.errors.ExitCode` (or ``None``: done). ``GROUPS`` lists it, and
``--json`` is added to it here.
"""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from io import TextIOWrapper
from itertools import takewhile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stackcook import __version__
from stackcook.cli.context import Context, ask_for_json, command_of
from stackcook.cli.help import Group
from stackcook.errors import ExitCode, Interrupted, StackcookError, UsageError
from stackcook.files import fault
from stackcook.nearest import nearest

GROUPS = {
    "Start here": {
        "init": "Write a manifest, new or for an existing Chef repository.",
        "setup": "Install the programs that stackcook uses.",
        "doctor": "List required programs, and which of them are missing.",
        "check": "Report all problems in the manifest and the Chef repository.",
        "preflight": "Inspect the nodes, and show what must be fixed before a deploy.",
        "deploy": "Deploy the cloud; after a failure, resume where it stopped.",
    },
    "Every day": {
        "plan": "Show what deploy would do, step by step; change nothing.",
        "status": "Show the state of each node.",
        "verify": "Check that the cloud works.",
        "probe": "Measure availability, gaps and latency of the APIs.",
        "converge": "Run chef-client again on some or all nodes.",
        "upload": "Update the Chef server from the Chef repository.",
        "up": "Deploy the cloud, or with --ephemeral a further one, which expires.",
        "down": "Destroy clouds that `up --ephemeral` deployed.",
        "ps": "List the clouds of this machine.",
        "open": "Open Horizon, or the report of the last run, in a browser.",
        "tunnel": "Print the SSH command with which a laptop reaches Horizon.",
        "ssh": "Open a shell on a node, or run a command there.",
        "node": "Remove a compute node from the running cloud.",
        "snapshot": "Save the whole cloud, and restore it in a minute.",
        "destroy": "Delete the machines and everything else that deploy created.",
    },
    "Look closer": {
        "logs": "Show the log of a node, or why it failed.",
        "report": "Show what the last run did, what failed and which steps were slow.",
        "topology": "Draw the nodes, their roles and their networks, as SVG.",
        "machines": "Show the machines: names, addresses, sizes.",
        "kitchen": "Print a kitchen.local.yml, for Test Kitchen on the nodes.",
        "server": "Start, stop or inspect the embedded Chef server.",
        "bundle": "Write a file with all that deploy needs from the internet.",
        "sbom": "List all software that is installed, with its licenses.",
        "box": "Build the Vagrant box of the LXC machines.",
        "schema": "Print the JSON Schema of the manifest, for editors.",
        "completion": "Print the script for completion in bash, zsh or fish.",
        "help": "Show the help of a command, or what the exit codes mean.",
    },
}
"""Heading → commands, each with its line in ``--help``, so that help imports none of them."""

COMMANDS = [name for group in GROUPS.values() for name in group]


_AGAIN = {
    "deploy": "resumes where it stopped",
    "up": "resumes where it stopped",
    "converge": "converges all of these nodes",
    "upload": "sends what is still missing",
    "node remove": "removes what is left",
    "snapshot save": "starts the machines and saves the whole cloud",
    "snapshot restore": "restores the whole cloud",
    "down": "removes what is left",
    "destroy": "removes what is left",
}
"""What a command does if it is run again after Ctrl-C."""

_GIVEN = "stackcook.given"
"""Where a click context keeps the command line."""


def _with_json(command: click.Command) -> click.Command:
    """Give a command, and those below it, the option ``--json``."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_json(below)
    elif not any("--json" in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=ask_for_json,
                help="Print one JSON document.",
            )
        )
    return command


class Commands(Group):
    """The root: loads a command when it is used, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if find_spec(f"stackcook.cli.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"stackcook.cli.{cmd_name}")
        command: click.Command = module.command
        return _with_json(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := nearest(args[0], self.list_commands(ctx)):
                error.message += f" Did you mean {near}?"
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = self.list_commands(ctx)
        longest = max(map(len, known))  # so that the groups are aligned
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(n.ljust(longest), t) for n, t in group.items() if n in known])

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        given = tuple(args)  # which click empties
        try:
            ctx = super().make_context(info_name, args, *rest, **extra)
            if (cloud := ctx.params["cloud"]) is not None:
                ctx.params["path"] = _manifest_of(ctx, cloud)
        except click.ClickException as error:
            if not _wants_json(given):
                raise
            context = Context(Path(), json=True)
            context.console.error(_usage_error(error))
            context.console.finish("", error.exit_code)
            raise click.exceptions.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:  # which click would call "Aborted!", and exit with 1
            Context(Path()).console.error(Interrupted("interrupted"))
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from interrupt
        # Here, as an unknown command is noticed before `cli` is called.
        found = ctx.params
        ctx.meta[_GIVEN] = given
        ctx.obj = Context(
            found["path"], json=found["json"], color=found["color"], options=_options(ctx)
        )
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        code = _exit_code(ctx, super().invoke)
        try:
            ctx.obj.console.finish(ctx.obj.command, code)
        except StackcookError as error:  # the JSON document, which would have it, can't be printed
            ctx.obj.console.note(str(error))
            code = error.exit_code
        ctx.exit(code)


def _exit_code(ctx: click.Context, invoke: Callable[[click.Context], Any]) -> int:
    """Run the command, and print its error if it fails."""
    given = (*ctx.protected_args, *ctx.args)
    try:
        return int(invoke(ctx) or ExitCode.DONE)
    except (click.exceptions.Exit, BrokenPipeError):
        raise  # handled by click: a closed pipe is no error
    except click.ClickException as error:
        if not ctx.obj.json and not _wants_json(given):
            raise  # click prints it
        command = command_of(getattr(error, "ctx", None)) or ctx.obj.command
        ctx.obj = replace(ctx.obj, command=command, json=True)
        ctx.obj.console.error(_usage_error(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        ctx.obj.console.error(Interrupted("interrupted", remedy=_how_to_go_on(ctx)))
        return ExitCode.INTERRUPTED
    except Exception as error:
        if not ctx.obj.json and _wants_json(given):  # of a command that was not reached yet
            ctx.obj = replace(ctx.obj, json=True)
        expected = error if isinstance(error, StackcookError) else _fault_of_files(error)
        if expected is None:
            ctx.obj.console.note(traceback.format_exc().rstrip())
            what = f"internal error: {type(error).__name__}: {error}"
            expected = StackcookError(what, remedy="report this bug with the lines above")
        ctx.obj.console.error(expected)
        return expected.exit_code


def _how_to_go_on(ctx: click.Context) -> str:
    """What to run after Ctrl-C; empty if it makes no difference."""
    does = _AGAIN.get(ctx.obj.command)
    words = [word for word in ctx.meta[_GIVEN] if word != "--anew"]  # which would not resume
    if ctx.obj.command == "up" and "--ephemeral" in words:
        return ""  # it would deploy another cloud; `up` itself says how to go on with this one
    if ctx.get_parameter_source("path") != ParameterSource.COMMANDLINE:
        if ctx.get_parameter_source("cloud") == ParameterSource.ENVIRONMENT:
            words = [*ctx.obj.options, *words]
    return f"run `{shlex.join(('stackcook', *words))}` again: it {does}" if does else ""


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether these arguments ask for JSON; click has not parsed them, as one of them is wrong."""
    if arguments[:1] == ("ssh",):  # what comes after the node is another program's
        arguments = [*takewhile(lambda word: word.startswith("-"), arguments[1:])]
    words = " ".join(takewhile(lambda word: word != "--", arguments)).replace("=", " ")
    return "--json" in words.split() or "--format json" in words


def _usage_error(error: click.ClickException) -> UsageError:
    """The UsageError for an error that click raised, with the command whose help to read."""
    command = command_of(getattr(error, "ctx", None))
    return UsageError(
        error.format_message(), remedy=f"run `{f'stackcook {command}'.strip()} --help`"
    )


def _fault_of_files(error: Exception) -> StackcookError | None:
    """The error for the user if a file on this machine is the cause, else None."""
    if isinstance(error, RuntimeError) and os.path.expanduser("~") == "~":  # Path.home()
        what = "your home directory is not known"
        return UsageError(what, remedy="set the variable HOME to a directory of yours")
    if isinstance(error, FileNotFoundError) and not _is_here():
        what = "the current directory does not exist any more"
        return UsageError(what, remedy="change to another one, for example with `cd`")
    return fault(error)


def _is_here() -> bool:
    """Whether the current directory exists: another program may have deleted it."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _options(ctx: click.Context) -> tuple[str, ...]:
    """The options that lead to the same manifest, whatever the environment is."""
    if ctx.get_parameter_source("path") == ParameterSource.COMMANDLINE:
        return "-f", str(ctx.params["path"])
    cloud = ctx.params["cloud"]
    return ("--cloud", cloud) if cloud else ()


def _manifest_of(ctx: click.Context, cloud: str) -> Path:
    """The manifest of an ephemeral cloud; raises click's UsageError if there is none."""
    from stackcook.api.ephemeral import default_directory, find

    if ctx.get_parameter_source("path") == ParameterSource.COMMANDLINE:
        if ctx.get_parameter_source("cloud") == ParameterSource.COMMANDLINE:
            raise click.UsageError("--cloud and --file cannot be combined")
        return Path(ctx.params["path"])  # what is typed counts more than the environment
    if not cloud:  # such as an empty variable of a shell: not the cloud of this directory
        raise click.UsageError("--cloud has no value")
    try:
        return find(default_directory(), cloud).manifest
    except UsageError as error:
        raise click.UsageError(str(error), ctx) from error


def _cloud_names(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    from stackcook.cli.down import cloud_names

    return cloud_names(ctx, parameter, begun)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path, readable=False),  # not all commands read it
    default="infrastructure.yml",
    show_default=True,
    help="Path of the manifest.",
)
@click.option(
    "--cloud",
    envvar="STACKCOOK_CLOUD",
    metavar="NAME",
    shell_complete=_cloud_names,
    help="Name of an ephemeral cloud, instead of a manifest.",
)
@click.option("--json", is_flag=True, help="Print one JSON document; progress goes to stderr.")
@click.option("--color/--no-color", default=None, help="Use colors; by default only on a terminal.")
@click.option(
    "-v", "--verbose", count=True, help="Log each action to stderr; -vv also logs each request."
)
@click.version_option(__version__, prog_name="stackcook", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, path: Path, verbose: int, **_: Any) -> None:
    """Turn one infrastructure.yml into a running OpenStack cloud.

    `stackcook COMMAND --help` has examples, `stackcook help exit-codes` the exit codes.
    """
    from stackcook import log  # `--help` does without it

    state = path.parent / ".stackcook"

    def note(text: str) -> None:
        ctx.obj.console.note(text)  # which `--json` behind the command replaces

    ctx.call_on_close(log.start(state, verbose, note))


def _open_closed_streams() -> None:
    """Let streams that the shell has closed, as by `>&-`, lead to /dev/null.

    Otherwise other files would get their numbers, and what programs print would go there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def main() -> None:
    """The console script ``stackcook``."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ or ü shows a ?
            # Another program that has the same terminal or pipe may have made it non-blocking:
            # then a long text could not be written as a whole.
            os.set_blocking(stream.fileno(), True)
    try:
        cli(prog_name="stackcook")
    except OSError as error:  # of `--help` and `--version`, which click prints
        expected = _fault_of_files(error)
        if expected is None:
            raise
        Context(Path()).console.error(expected)
        sys.exit(int(expected.exit_code))
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            # A step that Ctrl-C could not stop may still run in a thread; Python would wait for it.
            from stackcook.command import end_all  # which most commands do without

            end_all()
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):  # of a full disk: it is late to say so
                    stream.flush()
            os._exit(ExitCode.INTERRUPTED)
        raise
