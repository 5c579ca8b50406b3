"""What commands share: the global options, and the options that several of them have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackcook.errors import UsageError
from stackcook.files import check_replaceable, state_directory

if TYPE_CHECKING:  # all are imported when first used: `--help` and completion stay fast
    from stackcook.command import Secret
    from stackcook.console import Console
    from stackcook.manifest.model import Manifest, Node
    from stackcook.remote.base import Access
    from stackcook.remote.ready import User

_QUESTIONS = {
    "password": ("--ask-pass", "SSH password", "STACKCOOK_SSH_PASSWORD"),
    "become": ("--ask-become-pass", "sudo password", "STACKCOOK_BECOME_PASSWORD"),
}
"""Field of Access → option, question, environment variable."""


@dataclass(frozen=True)
class Context:
    """The settings of one invocation; a command takes it with ``@click.pass_obj``.

    ``command`` is such as ``server start``; ``color`` is ``None`` if the terminal decides.
    ``options`` are those that chose the manifest, such as ``("--cloud", "ci-42")``, for commands in
    messages; empty if none did.
    """

    path: Path
    command: str = ""
    json: bool = False
    color: bool | None = None
    asks: frozenset[str] = frozenset()
    accept_new: bool = False
    options: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """The directory of the deployment's state, as :attr:`Manifest.state`."""
        return state_directory(self.path)

    @cached_property
    def access(self) -> Access:
        """The passwords for hosts, of the environment or asked for, now.

        Raises UsageError if there is no terminal to ask at.
        """
        from stackcook.remote.base import Access

        access = Access.of_environment(self.accept_new)
        asked = {name: self._ask(*_QUESTIONS[name]) for name in _QUESTIONS if name in self.asks}
        access = replace(access, **asked)
        if access.password and access.become and not access.become.reveal():
            access = replace(access, become=access.password)
        return access

    def _ask(self, option: str, question: str, variable: str) -> Secret:
        if self.user is None:
            remedy = f"set {variable} instead"
            raise UsageError("cannot ask without a terminal", where=option, remedy=remedy)
        return self.user.secret(question)

    @cached_property
    def user(self) -> User | None:
        """Who is asked about keys and passwords; None without a terminal, or with ``--json``."""
        from stackcook.cli.terminal import Terminal

        return Terminal() if sys.stdin.isatty() and not self.json else None

    @cached_property
    def console(self) -> Console:
        """Where the command prints."""
        from stackcook.console import Console

        return Console(json=self.json, color=self.color, options=self.options)

    def form(self, asked: str | None) -> str:
        """The output format that ``--format`` or ``--json`` asked for, else ``text``.

        Raises click's UsageError if the two differ.
        """
        if self.json and asked not in (None, "json"):
            raise click.UsageError(f"--json cannot be combined with --format {asked}")
        return "json" if self.json else asked or "text"

    def load(self, command: str = "", *, warn: bool = False) -> Manifest:
        """The manifest; with ``warn``, for commands that apply it, its warnings go to stderr.

        Raises as :func:`stackcook.api.manifest.load` does.
        """
        from stackcook.api.manifest import load

        return load(self.path, command, self.console.note if warn else None)

    def load_deployed(self, command: str = "", *, lab_only: bool = False) -> Manifest:
        """See :func:`stackcook.api.manifest.load_deployed`."""
        from stackcook.api.manifest import load_deployed

        return load_deployed(self.path, command, lab_only=lab_only)

    @staticmethod
    def node(manifest: Manifest, name: str) -> Node:
        """The manifest's node of that name; raises UsageError that lists the known names."""
        if node := manifest.node(name):
            return node
        names = ", ".join(node.name for node in manifest.nodes)
        raise UsageError(f"unknown node {name}", remedy=f"use one of {names}")


class _OutputFile(click.Path):
    """A file that the command replaces; checked before the work begins."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if not (ctx and ctx.resilient_parsing):  # shell completion
            if value == "-":
                what = "is standard output, where stackcook writes messages"
                raise UsageError(what, where=value, remedy="use the path of a file")
            check_replaceable(path)
            manifest = ctx.find_root().params.get("path") if ctx else None
            if manifest and path.is_file() and manifest.is_file() and path.samefile(manifest):
                raise UsageError("is the manifest", where=value, remedy="use another path")
        return path


OUTPUT = _OutputFile()
"""The type of an option or argument whose value is the path of a file to write."""


class Duration(click.ParamType):
    """``90``, ``90s``, ``5m``, ``2h``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from stackcook.manifest.fields import DURATION, SECONDS

        if isinstance(value, float):
            return value
        match = DURATION.fullmatch(value)
        if not match or int(match[1]) == 0:
            self.fail("write a number of seconds, or use a unit: 90m, 2h", param, ctx)
        return float(int(match[1]) * SECONDS[match[2] or "s"])


def format_option(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--format``, one of ``forms``; hand its value to :meth:`Context.form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        callback=ask_for_json,
        help="Output format; the default is text.",
    )


def ask_for_json(ctx: click.Context, _: click.Parameter, asked: bool | str | None) -> Any:
    """Note the command, and ``--json`` or ``--format json``: here, and at the root for errors."""
    json = ctx.obj.json or asked in (True, "json")
    ctx.obj = ctx.find_root().obj = replace(ctx.obj, command=command_of(ctx), json=json)
    return asked


def command_of(ctx: click.Context | None) -> str:
    """``server start``, without the program's name; empty if there is no command."""
    return ctx.command_path.partition(" ")[2] if ctx else ""


def node_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The names of the manifest's nodes that begin with ``begun``, for shell completion."""
    manifest = _to_complete(ctx)
    names = _names(manifest) if manifest else ()
    return [name for name in names if name.startswith(begun)]


def some_nodes(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Names and roles to complete ``begun`` with, also behind a comma.

    A range or a pattern is complete once it selects nodes.
    """
    from stackcook.operations.limit import limited

    manifest = _to_complete(ctx)
    if manifest is None:
        return []
    nodes = _names(manifest)
    roles = dict.fromkeys(f"role[{role}]" for node in manifest.nodes for role in node.roles)
    before, comma, last = begun.rpartition(",")
    found = [before + comma + word for word in (*nodes, *roles) if word.startswith(last)]
    try:
        return found or ([begun] if limited(manifest, [begun]) else [])
    except UsageError:
        return []


def _to_complete(ctx: click.Context) -> Manifest | None:
    """The manifest, for shell completion; None if it can't be read.

    The command of an inventory is not run: it may be slow.
    """
    from stackcook.manifest.read import read

    manifest, _findings = read(ctx.find_root().params["path"])
    return manifest


def _names(manifest: Manifest) -> list[str]:
    """The nodes to complete with: also those of earlier runs if a command lists the nodes."""
    from stackcook.run.record import latest

    names = {node.name: None for node in manifest.nodes}
    if manifest.inventory and not manifest.inventory.read:
        with suppress(UsageError):  # a broken record, of which other commands complain
            names.update(dict.fromkeys(latest(manifest.state)))
    return [*names]


def _zones(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The manifest's zones, for shell completion."""
    manifest = _to_complete(ctx)
    return [zone for zone in manifest.zones if zone.startswith(begun)] if manifest else []


zones_option = click.option(
    "--zone",
    "zones",
    multiple=True,
    metavar="NAME",
    shell_complete=_zones,
    help="Only the nodes of this zone; repeatable.",
)
"""The option ``--zone`` of commands for some of the nodes."""


def zone_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--zone`` of commands for one cloud; its value is checked with the manifest."""
    return click.option(
        "--zone", metavar="NAME", shell_complete=_zones, help="The cloud of this zone."
    )(command)


def limit_option(more: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--limit``; ``more`` is added to its help."""
    return click.option(
        "--limit",
        multiple=True,
        metavar="NODE|'NODE[1-9]'|'NODE*'|'role[NAME]'",
        shell_complete=some_nodes,
        help=f"Only these nodes: by name, range, pattern or role; repeatable. {more}".rstrip(),
    )


def _sections(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Sections for shell completion."""
    from stackcook.chef.repository.repository import SECTIONS

    names = (name.replace(" ", "-") for name in SECTIONS)
    return [name for name in names if name.startswith(begun)]


only_option = click.option(
    "--only",
    multiple=True,
    metavar="SECTION",
    shell_complete=_sections,
    help="Only this section of the manifest; repeatable, or separate with commas.",
)
"""The option ``--only``; pass its values to ``parse_sections``."""


def login_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that log in to nodes; see :attr:`Context.access`."""

    def asks(ctx: click.Context, parameter: click.Parameter, given: bool) -> None:
        if given:
            names = ctx.obj.asks | {str(parameter.name)}
            ctx.obj = ctx.find_root().obj = replace(ctx.obj, asks=names)

    def accepts(ctx: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            ctx.obj = ctx.find_root().obj = replace(ctx.obj, accept_new=True)

    options = (
        ("--ask-pass", "password", asks, "Ask for the SSH password of your hosts."),
        ("--ask-become-pass --use-sudo-password", "become", asks, "Ask for the sudo password."),
        (
            "--accept-new-host-keys",
            "accept",
            accepts,
            "Record the SSH keys of unknown hosts without asking.",
        ),
    )
    for flags, name, callback, about in reversed(options):
        command = click.option(
            *flags.split(), name, is_flag=True, expose_value=False, callback=callback, help=about
        )(command)
    return command


parallel_option = click.option(
    "--parallel",
    type=click.IntRange(1),
    metavar="N",
    help="Maximum number of nodes to work on at the same time.",
)
"""The option ``--parallel``."""


bundle_option = click.option(
    "--bundle",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take everything from this file of `stackcook bundle`; ask nothing of the internet.",
)
"""The option ``--bundle``."""


def ignore_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--ignore``."""
    from stackcook.bootstrap.findings import IGNORABLE

    return click.option(
        "--ignore",
        multiple=True,
        metavar="ID",
        type=click.Choice(IGNORABLE),
        help="A finding of preflight that does not stop the command; repeatable. IDs are in the"
        " table of findings and in docs/deploy.md.",
    )(command)
