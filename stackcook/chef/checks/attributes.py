"""Checks the attributes in roles, environments and nodes against what cookbooks declare.

Only names below a first key that a cookbook declares are checked: with ``openstack.region``, those
below ``openstack``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union

from stackcook.chef.loader import jsontext
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.sources import Sources, read_json
from stackcook.chef.objects.attributes import TYPES, Attribute
from stackcook.errors import Position
from stackcook.manifest.knifeoptions import Option
from stackcook.manifest.model import Manifest
from stackcook.nearest import nearest

LEVELS = ("default_attributes", "override_attributes")
"""The keys of roles and environments that contain attributes."""

Tree = dict[str, Union["Tree", Attribute]]
"""The declared attributes by key, level by level."""

_ANY = "<>"  # the key in a tree of <NAME>, which stands for any key
_PHRASES = {"integer": "an integer", "option": "the value of an option", "any": "any value"}
_PHRASES |= {word: word for word in ("false", "null")}


@dataclass(frozen=True)
class Fault:
    """A wrong attribute: its path, what is wrong, and the remedy.

    ``warning`` if a cookbook that the manifest does not name may read it.
    """

    keys: tuple[str, ...]
    what: str
    remedy: str
    warning: bool = False


def tree(attributes: Iterable[Attribute]) -> Tree:
    """The attributes as a tree; of two with the same name, the first one counts."""
    root: Tree = {}
    for attribute in attributes:
        for path in attribute.paths:
            *above, last = (_ANY if key.startswith("<") else key for key in path)
            level: Tree | Attribute = root
            for key in above:
                level = level.setdefault(key, {}) if isinstance(level, dict) else level
            if isinstance(level, dict):
                level.setdefault(last, attribute)
    return root


def faults(known: Tree, given: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of the attributes ``given``; not those below one that is unknown."""
    for key, value in given.items():
        if key in known:
            yield from _below(known[key], value, (key,))


def _below(known: Tree | Attribute, value: Any, path: tuple[str, ...]) -> Iterator[Fault]:
    name = ".".join(path)
    if isinstance(known, Attribute):
        yield from _wrong_value(known, value, path)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            found = known.get(key) or known.get(_ANY)
            if found is None:
                yield _unknown(known, path, key)
            else:
                yield from _below(found, inner, (*path, key))
    elif value is not None:
        yield Fault(path, f"{name} is not a map", f"set {_first(known).name}")


def _wrong_value(known: Attribute, value: Any, path: tuple[str, ...]) -> Iterator[Fault]:
    name, types = ".".join(path), known.type.split(" or ")
    if not known.accepts(value):
        what = " or ".join(_PHRASES.get(each, f"a {each}") for each in types)
        how = " or ".join(TYPES[each.partition(" of ")[0]][0] for each in types)
        yield Fault(path, f"{name} is not {what}", f"write {how}")
    elif known.values and value is not None and str(value) not in known.values:
        near = nearest(str(value), known.values)
        remedy = f'did you mean "{near}"?' if near else f"use one of {', '.join(known.values)}"
        yield Fault(path, f'{name} cannot be "{value}"', remedy)


def _unknown(known: Tree, path: tuple[str, ...], key: str) -> Fault:
    names = [name for name in known if name != _ANY]
    near = nearest(key, names)
    remedy = "remove it, or declare it in attributes.yml of the cookbook that reads it"
    if near:
        remedy = f'did you mean "{".".join((*path, near))}"?'
    what = f'unknown attribute "{".".join((*path, key))}"'
    return Fault((*path, key), what, remedy, warning=len(path) == 1)


def _first(known: Tree | Attribute) -> Attribute:
    while isinstance(known, dict):
        known = next(iter(known.values()))
    return known


class AttributeCheck:
    """Adds a finding for each fault of the attributes that the repository and the manifest set."""

    def __init__(self, declared: Iterable[Attribute], findings: Findings) -> None:
        self._known = tree(declared)
        self._findings = findings

    def check_file(self, path: Path, values: Mapping[str, Any], sources: Sources) -> None:
        """Check the content of a role, an environment or a policy's lock."""
        for level in LEVELS:
            given = values.get(level)
            for fault in faults(self._known, given if isinstance(given, Mapping) else {}):
                self._add(path, sources.place(path, level, *fault.keys), fault)

    def check_nodes(self, manifest: Manifest) -> None:
        """Check the JSON of the nodes' options, once for all nodes that share it."""
        found: dict[tuple[Position, Fault], list[str]] = {}
        in_option, in_file = cache(self._in_option), cache(self._check_json)
        for node in manifest.nodes:
            option = node.options.last("json", "json_file")
            if option is None or not option.value:
                continue
            if option.name == "json_file":
                in_file(manifest.root / os.path.expanduser(option.value))
                continue
            for fault in in_option(option):
                found.setdefault((node.at, fault), []).append(node.name)
        for (at, fault), (name, *others) in found.items():
            self._add(
                manifest.path, at, fault, f"{name}{f' and {len(others)} more' * bool(others)}: "
            )

    def _in_option(self, option: Option) -> tuple[Fault, ...]:
        try:
            given = jsontext.parse(option.value or "")
        except jsontext.Malformed as error:
            return (Fault((), f"{option.flag} is not valid JSON: {error}", error.remedy),)
        if not isinstance(given, dict):
            return (Fault((), f"{option.flag} is not a JSON object", "put it in braces: {...}"),)
        return tuple(faults(self._known, given))

    def _check_json(self, path: Path) -> None:
        if not path.is_file():
            return  # the manifest's reader has reported it
        given = read_json(path, self._findings) or {}
        places = jsontext.positions(path.read_text(encoding="utf-8")) if given else {}
        for fault in faults(self._known, given):
            self._add(path, places.get(fault.keys), fault)

    def _add(self, path: Path, at: Position | None, fault: Fault, who: str = "") -> None:
        add = self._findings.warning if fault.warning else self._findings.error
        add(path, at, f"{who}{fault.what}", fault.remedy)
