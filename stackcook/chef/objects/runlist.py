"""Run lists: their entries, and the recipes and cookbooks that they expand to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Keys = tuple[str | int, ...]
Role = Mapping[str, Any]

_RUN_LIST_ITEM = re.compile(
    r"(?P<kind>role|recipe)\[(?P<name>[^\[\]@]+)(@(?P<version>\d+(\.\d+){1,2}))?\]"
)


@dataclass(frozen=True)
class RunListItem:
    """An entry of a run list: ``kind`` is ``role`` or ``recipe``."""

    kind: str
    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> RunListItem:
        """The item named by ``text``, a recipe unless it says ``role``. Raises ValueError."""
        match = _RUN_LIST_ITEM.fullmatch(text) or _RUN_LIST_ITEM.fullmatch(f"recipe[{text}]")
        if not match or (match["kind"] == "role" and match["version"]):
            raise ValueError(f'invalid run list entry "{text}"')
        return cls(match["kind"], match["name"], match["version"])

    @classmethod
    def parse_or_none(cls, text: object) -> RunListItem | None:
        """As :meth:`parse`; ``None`` for what is not an item."""
        try:
            return cls.parse(text) if isinstance(text, str) else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.kind}[{self.name}{'@' + self.version if self.version else ''}]"


def run_list(items: Sequence[Any]) -> list[str]:
    """The entries in canonical form without duplicates. Raises ValueError for an invalid one."""
    return list(dict.fromkeys(str(RunListItem.parse(str(item))) for item in items))


def run_lists(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A role's run lists, each with its path of keys; values that are not lists are included."""
    for field in ("run_list", "recipes"):
        if raw.get(field) is not None:
            yield (field,), raw[field]
            break
    lists = raw.get("env_run_lists")
    if isinstance(lists, Mapping):
        for environment_name, items in lists.items():
            yield ("env_run_lists", environment_name), items


def entries(role: Role) -> Iterator[tuple[Keys, RunListItem]]:
    """Each entry of each run list in a role's file, with its path of keys.

    Invalid entries are left out, here and below: :func:`roles.faults` reports them.
    """
    for keys, items in run_lists(role):
        for number, entry in enumerate(items if isinstance(items, list) else ()):
            if item := RunListItem.parse_or_none(entry):
                yield (*keys, number), item


def run_list_for(role: Role, environment: str) -> list[RunListItem]:
    """The role's run list on nodes of that environment."""
    lists: dict[Keys, list[RunListItem]] = {keys: [] for keys, _ in run_lists(role)}
    for keys, item in entries(role):
        lists[keys[:-1]].append(item)
    places = [("env_run_lists", environment), ("env_run_lists", "_default"), ("run_list",)]
    return next((lists[place] for place in (*places, ("recipes",)) if place in lists), [])


def full_name(recipe: str) -> str:
    """The recipe with its cookbook: ``apt::default`` for ``apt``."""
    return recipe if "::" in recipe else f"{recipe}::default"


def recipes_of(
    run_list: Iterable[str], environment: str, roles: Mapping[str, Role]
) -> Iterator[str]:
    """The recipes that a run list expands to, in order; each role is expanded once."""
    left = [item for item in map(RunListItem.parse_or_none, run_list) if item][::-1]
    seen: set[str] = set()
    while left:
        item = left.pop()
        if item.kind == "recipe":
            yield item.name
        elif item.name not in seen:
            seen.add(item.name)
            left += run_list_for(roles.get(item.name, {}), environment)[::-1]


def cookbooks_of(
    run_list: Iterable[str],
    environment: str,
    roles: Mapping[str, Role],
    dependencies: Mapping[str, Iterable[str]],
) -> set[str]:
    """The cookbooks that a node with that run list needs, dependencies included."""
    found = {name.split("::")[0] for name in recipes_of(run_list, environment, roles)}
    left = list(found)
    while left:
        new = set(dependencies.get(left.pop(), ())) - found
        found |= new
        left += new
    return found
