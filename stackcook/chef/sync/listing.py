"""The names of what the Chef server has, and which of them the manifest does not know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from stackcook.chef.objects.databags import DataBag
from stackcook.chef.rest.answers import strange
from stackcook.chef.rest.client import ChefClient, NotFound
from stackcook.chef.sync.changes import Gone
from stackcook.chef.repository.repository import Repository
from stackcook.parallel import parallel_map

DEFAULT_ENVIRONMENT = "_default"


@dataclass(frozen=True)
class Listing:
    """Names on the server; of cookbooks with their versions, of the ``bags`` asked for with items.

    A bag whose items weren't asked for is in ``bags`` without any.
    """

    cookbooks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    bags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def ask(cls, client: ChefClient, sections: Collection[str], bags: Iterable[str]) -> Listing:
        """The names in ``sections``, and those of the items of ``bags``. Raises ChefServerError."""
        paths = {
            "cookbooks": "/cookbooks?num_versions=all",
            "environments": "/environments",
            "roles": "/roles",
            "data bags": "/data",
        }
        wanted = [path for section, path in paths.items() if section in sections]
        of_bags = [bag_path(bag) for bag in bags]

        def ask(path: str) -> Mapping[str, Any]:
            try:
                return client.get_map(path)
            except NotFound:
                if path in of_bags:
                    return {}  # the bag is not there
                raise

        found = dict(zip((*wanted, *of_bags), parallel_map(ask, (*wanted, *of_bags))))
        items = {bag: frozenset(found[bag_path(bag)]) for bag in bags}
        return cls(
            cookbooks=_versions(client, found.get(paths["cookbooks"], {})),
            environments=frozenset(found.get(paths["environments"], {})),
            roles=frozenset(found.get(paths["roles"], {})),
            bags={bag: items.get(bag, frozenset()) for bag in found.get(paths["data bags"], {})},
        )

    def gone(self, repository: Repository, keep: Collection[str]) -> Iterator[Gone]:
        """What of it the repository has not, in the order in which it may be deleted.

        Other versions of the repository's cookbooks are not gone, nor are the data bags ``keep``.
        """
        for name in sorted(self.roles - repository.roles.keys()):
            yield Gone("role", f"role {name}", object_path("roles", name))
        own = {*repository.environments, DEFAULT_ENVIRONMENT}
        for name in sorted(self.environments - own):
            yield Gone("environment", f"environment {name}", object_path("environments", name))
        named = {cookbook.name for cookbook in repository.cookbooks}
        for name in sorted(self.cookbooks.keys() - named):
            for version in sorted(self.cookbooks[name]):
                path = object_path("cookbooks", name, version)
                yield Gone("cookbook", f"cookbook {name} {version}", path)
        bags = {bag.name: bag for bag in repository.data_bags}
        for name in sorted(self.bags.keys() - set(keep)):
            yield from self._gone_of_bag(name, bags.get(name))

    def _gone_of_bag(self, name: str, bag: DataBag | None) -> Iterator[Gone]:
        if bag is None:
            yield Gone("data bag", f"data bag {name}", bag_path(name))
        elif not bag.generated:
            for item in sorted(self.bags[name] - bag.items.keys()):
                label = f"data bag item {name}/{item}"
                yield Gone("data bag item", label, object_path("data", name, item))


def bag_path(name: str) -> str:
    """Where a data bag and its items are."""
    return object_path("data", name)


def object_path(*parts: str) -> str:
    """The path of an object of these names: what may not be in a URL is escaped."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _versions(client: ChefClient, found: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    try:
        return {
            name: frozenset(str(version["version"]) for version in cookbook["versions"])
            for name, cookbook in found.items()
        }
    except (TypeError, KeyError) as error:
        raise strange(client.server, "GET /cookbooks") from error
