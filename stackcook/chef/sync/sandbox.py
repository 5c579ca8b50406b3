"""Uploads cookbook files: asks for many at once, and sends only those that the server lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stackcook.chef.objects.cookbook import CookbookFile
from stackcook.chef.rest.answers import Refused, strange
from stackcook.chef.rest.client import ChefClient
from stackcook.errors import ChefServerError, counted
from stackcook.parallel import parallel_map

# A sandbox and its URLs are valid for 15 min. With this size a line of 0.5 Mbit/s is fast enough,
# and an upload that is killed loses no more than this.
_BYTES = 32 << 20
_FILES = 2000

_ATTEMPTS = 3
"""Sandboxes that are opened for the same files."""

_STALE = (403, 404, 410, 503)
"""Statuses for a URL or a sandbox that has expired, or a file that got lost."""

_INTERVAL = 3.0
"""Seconds between two progress messages."""


@dataclass
class Progress:
    """Reports the progress of an upload from time to time."""

    on_event: Callable[[str], None]
    files: int
    bytes: int
    _done: set[str] = field(default_factory=set)
    _sent: int = 0
    reported: float = field(default_factory=time.monotonic)

    def sent(self, file: CookbookFile) -> None:
        """Count a file, once."""
        if file.md5 in self._done:
            return
        self._done.add(file.md5)
        self._sent += file.size
        if time.monotonic() - self.reported > _INTERVAL and len(self._done) < self.files:
            self.reported = time.monotonic()
            part = f"{size(self._sent)} of {size(self.bytes)}"
            self.on_event(f"uploaded {len(self._done)} of {counted(self.files, 'file')}, {part}")


def send_files(
    client: ChefClient, files: Iterable[CookbookFile], on_event: Callable[[str], None]
) -> None:
    """Upload the files that the server lacks. Raises ChefServerError."""
    wanted = {file.md5: file for file in files}
    if not wanted:
        return
    total = sum(file.size for file in wanted.values())
    on_event(f"uploading {counted(len(wanted), 'cookbook file')}, {size(total)}")
    progress = Progress(on_event, len(wanted), total)
    for batch in _batches(wanted):
        _send_batch(client, batch, progress)


def _batches(files: Mapping[str, CookbookFile]) -> Iterator[dict[str, CookbookFile]]:
    batch: dict[str, CookbookFile] = {}
    total = 0
    for md5, file in files.items():
        if batch and (total + file.size > _BYTES or len(batch) == _FILES):
            yield batch
            batch, total = {}, 0
        batch[md5] = file
        total += file.size
    yield batch


def _send_batch(client: ChefClient, files: Mapping[str, CookbookFile], progress: Progress) -> None:
    for last in (False,) * (_ATTEMPTS - 1) + (True,):
        sandbox, urls = _open(client, files)
        try:
            for md5 in files.keys() - urls.keys():
                progress.sent(files[md5])
            parallel_map(
                lambda md5: _send(client, urls[md5], files[md5]),
                urls,
                each=lambda md5, _: progress.sent(files[md5]),
            )
            path = f"/sandboxes/{sandbox}"
            done = client.put(path, {"is_completed": True})
            if not isinstance(done, dict) or done.get("is_completed") is not True:
                raise strange(client.server, f"PUT {path}")
            return
        except Refused as error:
            if last or error.status not in _STALE:
                raise


def _open(client: ChefClient, files: Mapping[str, CookbookFile]) -> tuple[str, dict[str, str]]:
    """A new sandbox's id, and checksum → URL for the files that the server lacks."""
    answer = client.post("/sandboxes", {"checksums": dict.fromkeys(files)}, repeat=True)
    try:
        urls = {
            md5: str(entry["url"])
            for md5, entry in answer["checksums"].items()
            if entry["needs_upload"] and md5 in files
        }
        return str(answer["sandbox_id"]), urls
    except (KeyError, TypeError, AttributeError) as error:
        raise strange(client.server, "POST /sandboxes") from error


def _send(client: ChefClient, url: str, file: CookbookFile) -> None:
    try:
        client.send_file(url, file.source, file.md5)
    except OSError as error:
        what = f"cannot read the file ({error.strerror})"
        raise ChefServerError(what, where=str(file.source), remedy="make it readable") from error


def size(number: float) -> str:
    """Bytes in readable form: ``812 B``, ``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
