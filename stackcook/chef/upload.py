"""Puts the Chef repository on the server: only what differs, never half of it visible.

A node that converges meanwhile finds the files of each cookbook that it sees, and the cookbooks,
items and environments of each role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stackcook.chef.client import ChefClient
from stackcook.chef.cookbook import CookbookFile
from stackcook.chef.difference import CookbookChange, Difference, ObjectChange, compare
from stackcook.chef.listing import in_parallel
from stackcook.chef.repository import Repository
from stackcook.errors import ChefServerError


@dataclass(frozen=True)
class UploadResult:
    """What became of each object: ``cookbook apt 1.2.3``, ``role base``, …"""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything is now other than before."""
        return bool(self.created or self.updated)

    def data(self) -> dict[str, list[str]]:
        """The same for JSON."""
        return {
            "created": list(self.created),
            "updated": list(self.updated),
            "unchanged": list(self.unchanged),
        }

    def __str__(self) -> str:
        return (
            f"{len(self.created)} created, {len(self.updated)} updated, "
            f"{len(self.unchanged)} unchanged"
        )


def upload(
    client: ChefClient,
    repository: Repository,
    *,
    on_event: Callable[[str], None] = lambda text: None,
) -> UploadResult:
    """Make the server hold ``repository``; what else it holds stays.

    ``on_event`` gets a line before each step. Raises ChefServerError; then what was put is whole,
    and the next upload goes on.
    """
    on_event("comparing with the Chef server")
    return apply(client, compare(client, repository), on_event=on_event)


def apply(
    client: ChefClient,
    difference: Difference,
    *,
    on_event: Callable[[str], None] = lambda text: None,
) -> UploadResult:
    """Carry out a difference; as :func:`upload`."""
    _send_files(client, difference.cookbooks, on_event)
    for change in difference.cookbooks:
        on_event(change.label)
    put = _Put(client)
    in_parallel(put.cookbook, (change for change in difference.cookbooks if change.new))
    for change in _givers_last([change for change in difference.cookbooks if not change.new]):
        put.cookbook(change)
    for change_of_object in difference.objects:
        on_event(change_of_object.label)
        put.object(change_of_object)
    changes: tuple[CookbookChange | ObjectChange, ...] = (
        *difference.cookbooks,
        *difference.objects,
    )
    return UploadResult(
        created=tuple(change.label for change in changes if change.new),
        updated=tuple(change.label for change in changes if not change.new),
        unchanged=difference.unchanged,
    )


@dataclass(frozen=True)
class _Put:
    client: ChefClient

    def cookbook(self, change: CookbookChange) -> None:
        cookbook = change.cookbook
        manifest = cookbook.manifest(self.client.api_version)
        self.client.put(f"/cookbooks/{cookbook.name}/{cookbook.version}", manifest)

    def object(self, change: ObjectChange) -> None:
        if change.new:
            self.client.post(change.collection, change.value)
        else:
            self.client.put(f"{change.collection}/{change.name}", change.value)


def _givers_last(changes: list[CookbookChange]) -> list[CookbookChange]:
    """Cookbooks that give up a file which another one gets come after it.

    The server throws a file away when no cookbook has it any more. Updates go one by one for it.
    """

    def gives(change: CookbookChange) -> bool:
        kept = {file.md5 for file in change.cookbook.files}
        return any(change.stored - kept & other.missing for other in changes)

    return sorted(changes, key=gives)


def _send_files(
    client: ChefClient, changes: Iterable[CookbookChange], on_event: Callable[[str], None]
) -> None:
    """Send the files that the server lacks: one sandbox for those of all cookbooks."""
    files = {
        file.md5: file
        for change in changes
        for file in change.cookbook.files
        if file.md5 in change.missing
    }
    if not files:
        return
    sandbox = client.post("/sandboxes", {"checksums": dict.fromkeys(files)})
    urls = {
        md5: answer["url"] for md5, answer in sandbox["checksums"].items() if answer["needs_upload"]
    }
    if urls:
        on_event(f"sending {len(urls)} cookbook files")
    in_parallel(lambda md5: _send(client, urls[md5], files[md5]), urls)
    client.put(sandbox["uri"], {"is_completed": True})


def _send(client: ChefClient, url: str, file: CookbookFile) -> None:
    try:
        client.send_file(url, file.source, file.md5)
    except OSError as error:
        raise ChefServerError(
            f"the file can't be read any more ({error.strerror})", where=str(file.source)
        ) from error
