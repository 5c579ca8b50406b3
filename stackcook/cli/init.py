"""``stackcook init``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stackcook.addresses import address_or_name
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.console import finding_data
from stackcook.errors import UsageError
from stackcook.manifest.model import MachineKind
from stackcook.manifest.read import read
from stackcook.remote.base import DEFAULT_KEYS
from stackcook.scaffold import existing, lab as new_lab
from stackcook.scaffold.emit import Section, as_data, as_json, as_yaml
from stackcook.scaffold.files import CI, cookbooks, recipe, shipped, write
from stackcook.scaffold.lab import Lab

_IGNORED = (".stackcook/", ".vagrant/", "clouds.yaml")
"""What stackcook writes beside the manifest; it contains secrets."""
_NEW_CLOUD_ONLY = (
    *(
        "computes",
        "controllers",
        "zones",
        "machines",
        "network",
        "external_network",
        "external_interface",
        "no_external_network",
    ),
    *("name", "hosts", "user", "key", "virtual_addresses"),
)


class _Parsed(click.ParamType):
    """An address or a network; the error for an invalid one shows an example."""

    def __init__(self, name: str, parse: Any, noun: str, example: str) -> None:
        self.name, self.parse, self.noun, self.example = name, parse, noun, example

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f'"{value}" is not an {self.noun}; write it like {self.example}', param, ctx)


@click.command(
    cls=Command,
    examples="""
    # a controller and a compute node on this machine
    stackcook init mycloud
    # three compute nodes
    stackcook init --computes 3 mycloud
    # three controllers, one of which may fail
    stackcook init --controllers 3 mycloud
    # two zones: failure domains, each a cloud of its own
    stackcook init --zones 2 mycloud
    # two hosts of your own, the first one the controller
    stackcook init --machines ssh --host 192.0.2.10 \\
      --host 192.0.2.11 --user debian mycloud
    # with a workflow for GitHub
    stackcook init --ci github mycloud
    # the manifest of a Chef repository that you have
    stackcook init --from-repository ~/chef-repo
    """,
)
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--computes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Number of compute nodes; the default is 1.",
)
@click.option(
    "--controllers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Number of controllers: 1, or 3 that share an address, so that one of them may fail.",
)
@click.option(
    "--zones",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Number of failure domains, each with controllers and compute nodes of its own.",
)
@click.option(
    "--machines",
    type=click.Choice([kind.value for kind in MachineKind]),
    help="Vagrant machines, or existing hosts over SSH.",
)
@click.option(
    "--network",
    type=_Parsed("CIDR", IPv4Network, "IPv4 network", "10.0.112.0/24"),
    help="Network of the nodes; the default is 10.0.112.0/24.",
)
@click.option(
    "--external-network",
    type=_Parsed("CIDR", IPv4Network, "IPv4 network", "10.0.113.0/24"),
    help="Network of floating IPs; for Vagrant's machines, by default the /24 after --network.",
)
@click.option(
    "--external-interface",
    metavar="NAME",
    help="The nodes' interface on the external network; needed for hosts, eth1 for LXC machines.",
)
@click.option(
    "--no-external-network",
    is_flag=True,
    help="Create no external network; instances can be reached only from within the cloud.",
)
@click.option("--name", default="stackcook", help="Name of the lab, part of the machine names.")
@click.option(
    "--host",
    "hosts",
    type=_Parsed("ADDRESS", address_or_name, "IP address or host name", "192.0.2.10"),
    multiple=True,
    help="Address or name of an existing host; repeat it for each, controllers first.",
)
@click.option(
    "--virtual-address",
    "virtual_addresses",
    type=_Parsed("ADDRESS", IPv4Address, "IPv4 address", "192.0.2.9"),
    multiple=True,
    help="Address that the controllers share; with zones, repeat it for each. By default, the one"
    " before those of the nodes.",
)
@click.option("--user", help="SSH user on the hosts; the default is root.")
@click.option("--key", type=click.Path(), help="SSH private key of this user.", metavar="FILE")
@click.option(
    "--from-repository", is_flag=True, help="Write the manifest of an existing Chef repository."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Where to write this manifest; - is standard output.",
)
@click.option(
    "--ci",
    type=click.Choice([*CI]),
    help="Also write the configuration of this CI system: check each push, deploy, destroy.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    directory: Path,
    from_repository: bool,
    output: str | None,
    ci: str | None,
    force: bool,
    **wanted: Any,
) -> None:
    """Write a manifest: for a new cloud, or for an existing Chef repository.

    Writes infrastructure.yml for controllers and compute nodes into DIRECTORY, with the
    cookbooks, roles and environment that it needs. Creates DIRECTORY if it does not exist.

    With --from-repository, DIRECTORY is an existing Chef repository, and the manifest lists
    everything in it. The same repository always gives the same manifest.
    """
    others = _NEW_CLOUD_ONLY if from_repository else ("output",)
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if ctx.params.get(parameter.name or "") == "":
            raise click.UsageError(f"{parameter.opts[-1]} has no value")
        if given and parameter.name in others:
            what = "cannot be combined with" if from_repository else "needs"
            raise click.UsageError(f"{parameter.opts[-1]} {what} --from-repository")
    if from_repository:
        if ci and output is not None:
            raise click.UsageError("--ci cannot be combined with --output")
        _extract(ctx.obj, directory, output, recipe(ci) if ci else {}, force)
    else:
        _create(ctx.obj, directory, _lab(**wanted), recipe(ci) if ci else {}, force)


def _lab(machines: str | None, key: str | None, **others: Any) -> Lab:
    """The lab that the options describe; raises UsageError."""
    home = Path.home()
    if key is not None:
        # Independent of the manifest's directory and of the user's home.
        path = Path(os.path.expanduser(key)).absolute()
        key = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    lab = Lab.of(machines=MachineKind(machines) if machines else None, key=key, **others)
    names = ("config", *DEFAULT_KEYS)
    # os.path, as the home directory may be another user's
    own = any(os.path.isfile(home / ".ssh" / name) for name in names)
    own = own or bool(os.environ.get("SSH_AUTH_SOCK"))
    if lab.machines is MachineKind.SSH and not key and not own:
        raise UsageError(
            f"no SSH key found in {home / '.ssh'}",
            remedy="create one with ssh-keygen, or use --key FILE",
        )
    return lab


def _create(
    context: Context, directory: Path, lab: Lab, more: Mapping[str, bytes], force: bool
) -> None:
    """A new Chef repository with its manifest, and ``more`` files."""
    path = directory / context.path
    files = {
        path.name: _rendered(path, new_lab.head(lab), new_lab.sections(lab, cookbooks())),
        ".gitignore": "".join(f"/{name}\n" for name in _IGNORED).encode(),
        **shipped(environments=lab.environments, hosts=lab.machines is MachineKind.SSH),
        **more,
    }
    written = write(
        path.parent,
        files,
        optional=(".gitignore", "cookbooks/chefignore"),
        force=force,
        check=lambda staged: _check(staged / path.name),
    )
    if missing := () if ".gitignore" in written else _unignored(path.with_name(".gitignore")):
        context.console.note(
            f".gitignore exists and was not changed; add these lines: {' '.join(missing)}"
        )
    lines = [f"{path}: {lab.described}"]
    if lab.machines is MachineKind.SSH and not lab.hosts:
        lines.append("first: replace the example addresses with those of your hosts")
    _say(context, path, lines, ("check", "deploy"), {"path": str(path), "written": list(written)})


def _extract(
    context: Context,
    directory: Path,
    output: str | None,
    more: Mapping[str, bytes],
    force: bool,
) -> None:
    """The manifest of the Chef repository in ``directory``, and ``more`` files."""
    path = directory / context.path if output is None else Path(output)
    found = existing.survey(directory)
    made = existing.sections(found)
    text = _rendered(path, existing.HEAD, made)
    data = {
        "path": None if output == "-" else str(path),
        "manifest": as_data(made),
        "findings": [finding_data(finding) for finding in found.findings],
    }
    if output != "-":
        write(path.parent, {path.name: text, **more}, force=force)
    for finding in found.findings:
        context.console.note(str(finding))
    if output == "-":
        context.console.result(text.decode().rstrip("\n"), data)
        return
    parts = (f"{section.key} {len(section.value or ()) or ''}".rstrip() for section in made)
    lines = [f"{path}: {', '.join(parts)}"]
    if path.parent.resolve() != directory.resolve():
        lines.append(f"first: move it to {directory}, beside cookbooks/")
    _say(context, path, lines, ("check", "plan"), data)


def _unignored(path: Path) -> tuple[str, ...]:
    """Which of stackcook's files git would not ignore."""
    if not path.is_file():
        return _IGNORED
    ignored = {line.strip().strip("/") for line in path.read_text(errors="replace").splitlines()}
    return tuple(name for name in _IGNORED if name.strip("/") not in ignored)


def _rendered(path: Path, head: Iterable[str], sections: Iterable[Section]) -> bytes:
    """The manifest as YAML or JSON, by the suffix of its file; raises UsageError."""
    if path.is_dir():
        what, remedy = (
            "is a directory",
            f"use the path of a file, for example {path / 'infrastructure.yml'}",
        )
        raise UsageError(what, where=str(path), remedy=remedy)
    if path.suffix == ".rb":
        raise UsageError(
            "cannot write a manifest in Ruby",
            where=str(path),
            remedy="use a name that ends in .yml or .json",
        )
    text = as_json(sections) if path.suffix == ".json" else as_yaml(head, sections)
    return text.encode()


def _check(path: Path) -> None:
    """Raise UsageError if the options give an invalid manifest."""
    for finding in read(path)[1]:
        raise UsageError(finding.what, remedy=finding.remedy)


def _say(
    context: Context, path: Path, lines: list[str], commands: Iterable[str], data: dict[str, Any]
) -> None:
    """Print what was written, and the ``commands`` that come next."""
    directory = str(path.parent)
    directory = f"./{directory}" if directory.startswith("-") else directory  # no options of `cd`
    there = [f"cd {shlex.quote(directory)}"] if path.parent != Path() else []
    file = "" if path.name == "infrastructure.yml" else f" -f {shlex.quote(path.name)}"
    next_ = [*there, *(f"stackcook{file} {command}" for command in commands)]
    context.console.result(
        "\n".join((*lines, f"next: {'; '.join(next_)}")), {**data, "next": next_}
    )
