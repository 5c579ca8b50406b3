"""The key ``inventory``: nodes from a hosts file, or from a command that prints its hosts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stackcook.addresses import address_or_name
from stackcook.command import Command, CommandError, Runner
from stackcook.errors import Position
from stackcook.manifest.document import List, Scalar, Value
from stackcook.manifest.fields import LOGIN, FieldReader, suggest
from stackcook.manifest.hostsfile import Hosts, read_ini, read_json
from stackcook.manifest.nodesettings import NodeSettings
from stackcook.manifest.runlist import read_run_list
from stackcook.redact import Redactor

KEYS = ("file", "command", "groups")
TIMEOUT = 120.0
"""Seconds that the command may take."""

VARIABLES = {
    "address": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}
"""Setting of a node → Ansible's variables for it; the first one counts."""

_SUDO = "use --ask-become-pass or STACKCOOK_BECOME_PASSWORD"
_LOGIN = "use --ask-pass or STACKCOOK_SSH_PASSWORD"
_CONFIG = "write these options into ~/.ssh/config"
NO_EFFECT = {
    "ansible_connection": "nodes are reached by SSH; remove it, or take the node from its group",
    "ansible_password": _LOGIN,
    "ansible_ssh_pass": _LOGIN,
    "ansible_become_password": _SUDO,
    "ansible_become_pass": _SUDO,
    "ansible_ssh_common_args": _CONFIG,
    "ansible_ssh_extra_args": _CONFIG,
}
"""Other variables for logging in, each with what to do instead."""

_WANTED = {name for names in VARIABLES.values() for name in names} | {*NO_EFFECT}
_QUOTED = 3  # lines that a command has printed on stderr


@dataclass(frozen=True)
class Source:
    """Where nodes come from, a file or a command: its position, and ``text`` to show.

    ``groups`` are the names of groups, each with the run list of its hosts.
    """

    at: Position
    text: str
    file: Path | None = None
    command: tuple[str, ...] = ()
    groups: tuple[tuple[Scalar, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return self.text


def read_source(reader: FieldReader, value: Value, what: str) -> Source | None:
    """The key's value; None after adding a finding if it names no file and no command."""
    fields = reader.fields(value, what, KEYS)
    groups = []
    for name, body in reader.mapping(fields["groups"][1], what) if "groups" in fields else ():
        of_group = f"{what}: groups: {name.text}"
        if run_list := tuple(read_run_list(reader, body, of_group)):
            groups.append((name, run_list))
        elif isinstance(body, Scalar) and body.null:
            reader.error(name.at, f"{of_group} has no run list", "write role[NAME]")
    if ("file" in fields) == ("command" in fields):
        has = "both a file and a command" if "file" in fields else "neither a file nor a command"
        problem = f"{what} has {has}"
        reader.error(value.at, problem, "write `file: hosts.ini`, or `command: [PROGRAM, --list]`")
        return None
    if "command" in fields:
        command = fields["command"][1]
        words = reader.texts(command, f"{what}: command", "WORD")
        if not isinstance(command, List) or not words:
            remedy = "write a list of the program and its arguments: [./hosts.py, --list]"
            reader.error(command.at, f"{what}: command is not a list of words", remedy)
            return None
        argv = tuple(word.text for word in words)
        shown = Redactor().command(shlex.join(argv))
        return Source(command.at, shown, None, argv, tuple(groups))
    text, at = reader.text(fields["file"][1], f"{what}: file"), fields["file"][1].at
    path = reader.path.parent / os.path.expanduser(text or "")
    return Source(at, text, path, (), tuple(groups)) if text else None


def read_hosts(reader: FieldReader, source: Source, run: Runner | None) -> Hosts | None:
    """What the source lists; None after adding a finding if that cannot be read.

    ``run`` runs the command; without it, a command is an error.
    """
    at, what = source.at, f"stackcook: inventory: {source}"
    try:
        text = _content(source.file, source.text) if source.file else _printed(reader, source, run)
    except _Unreadable as error:
        reader.error(at, f"{what} {error.what}", error.remedy)
        return None
    if source.file and source.file.suffix != ".json":
        return read_ini(reader, source.file, text, _WANTED)
    return read_json(
        reader, Position(1, 1, source.file) if source.file else at, what, text, _WANTED
    )


class _Unreadable(Exception):
    """Why there is no inventory, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def _content(path: Path, text: str) -> str:
    """The text of a file that is written as ``text``; raises _Unreadable."""
    if path.is_dir() or path.suffix in (".yml", ".yaml"):
        kind = "a directory" if path.is_dir() else "YAML"
        remedy = f"write `command: [ansible-inventory, -i, {text}, --list]` instead"
        raise _Unreadable(f"is {kind}, not a hosts file in INI format", remedy)
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise _Unreadable(why, "correct the path, or create the file") from error
    except ValueError as error:  # of the path, or of the content
        raise _Unreadable("is not a text in UTF-8", "save the file as UTF-8") from error
    if content.startswith("#!"):
        program = text if "/" in text else f"./{text}"
        remedy = f"write `command: [{program}, --list]` instead"
        raise _Unreadable("is a program, not a hosts file", remedy)
    return content


def _printed(reader: FieldReader, source: Source, run: Runner | None) -> str:
    """What the command prints; raises _Unreadable."""
    if run is None:
        raise _Unreadable("was not run", "run `stackcook check`")
    program, *arguments = source.command
    command = Command((os.path.expanduser(program), *arguments), cwd=reader.path.parent, apart=True)
    try:
        done = run(command, timeout=TIMEOUT)
    except CommandError as error:
        remedy = "check that it is installed, executable, and fast"
        raise _Unreadable(error.what, remedy) from error
    except ValueError as error:  # a zero byte among the arguments
        raise _Unreadable("cannot be started", "remove characters that are no text") from error
    if done.status:
        lines = Redactor()(done.errors).strip().splitlines()
        said = " | ".join(lines[-_QUOTED:]) or "nothing on standard error"
        remedy = "run it yourself in the manifest's directory, and correct what it reports"
        raise _Unreadable(f"failed with exit status {done.status}: {said}", remedy)
    return done.output


def run_lists(
    source: Source | None, hosts: Hosts
) -> Mapping[str, tuple[tuple[str, ...], Position]]:
    """Host → the run lists of all its groups in one, and the place of the first of these."""
    found: dict[str, tuple[tuple[str, ...], Position]] = {}
    for name, run_list in source.groups if source else ():
        for host in hosts.groups.get(name.text, ()):
            before, at = found.get(host, ((), name.at))
            found[host] = tuple(dict.fromkeys((*before, *run_list))), at
    return found


def host_settings(
    reader: FieldReader, name: Scalar, variables: Mapping[str, Scalar]
) -> NodeSettings:
    """How to log in to a host, from its variables."""
    address = partial(
        reader.parsed, parse=address_or_name, remedy="write an IP address, or the host's name"
    )
    read: Mapping[str, Callable[[Scalar, str], Any]] = {
        "address": address,
        "user": reader.text,
        "port": partial(reader.number, least=1, most=65535),
        "key": partial(reader.file, needed_by=LOGIN, private=True),
    }
    given: dict[str, Any] = {}
    places: dict[str, Position] = {}
    for key, known in VARIABLES.items():
        for variable in [each for each in known if each in variables][:1]:
            value, what = variables[variable], f"node {name.text}: {variable}"
            if "{{" in value.text:
                reader.invalid(value, what, "write the value: stackcook evaluates no templates")
            else:
                given[key], places[key] = read[key](value, what), value.at
    return NodeSettings(name.at, **given, places=places)


def check_groups(reader: FieldReader, source: Source, hosts: Hosts) -> None:
    """Add findings for groups that the inventory doesn't have, and for those without hosts."""
    for name, _ in source.groups:
        what = f"stackcook: inventory: groups: {name.text}"
        if name.text not in hosts.groups:
            remedy = suggest(name.text, hosts.groups)
            reader.error(name.at, f"{what} is not a group of {source}", remedy)
        elif not hosts.groups[name.text]:
            remedy = "add a host to it, or remove it here"
            reader.warning(name.at, f"{what} has no hosts in {source}", remedy)
