"""``--limit`` and ``--zone``: some of the manifest's nodes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice

from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest
from stackcook.nearest import nearest
from stackcook.ranges import RangeError, expand

_ROLE = re.compile(r"role\[(.*)\]")
_COMMA = re.compile(r",(?![^\[\]]*\])")  # not one between brackets


def limited(
    manifest: Manifest,
    words: Iterable[str],
    where: str = "--limit",
    *,
    zones: Collection[str] = (),
) -> frozenset[str] | None:
    """The names of the nodes that ``words`` select, of these ``zones``; None, for all of them.

    A word is ``NODE``, a range such as ``compute[01-10]``, a pattern with ``*`` or ``?``,
    ``role[NAME]``, or several with commas between. A node has the roles that its own run list
    names, not those that these bring. Raises UsageError, about the option ``where``, for what
    selects nothing, even if it is empty, and for a range with a node that is unknown.
    """
    inside = _in_zones(manifest, zones)
    found = _selected(manifest, words, where)
    if inside is None or found is None:
        return inside if found is None else found
    if not inside & found:
        what = f"none of the selected nodes is in {' or '.join(zones)}"
        raise UsageError(what, where=where, remedy="omit --zone, or select others")
    return inside & found


def _in_zones(manifest: Manifest, zones: Collection[str]) -> frozenset[str] | None:
    for zone in zones:
        check_zone(manifest, zone)
    nodes = (node.name for node in manifest.nodes if manifest.zone_of(node) in zones)
    return frozenset(nodes) if zones else None


def check_zone(manifest: Manifest, zone: str) -> None:
    """Raise UsageError if the manifest has no such zone."""
    if zone not in manifest.zones:
        near = nearest(zone, manifest.zones)
        some = ", ".join(manifest.zones)
        remedy = f"use one of {some}" if some else "omit it: the manifest has no zones"
        remedy = f'did you mean "{near}"?' if near else remedy
        raise UsageError(f"unknown zone {zone}", where="--zone", remedy=remedy)


def of_one_zone(manifest: Manifest, zone: str | None) -> Manifest:
    """The manifest of ``zone``, or one that has no zones, for a command that needs one cloud.

    Raises UsageError if it is unknown which one.
    """
    if zone is not None:
        check_zone(manifest, zone)
    elif manifest.zones:
        remedy = f"add `--zone {manifest.zones[0]}`, or one of {', '.join(manifest.zones[1:])}"
        raise UsageError("the manifest has several zones", remedy=remedy)
    return manifest.zone(zone or "")


def _selected(manifest: Manifest, words: Iterable[str], where: str) -> frozenset[str] | None:
    given = [*words]
    wanted = [part.strip() for word in given for part in _COMMA.split(word) if part.strip()]
    if not given:
        return None
    if not wanted:  # such as an empty variable of a shell: not all nodes
        some = _some(node.name for node in manifest.nodes)
        raise UsageError("no node is named", where=where, remedy=f"use one of {some}")
    names = {node.name: None for node in manifest.nodes}  # in the manifest's order
    with_role: dict[str, set[str]] = {}
    for node in manifest.nodes:
        for role in node.roles:
            with_role.setdefault(f"role[{role}]", set()).add(node.name)
    found: set[str] = set()
    for word in wanted:
        if word in names or word in with_role:
            found |= with_role.get(word, {word})
        elif _ROLE.fullmatch(word):
            raise _unknown(word, [*with_role], where)
        else:
            found.update(_nodes(word, names, where))
    return frozenset(found)


def _nodes(word: str, names: Collection[str], where: str) -> Iterator[str]:
    """The nodes of a range or a pattern, or of both in one: ``rack[1-3]-*``."""
    try:
        parts = expand(word)
    except RangeError as error:
        raise UsageError(str(error), where=where, remedy=error.remedy) from error
    for part in parts:
        matching = [part] if part in names else []
        if "*" in part or "?" in part:
            matching = [name for name in names if fnmatchcase(name, part)]
        if not matching:
            raise _unknown(part, [*names], where)
        yield from matching


def _unknown(word: str, known: list[str], where: str) -> UsageError:
    what = f"unknown node {word}"
    if _ROLE.fullmatch(word):
        what = f"no node has {word} in its run list"
    elif "*" in word or "?" in word:
        what = f"no node matches {word}"
    near = nearest(word, known)
    remedy = f'did you mean "{near}"?' if near else f"use one of {_some(known)}"
    if word == "roles":  # what a shell makes of role[base] where there is a directory roles
        remedy = "quote it: 'role[NAME]'"
    return UsageError(what, where=where, remedy=remedy)


def _some(names: Iterable[str]) -> str:
    """The first of the names, to show."""
    return ", ".join(islice(names, 12)) or "none"
