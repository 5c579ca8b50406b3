"""``--limit``: some of the manifest's nodes, by name or by role."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stackcook.errors import UsageError
from stackcook.manifest.model import Manifest
from stackcook.nearest import nearest

_ROLE = re.compile(r"role\[(.*)\]")


def limited(manifest: Manifest, words: Iterable[str]) -> frozenset[str] | None:
    """The names of the nodes that ``words`` select; ``None``, which is all of them, without any.

    A word is ``NODE``, ``role[NAME]`` or several with commas between. A node has the roles that
    its own run list names, not those that these bring. Raises UsageError for what selects nothing.
    """
    wanted = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not wanted:
        return None
    names = {node.name for node in manifest.nodes}
    with_role: dict[str, set[str]] = {}
    for node in manifest.nodes:
        for role in node.roles:
            with_role.setdefault(f"role[{role}]", set()).add(node.name)
    found: set[str] = set()
    for word in wanted:
        if word not in names and word not in with_role:
            raise _unknown(word, [*with_role] if _ROLE.fullmatch(word) else sorted(names))
        found |= with_role.get(word, {word})
    return frozenset(found)


def _unknown(word: str, known: list[str]) -> UsageError:
    what = (
        f"no node has {word} in its run list" if _ROLE.fullmatch(word) else f"unknown node {word}"
    )
    near = nearest(word, known)
    some = ", ".join(known[:12]) or "none"
    remedy = f'did you mean "{near}"?' if near else f"use one of {some}"
    if word == "roles":  # what a shell makes of role[base] where there is a directory roles
        remedy = "quote it: 'role[NAME]'"
    return UsageError(what, where="--limit", remedy=remedy)
