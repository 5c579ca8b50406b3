"""Deletes objects from the Chef server, and finds old versions and what the manifest names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from stackcook.chef.objects import metadata
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient, NotFound
from stackcook.chef.sync.changes import Gone, object_path, role_waves
from stackcook.chef.sync.compare import DEFAULT_ENVIRONMENT, Listing
from stackcook.parallel import parallel_map

_KINDS = ("environment", "cookbook", "data bag item", "data bag")
"""The order after the roles: what refers to others comes before what it refers to."""


def delete(
    client: ChefClient, gone: Iterable[Gone], *, on_event: Callable[[str], None]
) -> tuple[str, ...]:
    """Delete these objects and return their labels; missing ones are no error.

    Roles are deleted before the roles in their run lists. Not in parallel: servers have lost track
    of versions of a cookbook that were deleted at once. Raises ChefServerError.
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
            pass  # already deleted
        deleted.append(each.label)
    return tuple(deleted)


def _roles(client: ChefClient, gone: list[Gone]) -> list[Gone]:
    """The roles, each before those in its run lists."""

    def look(each: Gone) -> Mapping[str, Any]:
        try:
            return client.get_map(each.path)
        except NotFound:
            return {}

    values = dict(zip(gone, parallel_map(look, gone)))
    waves = role_waves(gone, lambda e: str(values[e].get("name", e.path)), values.__getitem__)
    return [each for wave in waves for each in wave][::-1]


def superseded(client: ChefClient, repository: Repository, keep: int) -> Iterator[Gone]:
    """Versions of the repository's cookbooks other than the newest ``keep`` and its own.

    Versions stay that an environment, here or on the server, or a dependency of the repository's
    cookbooks resolves to. Raises ChefServerError.
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
        found = sorted(versions, key=metadata.numbers, reverse=True)
        needed = {cookbook.version, *found[:keep]}
        for constraint in {str(each[name]) for each in wanted if name in each}:
            needed |= _newest(found, constraint)
        for version in reversed(found):
            if version not in needed:
                yield Gone.of("cookbook", name, version)


def _newest(versions: Iterable[str], constraint: str) -> set[str]:
    """The newest of the sorted versions that satisfies the constraint."""
    try:
        canonical = metadata.constraint(constraint)
    except ValueError:
        return set(versions)  # rather keep too many
    return set([v for v in versions if metadata.satisfies(v, canonical)][:1])


def named(
    client: ChefClient, repository: Repository, sections: Collection[str]
) -> tuple[Gone, ...]:
    """All objects on the server that the repository names, cookbooks in every version.

    A data bag is included if nothing else is in it. Generated data bags and the environment
    ``_default`` are not included. Raises ChefServerError.
    """
    repository = repository.select(sections)
    own = [bag for bag in repository.data_bags if not bag.generated]
    there = Listing.ask(client, sections, [bag.name for bag in own])
    environments = there.environments & repository.environments.keys() - {DEFAULT_ENVIRONMENT}
    gone = [Gone.of("role", name) for name in sorted(there.roles & repository.roles.keys())]
    gone += (Gone.of("environment", name) for name in sorted(environments))
    for cookbook in repository.cookbooks:
        versions = sorted(there.cookbooks.get(cookbook.name, ()), key=metadata.numbers)
        gone += (Gone.of("cookbook", cookbook.name, version) for version in versions)
    for bag in own:
        items = there.bags.get(bag.name)
        if items is not None and items <= bag.items.keys():
            gone.append(Gone.of("data bag", bag.name))
        else:
            common = (items or frozenset()) & bag.items.keys()
            gone += (Gone.of("data bag item", bag.name, item) for item in sorted(common))
    return tuple(gone)
