"""What the server lacks of the repository: asked of the server, changing nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from stackcook.chef import encryption, objects
from stackcook.chef.client import CONNECTIONS, ChefClient
from stackcook.chef.cookbook import Cookbook, differs, stored_files
from stackcook.chef.databags import DataBag
from stackcook.chef.repository import Repository
from stackcook.errors import ChefServerError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class CookbookChange:
    """A cookbook to put; ``stored`` are the checksums of its files that the server has."""

    cookbook: Cookbook
    stored: frozenset[str]
    new: bool

    @property
    def label(self) -> str:
        """What people read."""
        return f"cookbook {self.cookbook.name} {self.cookbook.version}"

    @property
    def missing(self) -> frozenset[str]:
        """Checksums that the server may lack."""
        return frozenset(file.md5 for file in self.cookbook.files) - self.stored


@dataclass(frozen=True)
class ObjectChange:
    """A role, environment, data bag or item to make (in ``collection``) or to replace."""

    label: str
    collection: str
    name: str
    value: Mapping[str, Any]
    new: bool


@dataclass(frozen=True)
class Difference:
    """What is to do; ``objects`` in the order in which readers may see them."""

    cookbooks: tuple[CookbookChange, ...]
    objects: tuple[ObjectChange, ...]
    unchanged: tuple[str, ...]


def compare(client: ChefClient, repository: Repository) -> Difference:
    """Ask the server for all that the repository has. Raises ChefServerError."""
    unchanged: list[str] = []
    cookbooks = _cookbooks(client, repository.cookbooks, unchanged)
    changes = [
        *_data_bags(client, repository.data_bags, unchanged),
        *_named(client, "environment", repository.environments, objects.environment, unchanged),
        *_named(client, "role", repository.roles, objects.role, unchanged),
    ]
    return Difference(tuple(cookbooks), tuple(changes), tuple(unchanged))


def in_parallel(function: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """``function`` of each value, in their order, as many at once as there are connections."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            return list(pool.map(function, values))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _cookbooks(
    client: ChefClient, cookbooks: Iterable[Cookbook], unchanged: list[str]
) -> list[CookbookChange]:
    there = {
        (name, version["version"])
        for name, found in client.get("/cookbooks?num_versions=all").items()
        for version in found["versions"]
    }

    def change(cookbook: Cookbook) -> tuple[CookbookChange, bool]:
        if (cookbook.name, cookbook.version) not in there:
            return CookbookChange(cookbook, frozenset(), new=True), True
        stored = client.get(f"/cookbooks/{cookbook.name}/{cookbook.version}")
        checksums = frozenset(stored_files(stored).values())
        return CookbookChange(cookbook, checksums, new=False), differs(cookbook, stored)

    changes = in_parallel(change, cookbooks)
    unchanged.extend(change.label for change, differing in changes if not differing)
    return [change for change, differing in changes if differing]


def _named(
    client: ChefClient,
    kind: str,
    wanted: Mapping[str, Mapping[str, Any]],
    whole: Callable[[str, Mapping[str, Any]], dict[str, Any]],
    unchanged: list[str],
) -> list[ObjectChange]:
    collection = f"/{kind}s"
    there = client.get(collection) if wanted else {}

    def change(name: str) -> ObjectChange | None:
        if name in there:
            stored = {k: v for k, v in client.get(f"{collection}/{name}").items() if v is not None}
            if _same(whole(name, stored), wanted[name]):
                return None
        return ObjectChange(f"{kind} {name}", collection, name, wanted[name], name not in there)

    changes = dict(zip(wanted, in_parallel(change, wanted)))
    unchanged.extend(f"{kind} {name}" for name, found in changes.items() if found is None)
    return [found for found in changes.values() if found]


def _same(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(stored.get(field) == value for field, value in wanted.items())


def _data_bags(
    client: ChefClient, bags: Iterable[DataBag], unchanged: list[str]
) -> list[ObjectChange]:
    changes = []
    bags = tuple(bags)
    there = client.get("/data") if bags else {}
    for bag in bags:
        items: Mapping[str, Any] = {}
        if bag.name in there:
            unchanged.append(f"data bag {bag.name}")
            items = client.get(f"/data/{bag.name}")
        else:
            label = f"data bag {bag.name}"
            changes.append(ObjectChange(label, "/data", bag.name, {"name": bag.name}, new=True))
        changes += _items(client, bag, items, unchanged)
    return changes


def _items(
    client: ChefClient, bag: DataBag, there: Mapping[str, Any], unchanged: list[str]
) -> list[ObjectChange]:
    def change(name: str) -> ObjectChange | None:
        data = bag.items[name]
        if name in there:
            stored = client.get(f"/data/{bag.name}/{name}")
            if _same_item(stored, data, bag.secret):
                return None
            if bag.generated:
                raise _unexplained(client, bag.name, name)
        if bag.secret and not encryption.is_encrypted(data):
            data = encryption.encrypt(data, bag.secret)
        label = f"data bag item {bag.name}/{name}"
        value = objects.wrapped_item(bag.name, data)
        return ObjectChange(label, f"/data/{bag.name}", name, value, name not in there)

    changes = dict(zip(bag.items, in_parallel(change, bag.items)))
    unchanged.extend(f"data bag item {bag.name}/{n}" for n, found in changes.items() if not found)
    return [found for found in changes.values() if found]


def _same_item(stored: Mapping[str, Any], data: Mapping[str, Any], secret: str | None) -> bool:
    bare = objects.item(stored)
    for field in ("chef_type", "data_bag"):  # added by some servers
        if field not in data:
            bare.pop(field, None)
    if secret and not encryption.is_encrypted(data):
        try:
            return encryption.decrypt(bare, secret) == data
        except ValueError:
            return False
    return bare == data


def _unexplained(client: ChefClient, bag: str, name: str) -> ChefServerError:
    return ChefServerError(
        f"its password {bag}/{name} is not that of .stackcook/data_bags/{bag}/{name}.json",
        where=client.server.url,
        remedy=f"bring back the .stackcook that it was made with, or, to change the password, "
        f"`knife -c .stackcook/chef/config.rb data bag delete {bag} {name}`",
    )
