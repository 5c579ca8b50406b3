"""Uploads what differs to the Chef server, in an order that is safe for converging nodes.

A node that converges meanwhile finds the files of each cookbook that it sees, and the cookbooks,
items, environments and roles that each role refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from stackcook.chef.repository.repository import SECTIONS, Repository
from stackcook.chef.rest.answers import confirmed
from stackcook.chef.rest.client import ChefClient, Conflict
from stackcook.chef.sync.changes import (
    CookbookChange,
    Difference,
    ObjectChange,
    PolicyChange,
    batches,
    cookbook_waves,
    object_path,
    object_waves,
)
from stackcook.chef.sync.compare import compare, password_differs, policy_path
from stackcook.chef.sync.sandbox import send_files
from stackcook.errors import ChefServerError
from stackcook.parallel import parallel_map

Say = Callable[[str], None]


@dataclass(frozen=True)
class UploadResult:
    """Labels of the objects by result: ``cookbook apt 1.2.3``, ``role base``, …"""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything on the server has changed."""
        return bool(self.created or self.updated or self.deleted)

    def data(self) -> dict[str, list[str]]:
        """The same for JSON."""
        return {name: list(getattr(self, name)) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        text = (
            f"{len(self.created)} created, {len(self.updated)} updated, "
            f"{len(self.unchanged)} unchanged"
        )
        return f"{text}, {len(self.deleted)} deleted" if self.deleted else text


def upload(
    client: ChefClient,
    repository: Repository,
    *,
    sections: Collection[str] = SECTIONS,
    on_event: Say = lambda text: None,
) -> UploadResult:
    """Upload ``sections`` of ``repository``; other objects on the server stay.

    ``on_event`` gets a line before each step. Raises ChefServerError; then every uploaded object is
    complete, and the next upload continues from there.
    """
    on_event("comparing with the Chef server")
    return apply(client, compare(client, repository, sections=sections), on_event=on_event)


def marked(repository: Repository, *, freeze: bool, force: bool) -> Repository:
    """The repository with all its cookbooks to be frozen, or uploaded with force."""
    cookbooks = tuple(
        replace(book, freeze=book.freeze or freeze, force=book.force or force)
        for book in repository.cookbooks
    )
    return replace(repository, cookbooks=cookbooks)


def apply(
    client: ChefClient, difference: Difference, *, on_event: Say = lambda text: None
) -> UploadResult:
    """Apply a difference, except deletions; otherwise as :func:`upload`."""
    _refuse_frozen(client, difference)
    _put_cookbooks(client, difference, on_event)
    for wave in object_waves(difference.objects):
        for change in wave:
            on_event(change.label)
        parallel_map(lambda change: _put_object(client, change), wave)
    policies = (difference.policy,) if difference.policy else ()
    for policy in policies:
        _put_policy(client, policy, on_event)
    changes: tuple[CookbookChange | ObjectChange | PolicyChange, ...] = (
        *difference.cookbooks,
        *difference.objects,
        *policies,
    )
    return UploadResult(
        created=tuple(change.label for change in changes if change.new),
        updated=tuple(change.label for change in changes if not change.new),
        unchanged=difference.unchanged,
    )


def _refuse_frozen(client: ChefClient, difference: Difference) -> None:
    """Raise ChefServerError, before anything is uploaded, if a frozen cookbook differs."""
    frozen = [
        f"{change.cookbook.name} {change.cookbook.version}"
        for change in difference.cookbooks
        if change.frozen and not change.cookbook.force
    ]
    if frozen:
        raise ChefServerError(
            f"frozen on the server, but changed in cookbooks/: {', '.join(frozen)}",
            where=client.server.url,
            remedy="increase the version in the metadata, or use --force to replace it",
        )


def _put_cookbooks(client: ChefClient, difference: Difference, on_event: Say) -> None:
    changes = difference.cookbooks
    sources = {file.md5: file for change in changes for file in change.cookbook.files}
    missing = dict.fromkeys(md5 for change in changes for md5 in sorted(change.missing))
    send_files(client, (sources[md5] for md5 in missing), on_event)
    dropped: frozenset[str] = frozenset()
    for wave in cookbook_waves(changes):
        for batch in batches(wave):
            # If two cookbooks swap files, the first one's update made the server drop files that
            # the second one needs. No cookbook on the server uses them, so send them again now.
            lost = frozenset().union(*(change.missing for change in batch)) & dropped
            send_files(client, (sources[md5] for md5 in lost), on_event)
            for change in batch:
                on_event(change.label)
            parallel_map(lambda change: _put_cookbook(client, change), batch)
            dropped = dropped.union(*(change.released for change in batch))


def _put_cookbook(client: ChefClient, change: CookbookChange) -> None:
    cookbook = change.cookbook
    path = object_path("cookbooks", cookbook.name, cookbook.version)
    manifest = cookbook.manifest(client.api_version, frozen=change.frozen)
    answer = client.put(f"{path}?force=true" if change.frozen else path, manifest)
    confirmed(client.server, f"PUT {path}", answer, cookbook.name)


def _put_object(client: ChefClient, change: ObjectChange) -> None:
    path = f"{change.collection}{object_path(change.name)}"
    if not change.new:
        _replace(client, change, path)
        return
    try:
        answer = client.post(change.collection, change.value, repeat=True)
        confirmed(client.server, f"POST {change.collection}", answer, change.name)
    except Conflict:
        # Created by somebody else just now, or by us and the answer got lost.
        if change.collection == "/data":
            return
        if change.fixed:
            _check_password(client, change, path)
        else:
            _replace(client, change, path)


def _replace(client: ChefClient, change: ObjectChange, path: str) -> None:
    confirmed(client.server, f"PUT {path}", client.put(path, change.value), change.name)


def _check_password(client: ChefClient, change: ObjectChange, path: str) -> None:
    stored = client.get_map(path)
    wanted: dict[str, Any] = change.value["raw_data"]
    if any(stored.get(field) != value for field, value in wanted.items()):
        raise password_differs(client, change.value["data_bag"], change.name)


def _put_policy(client: ChefClient, change: PolicyChange, on_event: Say) -> None:
    """Upload a policy after its cookbooks, so that no node sees it without them."""
    send_files(client, (f for book in change.artifacts.values() for f in book.files), on_event)
    for identifier, cookbook in change.artifacts.items():
        on_event(f"cookbook {cookbook.name} {cookbook.version} ({identifier[:10]})")
        body = {**cookbook.manifest(client.api_version), "name": cookbook.name}
        del body["cookbook_name"]
        try:
            path = f"/cookbook_artifacts/{cookbook.name}/{identifier}"
            client.put(path, {**body, "identifier": identifier})
        except Conflict:
            pass  # uploaded by somebody else; the same identifier means the same content
    on_event(change.label)
    client.put(policy_path(change.policy), change.policy.document)
