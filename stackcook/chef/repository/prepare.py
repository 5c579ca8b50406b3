"""Which recipes of a node need no other node, and so can be run ahead of the rest.

A cookbook says so by name: beside the recipe ``compute`` stands ``compute_packages``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stackcook.chef.checks.expansion import recipes_of
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.model import Node

SUFFIX = "_packages"


def recipes_to_prepare(
    repository: Repository, nodes: Iterable[Node]
) -> Mapping[str, tuple[str, ...]]:
    """The recipes of each node that has some, by its name, in the run list's order."""
    there = {recipe for cookbook in repository.cookbooks for recipe in cookbook.recipes}
    known: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}
    found = {}
    for node in nodes:
        key = (node.run_list, node.environment)
        if key not in known:
            named = recipes_of(*key, repository.roles)
            wanted = (_full(name) + SUFFIX for name in named)
            known[key] = tuple(dict.fromkeys(recipe for recipe in wanted if recipe in there))
        if known[key]:
            found[node.name] = known[key]
    return found


def _full(recipe: str) -> str:
    return recipe if "::" in recipe else f"{recipe}::default"
