"""``--limit``: some of the manifest's nodes, by name, range, pattern or role."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest
from stackcook.nearest import nearest
from stackcook.ranges import RangeError, expand

_ROLE = re.compile(r"role\[(.*)\]")
_COMMA = re.compile(r",(?![^\[\]]*\])")  # not one between brackets


def limited(
    manifest: Manifest, words: Iterable[str], where: str = "--limit"
) -> frozenset[str] | None:
    """The names of the nodes that ``words`` select; ``None``, which is all of them, without any.

    A word is ``NODE``, a range such as ``compute[01-10]``, a pattern with ``*`` or ``?``,
    ``role[NAME]``, or several with commas between. A node has the roles that its own run list
    names, not those that these bring. Raises UsageError, about the option ``where``, for what
    selects nothing, and for a range with a node that is unknown.
    """
    wanted = [part.strip() for word in words for part in _COMMA.split(word) if part.strip()]
    if not wanted:
        return None
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
    some = ", ".join(known[:12]) or "none"
    remedy = f'did you mean "{near}"?' if near else f"use one of {some}"
    if word == "roles":  # what a shell makes of role[base] where there is a directory roles
        remedy = "quote it: 'role[NAME]'"
    return UsageError(what, where=where, remedy=remedy)
