"""Ansible's inventories: hosts files (INI), and the JSON of ``ansible-inventory --list``.

Groups and variables mean what they mean to Ansible: a group has the hosts of the groups below it,
and of several values for a variable the one nearest to the host counts.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import Path
from typing import Any

from stackcook.errors import Position, one_line
from stackcook.manifest.document import Scalar
from stackcook.manifest.fields import FieldReader, suggest
from stackcook.ranges import MOST, RangeError, TooMany, expand
from stackcook.redact import Redactor

BUILT_IN = ("all", "ungrouped")
"""The groups of every inventory: all hosts, and those that are in no other group."""

MOST_QUOTED = 100
"""Characters of a wrong line that a finding quotes."""

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(vars|children))?\]\s*(?:[#;].*)?")
_RANGE = re.compile(r"\[(\w{0,18}):(\w{1,18})(?::(\d{1,9}))?\]", re.ASCII)
_QUOTED = re.compile(r"""(['"])(.*?)\1\s*(?:#.*)?""")
_BRACKETS = re.compile(r"\[[^]]*\]")


@dataclass(frozen=True)
class Hosts:
    """An inventory: each host's name where it stands, the hosts of each group, and variables.

    ``groups`` includes the hosts of groups below, ``variables`` are the values that count for each
    host, by name.
    """

    names: Mapping[str, Scalar] = field(default_factory=dict)
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    variables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)


@dataclass
class _Group:
    """A group as it is written: its own hosts, the groups below it, and its variables."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Scalar] = field(default_factory=dict)
    variables: dict[str, Scalar] = field(default_factory=dict)


class _Draft:
    """The hosts and groups as they are read."""

    def __init__(self, reader: FieldReader) -> None:
        self.reader = reader
        self.names: dict[str, Scalar] = {}
        self.groups = {name: _Group() for name in BUILT_IN}
        self.variables: dict[str, dict[str, Scalar]] = {}

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())

    def add(self, host: Scalar, group: str) -> None:
        self.names.setdefault(host.text, host)
        self.variables.setdefault(host.text, {})
        self.group(group).hosts[host.text] = None

    def hosts(self, wanted: Collection[str]) -> Hosts:
        """What follows from all that was read; of the variables only those ``wanted``."""
        order = self._ordered()
        members: dict[str, dict[str, None]] = {}
        for name in order:
            members[name] = dict(self.groups[name].hosts)
            for child in self.groups[name].children:
                members[name].update(members[child])
        grouped = {host for name in members if name not in BUILT_IN for host in members[name]}
        members["all"] = dict.fromkeys(self.names)
        members["ungrouped"] = {host: None for host in self.names if host not in grouped}
        found: dict[str, dict[str, Scalar]] = {host: {} for host in self.names}
        depths = {name: int(name != "all") for name in order}
        for name in order[::-1]:
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
        for name in sorted(order, key=lambda name: (depths[name], name)):
            given = {k: v for k, v in self.groups[name].variables.items() if k in wanted}
            for host in members[name] if given else ():
                found[host].update(given)
        for host, own in self.variables.items():
            found[host].update((k, v) for k, v in own.items() if k in wanted)
        return Hosts(self.names, members, found)

    def _ordered(self) -> list[str]:
        """The groups, each after those below it; adds a finding for one that contains itself."""
        while True:
            try:
                graph = {name: group.children for name, group in self.groups.items()}
                return [*TopologicalSorter(graph).static_order()]
            except CycleError as error:
                child, group = error.args[1][:2]
                where = self.groups[group].children.pop(child)
                what = f"group {group} contains itself, by way of {child}"
                self.reader.error(where.at, what, f"remove {child} from the children of {group}")


def read_ini(reader: FieldReader, path: Path, text: str, wanted: Collection[str]) -> Hosts:
    """A hosts file; adds a finding for each line that is wrong, and leaves it out."""
    draft = _Draft(reader)
    section: tuple[str, str] | None = ("ungrouped", "hosts")
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        at = Position(number, len(line) - len(line.lstrip()) + 1, path)
        if words[0] == "[":
            match = _SECTION.fullmatch(words)
            section = (match[1], match[2] or "hosts") if match else None
            if section:
                draft.group(section[0])
            else:
                remedy = "write [GROUP], [GROUP:children] or [GROUP:vars]"
                reader.error(at, f"{words} is not the beginning of a group", remedy)
        elif section:
            _line(draft, Scalar(words, *at), *section)
    for name in [*draft.groups]:
        for child, where in [*draft.groups[name].children.items()]:
            if child not in draft.groups:
                what = f"{name}: unknown group {child}"
                reader.error(where.at, what, suggest(child, [*draft.groups]))
                del draft.groups[name].children[child]
    return draft.hosts(wanted)


def _line(draft: _Draft, line: Scalar, group: str, kind: str) -> None:
    """One line of a group: a host with variables, the name of a group below, or a variable."""
    error = draft.reader.error
    if kind == "vars":
        name, equals, value = line.text.partition("=")
        if equals:
            draft.group(group).variables[name.strip()] = line._replace(text=_unquoted(value))
        else:
            error(line.at, f"{group}:vars: this line has no `=`", "write NAME=VALUE")
        return
    try:
        first, *words = shlex.split(line.text, comments=True) or [""]
    except ValueError:
        error(line.at, "a quote has no end", "add the other quote")
        return
    if kind == "children":
        draft.group(group).children[first] = line._replace(text=first)
        return
    if "=" in first:
        remedy = f"write it after a host, or in a section [{group}:vars]"
        error(line.at, f"the variable {first.partition('=')[0]} has no host", remedy)
        return
    given = {}
    if _BRACKETS.sub("", first).count(":") == 1:
        first, _, given["ansible_port"] = first.rpartition(":")
    for word in words:
        name, equals, given[name] = word.partition("=")
        if not equals:
            # the word itself may be a part of a password
            remedy = "put values with blanks into quotes, and each host on a line of its own"
            error(line.at, f"{first} is followed by a word without `=`", remedy)
    try:
        names = tuple(islice(_expanded(first), MOST + 1))
        if len(names) > MOST:
            raise TooMany(f'"{first}" stands for more than {MOST:,} names')
    except TooMany as wrong:
        error(line.at, str(wrong), wrong.remedy)
    except RangeError as wrong:
        error(line.at, str(wrong), "write numbers between the brackets, such as [01:80]")
    else:
        for name in names:
            draft.add(line._replace(text=name), group)
            draft.variables[name].update((k, line._replace(text=v)) for k, v in given.items())


def _unquoted(value: str) -> str:
    """The value of a group's variable; like Ansible, this takes a comment only behind quotes."""
    match = _QUOTED.fullmatch(value.strip())
    return match[2] if match else value.strip()


def _expanded(text: str) -> Iterator[str]:
    """The names of a pattern with ranges as Ansible has them: ``[01:80]``, ``[a:f]``, ``[1:9:2]``.

    Also those of the manifest. Raises RangeError.
    """
    match = _RANGE.search(text)
    if not match:
        yield from expand(text)
        return
    for middle in _between(match):
        yield from _expanded(text[: match.start()] + middle + text[match.end() :])


def _between(match: re.Match[str]) -> Iterator[str]:
    """What one range stands for; raises RangeError for one that is wrong."""
    first, last, step = match[1] or "0", match[2], int(match[3] or 1)
    letters = len(first) == len(last) == 1 and first.isalpha() and last.isalpha()
    if not letters and not (first.isdigit() and last.isdigit()) or step == 0:
        raise RangeError(f"{match[0]} is not a range of numbers")
    ends = (ord(first), ord(last)) if letters else (int(first), int(last))
    numbers = range(ends[0], ends[1] + 1, step)
    if not numbers:
        raise RangeError(f"{match[0]} ends before it begins")
    width = len(first) if first.startswith("0") else 0
    return (chr(number) if letters else f"{number:0{width}}" for number in numbers)


def read_json(
    reader: FieldReader, at: Position, what: str, text: str, wanted: Collection[str]
) -> Hosts | None:
    """What a program prints; None after adding a finding at ``at`` if it isn't an inventory."""
    remedy = "it has to print the JSON of `ansible-inventory --list`"
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        line = one_line(Redactor()(error.doc.split("\n")[error.lineno - 1]))
        line = line[:MOST_QUOTED] or "nothing"
        reader.error(at, f"{what}: line {error.lineno} is not JSON: {line}", remedy)
        return None
    except (ValueError, RecursionError):  # a number or a nesting beyond all measure
        document = None
    if not isinstance(document, dict):
        reader.error(at, f"{what}: this is not a JSON object of groups", remedy)
        return None
    draft = _Draft(reader)
    meta = document.pop("_meta", None)
    for name, body in document.items():
        _group(draft, name, {"hosts": body} if isinstance(body, list) else body, at, what)
    for group in draft.groups.values():
        group.children = {name: where for name, where in group.children.items() if name in document}
    if not isinstance(meta, dict) or not isinstance(meta.get("hostvars"), dict):
        problem = f"{what}: there is no _meta with hostvars, so hosts have no variables"
        remedy = "let it print _meta, or run it by `ansible-inventory -i PROGRAM --list`"
        reader.warning(at, problem, remedy)
        meta = {"hostvars": {}}
    for host, variables in meta["hostvars"].items():
        draft.variables.setdefault(host, {}).update(_variables(variables, at))
    draft.variables = {host: draft.variables[host] for host in draft.names}
    return draft.hosts(wanted)


def _group(draft: _Draft, name: str, body: Any, at: Position, what: str) -> None:
    """One group of the JSON; adds a finding for each part of a wrong kind."""
    wrong = [name] if not isinstance(body, dict) else []
    body = body if isinstance(body, dict) else {}
    for key, kind in (("hosts", list), ("children", list), ("vars", dict)):
        value = body.get(key) or kind()
        if not isinstance(value, kind) or not all(isinstance(each, str) for each in value):
            wrong.append(f"{name}: {key}")
            continue
        if key == "hosts":
            for host in value:
                draft.add(Scalar(host, *at), name)
        elif key == "children":
            draft.group(name).children.update((child, Scalar(child, *at)) for child in value)
        else:
            draft.group(name).variables.update(_variables(value, at))
    draft.group(name)
    for each in wrong:
        remedy = 'write {"hosts": [NAMES], "children": [GROUPS], "vars": {NAME: VALUE}}'
        draft.reader.error(at, f"{what}: group {each}: not of the right kind", remedy)


def _variables(given: Any, at: Position) -> dict[str, Scalar]:
    found = given.items() if isinstance(given, dict) else ()
    return {name: Scalar(str(value), *at) for name, value in found if value is not None}
