"""Takes away what the manifest no longer names, old versions of cookbooks, or all that it names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from stackcook.chef.objects import metadata
from stackcook.chef.rest.client import ChefClient, NotFound
from stackcook.chef.sync.changes import Gone
from stackcook.chef.sync.listing import (
    DEFAULT_ENVIRONMENT,
    Listing,
    bag_path,
    object_path,
)
from stackcook.chef.sync.order import role_waves
from stackcook.chef.repository.repository import Repository
from stackcook.chef.repository.selection import select
from stackcook.parallel import parallel_map

_KINDS = ("environment", "cookbook", "data bag item", "data bag")
"""After the roles, in this order: what names others before what is named."""


def delete(
    client: ChefClient, gone: Iterable[Gone], *, on_event: Callable[[str], None]
) -> tuple[str, ...]:
    """Delete these; gives their labels. What is not there any more is no error.

    Roles go before the roles that they name. One after the other: servers have lost track of
    versions of a cookbook that went at once. Raises ChefServerError.
    """
    gone = tuple(gone)
    roles = _roles(client, [each for each in gone if each.kind == "role"])
    others = [each for each in gone if each.kind != "role"]
    deleted = []
    for each in (*roles, *sorted(others, key=lambda each: _KINDS.index(each.kind))):
        on_event(f"deleting {each.label}")
        try:
            client.delete(each.path)
        except NotFound:
            pass  # somebody was faster
        deleted.append(each.label)
    return tuple(deleted)


def _roles(client: ChefClient, gone: list[Gone]) -> list[Gone]:
    """The roles, each before those that its run lists name."""

    def look(each: Gone) -> Mapping[str, Any]:
        try:
            return client.get_map(each.path)
        except NotFound:
            return {}

    values = dict(zip(gone, parallel_map(look, gone)))
    waves = role_waves(gone, lambda e: str(values[e].get("name", e.path)), values.__getitem__)
    return [each for wave in waves for each in wave][::-1]


def superseded(client: ChefClient, repository: Repository, keep: int) -> Iterator[Gone]:
    """Versions of the repository's cookbooks older than the newest ``keep``, its own among these.

    Not what an environment leads to, its own or another one on the server, nor what one of its
    cookbooks does. Raises ChefServerError.
    """
    there = Listing.ask(client, ("cookbooks", "environments"), ())
    others = sorted(there.environments - repository.environments.keys())
    environments = [
        *repository.environments.values(),
        *parallel_map(lambda name: client.get_map(object_path("environments", name)), others),
    ]
    wanted = [environment.get("cookbook_versions") or {} for environment in environments]
    wanted += [cookbook.dependencies for cookbook in repository.cookbooks]
    for cookbook in repository.cookbooks:
        name = cookbook.name
        versions = there.cookbooks.get(name, frozenset()) | {cookbook.version}
        found = sorted(versions, key=_numbers, reverse=True)
        needed = {cookbook.version, *found[:keep]}
        for constraint in {str(each[name]) for each in wanted if name in each}:
            needed |= _newest(found, constraint)
        for version in reversed(found):
            if version not in needed:
                path = object_path("cookbooks", name, version)
                yield Gone("cookbook", f"cookbook {name} {version}", path)


def _newest(versions: Iterable[str], constraint: str) -> set[str]:
    """The first of the versions, sorted from the newest, that nodes get with this constraint."""
    try:
        canonical = metadata.constraint(constraint)
    except ValueError:
        return set(versions)  # better too many than one that is needed
    return set([v for v in versions if metadata.satisfies(v, canonical)][:1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def named(
    client: ChefClient, repository: Repository, sections: Collection[str]
) -> tuple[Gone, ...]:
    """All on the server that the repository names: cookbooks in every version.

    A data bag goes if that leaves it empty; generated ones stay, as does the environment that
    every server has of its own. Raises ChefServerError.
    """
    repository = select(repository, sections)
    own = [bag for bag in repository.data_bags if not bag.generated]
    there = Listing.ask(client, sections, [bag.name for bag in own])
    gone = []
    for name in sorted(there.roles & repository.roles.keys()):
        gone.append(Gone("role", f"role {name}", object_path("roles", name)))
    for name in sorted(there.environments & repository.environments.keys() - {DEFAULT_ENVIRONMENT}):
        path = object_path("environments", name)
        gone.append(Gone("environment", f"environment {name}", path))
    for cookbook in repository.cookbooks:
        for version in sorted(there.cookbooks.get(cookbook.name, ()), key=_numbers):
            path = object_path("cookbooks", cookbook.name, version)
            gone.append(Gone("cookbook", f"cookbook {cookbook.name} {version}", path))
    for bag in own:
        items = there.bags.get(bag.name)
        if items is not None and items <= bag.items.keys():
            gone.append(Gone("data bag", f"data bag {bag.name}", bag_path(bag.name)))
        else:
            for name in sorted((items or frozenset()) & bag.items.keys()):
                path = object_path("data", bag.name, name)
                gone.append(Gone("data bag item", f"data bag item {bag.name}/{name}", path))
    return tuple(gone)
