"""Compares the repository with a Chef server; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stackcook.chef.checks.references import Names
from stackcook.chef.objects import encryption, roles
from stackcook.chef.objects.cookbook import Cookbook, differing_metadata, stored_files
from stackcook.chef.objects.databags import DataBag, bare_item, wrapped_item
from stackcook.chef.repository.policylock import PolicyLock
from stackcook.chef.repository.repository import SECTIONS, Repository
from stackcook.chef.rest.answers import NotFound, UnexpectedAnswer, strange
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.changes import (
    CookbookChange,
    Difference,
    FileChanges,
    Gone,
    ObjectChange,
    PolicyChange,
    object_path,
)
from stackcook.errors import ChefServerError
from stackcook.parallel import parallel_map

Answer = CookbookChange | ObjectChange | str
"""The result for one object: a change, or its label if it is unchanged."""

Question = Callable[[], Answer]


def compare(
    client: ChefClient,
    repository: Repository,
    *,
    sections: Collection[str] = SECTIONS,
    keep: Collection[str] = (),
) -> Difference:
    """The difference in ``sections`` between repository and server. Raises ChefServerError.

    ``keep`` are data bags that are never reported as gone, such as those for passwords that may not
    have been generated yet.
    """
    repository = repository.select(sections)
    listing = Listing.ask(client, sections, [bag.name for bag in repository.data_bags])
    questions = _Questions(client, listing).of(repository)
    answers = parallel_map(lambda question: question(), questions)
    policy = compare_policy(client, repository.policy) if repository.policy else None
    unchanged = [answer for answer in answers if isinstance(answer, str)]
    if repository.policy and not policy:
        unchanged.append(repository.policy.label)
    return Difference(
        cookbooks=tuple(a for a in answers if isinstance(a, CookbookChange)),
        objects=tuple(a for a in answers if isinstance(a, ObjectChange)),
        unchanged=tuple(unchanged),
        gone=tuple(listing.gone(repository, keep)),
        policy=policy,
    )


@dataclass(frozen=True)
class _Questions:
    """One question to the server for each object; they may run in parallel."""

    client: ChefClient
    listing: Listing

    def of(self, repository: Repository) -> Iterator[Question]:
        """The questions; objects are in the order in which nodes may see them."""
        for cookbook in repository.cookbooks:
            yield partial(self._cookbook, cookbook)
        for bag in repository.data_bags:
            yield partial(self._bag, bag.name)
        for bag in repository.data_bags:
            for name in bag.items:
                yield partial(self._item, bag, name)
        for name, value in repository.environments.items():
            yield partial(self._named, "environment", name, value, self.listing.environments)
        for name, value in repository.roles.items():
            yield partial(self._named, "role", name, value, self.listing.roles)

    def _cookbook(self, cookbook: Cookbook) -> Answer:
        if cookbook.version not in self.listing.cookbooks.get(cookbook.name, ()):
            first = cookbook.name not in self.listing.cookbooks
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
        if name in self.listing.bags:
            return label
        return ObjectChange(label, "/data", name, {"name": name}, new=True)

    def _item(self, bag: DataBag, name: str) -> Answer:
        label = f"data bag item {bag.name}/{name}"
        data, stored = bag.items[name], None
        if name in self.listing.bags.get(bag.name, ()):
            stored = _stored_item(self.client.get_map(object_path("data", bag.name, name)), data)
            if _same_item(stored, data, bag.secret):
                return label
            if bag.fixed:
                raise password_differs(self.client, bag.name, name)
        if bag.secret and not encryption.is_encrypted(data):
            data = encryption.encrypt(data, bag.secret)
        return ObjectChange(
            label,
            object_path("data", bag.name),
            name,
            wrapped_item(bag.name, data),
            new=stored is None,
            stored=stored and wrapped_item(bag.name, {"id": name, **stored}),
            secret=encryption.is_encrypted(data),
            fixed=bag.fixed,
        )

    def _named(
        self, kind: str, name: str, wanted: Mapping[str, Any], there: Collection[str]
    ) -> Answer:
        label, stored = f"{kind} {name}", None
        if name in there:
            given = self.client.get_map(object_path(f"{kind}s", name))
            given = {key: value for key, value in given.items() if value is not None}
            try:
                stored = roles.whole(kind, name, given)
            except ValueError:
                stored = given  # malformed, and to be replaced
            if all(stored.get(key) == value for key, value in wanted.items()):
                return label
        return ObjectChange(label, f"/{kind}s", name, wanted, new=stored is None, stored=stored)


def _stored_item(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    added = {"chef_type", "data_bag"} - wanted.keys()  # by some servers
    return {key: value for key, value in bare_item(stored).items() if key not in added}


def _same_item(stored: Mapping[str, Any], data: Mapping[str, Any], secret: str | None) -> bool:
    if secret and not encryption.is_encrypted(data):
        try:
            return encryption.decrypt(stored, secret) == data
        except ValueError:
            return False
    return stored == data


def password_differs(client: ChefClient, bag: str, name: str) -> ChefServerError:
    """The error for a generated password that is different on the server."""
    return ChefServerError(
        f"the password {bag}/{name} on the Chef server differs from "
        f".stackcook/data_bags/{bag}/{name}.json",
        where=client.server.url,
        remedy=f"restore the .stackcook directory that it was created with, or, to change the "
        f"password, run `knife -c .stackcook/chef/config.rb data bag delete {bag} {name}`",
    )


DEFAULT_ENVIRONMENT = "_default"


@dataclass(frozen=True)
class Listing:
    """Names on the server: cookbooks with their versions, data bags with their items.

    Bags whose items were not requested have none here.
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
        of_bags = {bag: object_path("data", bag) for bag in bags}

        def ask(path: str) -> Mapping[str, Any]:
            try:
                return client.get_map(path)
            except NotFound:
                if path in of_bags.values():
                    return {}  # the bag does not exist
                raise

        wanted += of_bags.values()
        found = dict(zip(wanted, parallel_map(ask, wanted)))
        items = {bag: frozenset(found[path]) for bag, path in of_bags.items()}
        return cls(
            cookbooks=_versions(client, found.get(paths["cookbooks"], {})),
            environments=frozenset(found.get(paths["environments"], {})),
            roles=frozenset(found.get(paths["roles"], {})),
            bags={bag: items.get(bag, frozenset()) for bag in found.get(paths["data bags"], {})},
        )

    def by_kind(self) -> Names:
        """Its cookbooks, environments and roles, for the check of what refers to them."""
        environments = dict.fromkeys(self.environments, ())
        roles = dict.fromkeys(self.roles, ())
        return {"cookbook": self.cookbooks, "environment": environments, "role": roles}

    def gone(self, repository: Repository, keep: Collection[str]) -> Iterator[Gone]:
        """Objects that only the server has, in the order in which they may be deleted.

        Other versions of the repository's cookbooks are not gone, nor are the data bags ``keep``.
        """
        for name in sorted(self.roles - repository.roles.keys()):
            yield Gone.of("role", name)
        for name in sorted(self.environments - {*repository.environments, DEFAULT_ENVIRONMENT}):
            yield Gone.of("environment", name)
        named = {cookbook.name for cookbook in repository.cookbooks}
        for name in sorted(self.cookbooks.keys() - named):
            for version in sorted(self.cookbooks[name]):
                yield Gone.of("cookbook", name, version)
        bags = {bag.name: bag for bag in repository.data_bags}
        for name in sorted(self.bags.keys() - set(keep)):
            bag = bags.get(name)
            if bag is None:
                yield Gone.of("data bag", name)
            elif not bag.generated:
                for item in sorted(self.bags[name] - bag.items.keys()):
                    yield Gone.of("data bag item", name, item)


def _versions(client: ChefClient, found: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    try:
        return {
            name: frozenset(str(version["version"]) for version in cookbook["versions"])
            for name, cookbook in found.items()
        }
    except (TypeError, KeyError) as error:
        raise strange(client.server, "GET /cookbooks") from error


def compare_policy(client: ChefClient, policy: PolicyLock) -> PolicyChange | None:
    """What the server lacks of a policy; ``None`` if nothing.

    Raises ChefServerError, also for a server without policies.
    """
    try:
        artifacts = client.get_map("/cookbook_artifacts")
    except (NotFound, UnexpectedAnswer) as error:
        raise ChefServerError(
            "the Chef server does not support policies",
            where=client.server.url,
            remedy="remove `policy` from the manifest, or use another `chef_server`",
        ) from error
    known = {
        version["identifier"]
        for artifact in artifacts.values()
        for version in artifact.get("versions", ())
    }
    lacking = {key: book for key, book in policy.artifacts.items() if key not in known}
    try:
        current = client.get_map(policy_path(policy))
    except NotFound:
        return PolicyChange(policy, lacking, new=True)
    if not lacking and current.get("revision_id") == policy.document["revision_id"]:
        return None
    return PolicyChange(policy, lacking, new=False)


def policy_path(policy: PolicyLock) -> str:
    """The URL path of a policy in its group."""
    return f"/policy_groups/{policy.group}/policies/{policy.name}"
