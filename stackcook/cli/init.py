"""``stackcook init``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from stackcook.cli.context import Context
from stackcook.errors import UsageError
from stackcook.manifest.model import MachineKind

if TYPE_CHECKING:
    from stackcook.scaffold.emit import Section
    from stackcook.scaffold.lab import Lab

_IGNORED = (".stackcook/", ".vagrant/", "clouds.yaml")
"""What stackcook keeps beside the manifest, secrets among it."""
_OF_A_LAB = ("computes", "machines", "network", "name", "hosts", "user", "key")


class _Parsed(click.ParamType):
    """An address or a network; what is none is a usage error that shows one."""

    def __init__(self, name: str, parse: Any, noun: str, example: str) -> None:
        self.name, self.parse, self.noun, self.example = name, parse, noun, example

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f'"{value}" is no IPv4 {self.noun}; write one as {self.example}', param, ctx)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option("--computes", type=click.IntRange(min=0), metavar="N", help="Compute nodes; 1.")
@click.option(
    "--machines",
    type=click.Choice([kind.value for kind in MachineKind]),
    help="Made by Vagrant, or hosts that are there already.",
)
@click.option(
    "--network",
    type=_Parsed("CIDR", IPv4Network, "network", "10.0.112.0/24"),
    help="The nodes' network; 10.0.112.0/24.",
)
@click.option("--name", default="stackcook", help="The lab's name, part of its machines' names.")
@click.option(
    "--host",
    "hosts",
    type=_Parsed("ADDRESS", IPv4Address, "address", "192.0.2.10"),
    multiple=True,
    help="A host that is there already; again for each, the controller first.",
)
@click.option("--user", help="The user that SSH logs in as on the hosts; root.")
@click.option("--key", help="That user's private key.", metavar="FILE")
@click.option("--from-repository", is_flag=True, help="Make the manifest of a Chef repository.")
@click.option("-o", "--output", metavar="FILE", help="That manifest's file; - is standard output.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    directory: Path,
    from_repository: bool,
    output: str | None,
    force: bool,
    **wanted: Any,
) -> None:
    """Write a manifest: a new one, or that of a Chef repository.

    Puts infrastructure.yml for a controller and N compute nodes into DIRECTORY, and the
    cookbooks, roles and environment that it names; DIRECTORY is made if need be.

    With --from-repository, DIRECTORY is a Chef repository that is there already, and all that it
    holds is named in the manifest: the same repository gives the same manifest.
    """
    others = _OF_A_LAB if from_repository else ("output",)
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in others:
            what = f"{parameter.opts[-1]} goes {'without' if from_repository else 'with'}"
            raise UsageError(f"{what} --from-repository", remedy="give one or the other")
    if from_repository:
        _extract(ctx.obj, directory, output, force)
    else:
        _create(ctx.obj, directory, _lab(**wanted), force)


def _lab(machines: str | None, key: str | None, **others: Any) -> Lab:
    """The lab that the options describe; raises UsageError."""
    from stackcook.manifest.nodes import DEFAULT_KEYS
    from stackcook.scaffold.lab import Lab

    home = Path.home()
    if key is not None:
        # Found from wherever the manifest lies, and by other users of it.
        path = Path(key).expanduser().absolute()
        key = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    lab = Lab.of(machines=MachineKind(machines) if machines else None, key=key, **others)
    own = any((home / ".ssh" / name).is_file() for name in DEFAULT_KEYS)
    if lab.machines is MachineKind.SSH and not key and not own:
        raise UsageError(
            f"there is no key in {home / '.ssh'}",
            remedy="make one with ssh-keygen, or name another with --key FILE",
        )
    return lab


def _create(context: Context, directory: Path, lab: Lab, force: bool) -> None:
    """A new Chef repository with its manifest."""
    from stackcook.scaffold import shipped
    from stackcook.scaffold.lab import head, sections
    from stackcook.scaffold.write import write

    path = directory / context.path
    files = {
        path.name: _rendered(path, head(lab), sections(lab, shipped.cookbooks())),
        ".gitignore": "".join(f"/{name}\n" for name in _IGNORED).encode(),
        **shipped.files(),
    }
    written = write(
        path.parent,
        files,
        optional=(".gitignore", "cookbooks/chefignore"),
        force=force,
        check=lambda staged: _check(staged / path.name),
    )
    if missing := () if ".gitignore" in written else _unignored(path.with_name(".gitignore")):
        context.console.note(f".gitignore is left as it is; add {' '.join(missing)} to it")
    lines = [f"{path}: {lab.described}"]
    if lab.machines is MachineKind.SSH and not lab.hosts:
        lines.append("first: put your hosts' addresses into it")
    _say(context, path, lines, ("check", "deploy"), {"path": str(path), "written": list(written)})


def _extract(context: Context, directory: Path, output: str | None, force: bool) -> None:
    """The manifest of the Chef repository in ``directory``."""
    from stackcook.console import finding_data
    from stackcook.scaffold.emit import as_data
    from stackcook.scaffold.extract import HEAD, sections
    from stackcook.scaffold.survey import survey
    from stackcook.scaffold.write import write

    path = directory / context.path if output is None else Path(output)
    found = survey(directory)
    made = sections(found)
    text = _rendered(path, HEAD, made)
    data = {
        "path": None if output == "-" else str(path),
        "manifest": as_data(made),
        "findings": [finding_data(finding) for finding in found.findings],
    }
    if output != "-":
        write(path.parent, {path.name: text}, force=force)
    for finding in found.findings:
        context.console.note(str(finding))
    if output == "-":
        context.console.result(text.decode().rstrip("\n"), data)
        return
    parts = (f"{section.key} {len(section.value or ()) or ''}".rstrip() for section in made)
    lines = [f"{path}: {', '.join(parts)}"]
    if path.parent.resolve() != directory.resolve():
        lines.append(f"first: put it into {directory}, where cookbooks/ and the rest are")
    _say(context, path, lines, ("check", "plan"), data)


def _unignored(path: Path) -> tuple[str, ...]:
    """What of stackcook's own git would still take."""
    if not path.is_file():
        return _IGNORED
    ignored = {line.strip().strip("/") for line in path.read_text(errors="replace").splitlines()}
    return tuple(name for name in _IGNORED if name.strip("/") not in ignored)


def _rendered(path: Path, head: Iterable[str], sections: Iterable[Section]) -> bytes:
    """The manifest as its file's name wants it; raises UsageError for one that can't be."""
    from stackcook.scaffold.emit import as_json, as_yaml

    if path.is_dir():
        what, remedy = "is a directory", f"name a file, as {path / 'infrastructure.yml'}"
        raise UsageError(what, where=str(path), remedy=remedy)
    if path.suffix == ".rb":
        raise UsageError("manifests in Ruby aren't written", where=str(path), remedy="name it .yml")
    text = as_json(sections) if path.suffix == ".json" else as_yaml(head, sections)
    return text.encode()


def _check(path: Path) -> None:
    """Raise UsageError where the options make a manifest with something wrong in it."""
    from stackcook.manifest.read import read

    for finding in read(path)[1]:
        raise UsageError(finding.what, remedy=finding.remedy)


def _say(
    context: Context, path: Path, lines: list[str], commands: Iterable[str], data: dict[str, Any]
) -> None:
    """Print what was written, and the ``commands`` that come next."""
    there = [f"cd {shlex.quote(str(path.parent))}"] if path.parent != Path() else []
    file = "" if path.name == "infrastructure.yml" else f" -f {shlex.quote(path.name)}"
    next_ = [*there, *(f"stackcook{file} {command}" for command in commands)]
    context.console.result(
        "\n".join((*lines, f"next: {'; '.join(next_)}")), {**data, "next": next_}
    )
