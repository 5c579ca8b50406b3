"""What the server lacks of the repository, and what it has besides: asked, changing nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stackcook.chef.objects import encryption, objects
from stackcook.chef.objects.cookbook import Cookbook, differing_metadata, stored_files
from stackcook.chef.objects.databags import DataBag
from stackcook.chef.rest.answers import strange
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.changes import CookbookChange, Difference, FileChanges, Gone, ObjectChange
from stackcook.chef.sync.listing import Listing, bag_path, object_path
from stackcook.chef.sync.policyfile import compare_policy
from stackcook.chef.repository.repository import Repository
from stackcook.chef.repository.selection import SECTIONS, select
from stackcook.errors import ChefServerError
from stackcook.parallel import parallel_map

__all__ = ["CookbookChange", "Difference", "FileChanges", "Gone", "ObjectChange", "compare"]

Answer = CookbookChange | ObjectChange | str
"""What became of one object: a change, or the label of what is as it should be."""

Question = Callable[[], Answer]


def compare(
    client: ChefClient,
    repository: Repository,
    *,
    sections: Collection[str] = SECTIONS,
    keep: Collection[str] = (),
) -> Difference:
    """Ask the server for all that the repository has. Raises ChefServerError.

    Only ``sections`` are looked at. ``keep`` are data bags that are never gone, such as those of
    the manifest's passwords: they may not have been generated yet.
    """
    repository = select(repository, sections)
    there = Listing.ask(client, sections, [bag.name for bag in repository.data_bags])
    questions = _Questions(client, there)
    answers = parallel_map(lambda question: question(), questions.about(repository))
    policy = compare_policy(client, repository.policy) if repository.policy else None
    as_is = (repository.policy.label,) if repository.policy and not policy else ()
    return Difference(
        cookbooks=tuple(a for a in answers if isinstance(a, CookbookChange)),
        objects=tuple(a for a in answers if isinstance(a, ObjectChange)),
        unchanged=(*(a for a in answers if isinstance(a, str)), *as_is),
        gone=tuple(there.gone(repository, keep)),
        policy=policy,
    )


@dataclass(frozen=True)
class _Questions:
    """One question for each object; each may be asked from a thread of its own."""

    client: ChefClient
    there: Listing

    def about(self, repository: Repository) -> Iterator[Question]:
        """The questions: objects in the order in which readers may see them."""
        for cookbook in repository.cookbooks:
            yield partial(self._cookbook, cookbook)
        for bag in repository.data_bags:
            yield partial(self._bag, bag.name)
        for bag in repository.data_bags:
            for name in bag.items:
                yield partial(self._item, bag, name)
        for name, value in repository.environments.items():
            yield partial(self._named, "environment", name, value, self.there.environments)
        for name, value in repository.roles.items():
            yield partial(self._named, "role", name, value, self.there.roles)

    def _cookbook(self, cookbook: Cookbook) -> Answer:
        if cookbook.version not in self.there.cookbooks.get(cookbook.name, ()):
            first = cookbook.name not in self.there.cookbooks
            return CookbookChange(cookbook, frozenset(), new=True, first=first)
        path = object_path("cookbooks", cookbook.name, cookbook.version)
        stored = self.client.get_map(path)
        try:
            files = stored_files(stored)
        except (KeyError, TypeError) as error:
            raise strange(self.client.server, f"GET {path}") from error
        change = CookbookChange(
            cookbook,
            frozenset(files.values()),
            new=False,
            files=FileChanges.between(files, {file.path: file.md5 for file in cookbook.files}),
            metadata=differing_metadata(cookbook, stored),
            frozen=bool(stored.get("frozen?")),
        )
        freeze = cookbook.freeze and not change.frozen
        return change if change.files or change.metadata or freeze else change.label

    def _bag(self, name: str) -> Answer:
        label = f"data bag {name}"
        if name in self.there.bags:
            return label
        return ObjectChange(label, "/data", name, {"name": name}, new=True)

    def _item(self, bag: DataBag, name: str) -> Answer:
        label = f"data bag item {bag.name}/{name}"
        data, stored = bag.items[name], None
        if name in self.there.bags.get(bag.name, ()):
            stored = _bare_item(self.client.get_map(object_path("data", bag.name, name)), data)
            if _same_item(stored, data, bag.secret):
                return label
            if bag.generated:
                raise unexplained(self.client, bag.name, name)
        if bag.secret and not encryption.is_encrypted(data):
            data = encryption.encrypt(data, bag.secret)
        return ObjectChange(
            label,
            bag_path(bag.name),
            name,
            objects.wrapped_item(bag.name, data),
            new=stored is None,
            stored=stored and objects.wrapped_item(bag.name, {"id": name, **stored}),
            secret=encryption.is_encrypted(data),
            fixed=bag.generated,
        )

    def _named(
        self, kind: str, name: str, wanted: Mapping[str, Any], there: Collection[str]
    ) -> Answer:
        label, collection, stored = f"{kind} {name}", f"/{kind}s", None
        if name in there:
            path = object_path(f"{kind}s", name)
            given = {k: v for k, v in self.client.get_map(path).items() if v is not None}
            try:
                stored = (objects.role if kind == "role" else objects.environment)(name, given)
            except ValueError:
                stored = given  # another tool's idea of it, which ours replaces
            if all(stored.get(field) == value for field, value in wanted.items()):
                return label
        return ObjectChange(label, collection, name, wanted, new=stored is None, stored=stored)


def _bare_item(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    bare = objects.item(stored)
    for field in ("chef_type", "data_bag"):  # added by some servers
        if field not in wanted:
            bare.pop(field, None)
    return bare


def _same_item(stored: Mapping[str, Any], data: Mapping[str, Any], secret: str | None) -> bool:
    if secret and not encryption.is_encrypted(data):
        try:
            return encryption.decrypt(stored, secret) == data
        except ValueError:
            return False
    return stored == data


def unexplained(client: ChefClient, bag: str, name: str) -> ChefServerError:
    """The error for a password on the server that is another than ours."""
    return ChefServerError(
        f"its password {bag}/{name} is not that of .stackcook/data_bags/{bag}/{name}.json",
        where=client.server.url,
        remedy=f"bring back the .stackcook that it was made with, or, to change the password, "
        f"`knife -c .stackcook/chef/config.rb data bag delete {bag} {name}`",
    )
