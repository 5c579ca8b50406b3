"""All that a Chef server holds, asked over its API; is it whole for those who read it?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from stackcook.chef.objects import encryption
from stackcook.chef.objects.cookbook import SEGMENTS
from stackcook.chef.rest.client import ChefClient
from tests.contract.uploads import SECRET, Site

T = TypeVar("T")
R = TypeVar("R")

Stored = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """Every object of the server by its path, such as ``/cookbooks/app/1.0.0``, ``/data/users``."""

    objects: Mapping[str, Stored]

    @classmethod
    def by(cls, client: ChefClient) -> Held:
        """What the server has now."""
        paths = [
            f"/cookbooks/{name}/{version['version']}"
            for name, found in client.get("/cookbooks?num_versions=all").items()
            for version in found["versions"]
        ]
        for kind in ("/roles", "/environments", "/data"):
            paths += [f"{kind}/{name}" for name in client.get(kind)]
        bags = [path for path in paths if path.startswith("/data/")]
        paths += [f"{bag}/{item}" for bag in bags for item in client.get(bag)]
        return cls(dict(zip(paths, _at_once(client.get, paths))))

    def wipe(self, client: ChefClient) -> None:
        """Take all of it off the server again."""
        for path in self.objects:  # one by one: goiardi keeps half of a cookbook otherwise
            if path != "/environments/_default" and not _is_item(path):
                client.delete(path)

    def bare(self, site: Site) -> Any:
        """The same for every salt: what is left when a site's own contents are taken out."""
        found = {path: _bare(path, stored, site) for path, stored in self.objects.items()}
        return json.loads(json.dumps(found).replace(site.salt, "SALT"))

    def half_visible(self) -> list[str]:
        """What a node that converges now would miss of what the server shows it."""
        return [*self._files(), *self._roles(), *self._environments()]

    @property
    def _cookbooks(self) -> dict[str, dict[str, Stored]]:
        """Name → version → manifest."""
        found: dict[str, dict[str, Stored]] = {}
        for path, stored in self._all("/cookbooks/"):
            name, version = path.split("/")[2:]
            found.setdefault(name, {})[version] = stored
        return found

    def _all(self, collection: str) -> Iterator[tuple[str, Stored]]:
        return ((path, o) for path, o in self.objects.items() if path.startswith(collection))

    def _files(self) -> Iterator[str]:
        files = [(path, file) for path, o in self._all("/cookbooks/") for file in files_of(o)]
        contents = _at_once(lambda one: requests.get(one[1]["url"], timeout=30).content, files)
        for (path, file), content in zip(files, contents):
            if hashlib.md5(content).hexdigest() != file["checksum"]:
                yield f"{path} has no {file['path']}"

    def _roles(self) -> Iterator[str]:
        for path, role in self._all("/roles/"):
            for entry in role["run_list"]:
                kind, _, name = entry.rstrip("]").partition("[")
                there = f"/roles/{name}" in self.objects if kind == "role" else self._runs(name)
                if not there:
                    yield f"{path} names {entry}, which can't be run"

    def _environments(self) -> Iterator[str]:
        for path, environment in self._all("/environments/"):
            for cookbook, pin in environment["cookbook_versions"].items():
                if not self._solved(cookbook, pin):
                    yield f"{path} pins {cookbook} {pin}, which can't be run"

    def _runs(self, recipe: str) -> bool:
        """Whether a version with that recipe is there, and all that it depends on."""
        cookbook, _, name = recipe.partition("::")
        return any(
            f"recipes/{name or 'default'}.rb" in (file["path"] for file in files_of(stored))
            and self._solved(cookbook, f"= {version}")
            for version, stored in self._cookbooks.get(cookbook, {}).items()
        )

    def _solved(self, name: str, constraint: str) -> bool:
        """Whether a version of the cookbook can be run; ``= x`` and ``>= 0.0.0`` are understood."""
        return any(
            constraint in (f"= {version}", ">= 0.0.0")
            and all(self._solved(*needed) for needed in stored["metadata"]["dependencies"].items())
            for version, stored in self._cookbooks.get(name, {}).items()
        )


def files_of(stored: Stored) -> list[dict[str, str]]:
    """The files of a cookbook's manifest, in either dialect, by path."""
    files = [file for name in (*SEGMENTS, "all_files") for file in stored.get(name) or ()]
    return sorted(files, key=lambda file: str(file["path"]))


def _is_item(path: str) -> bool:
    return path.startswith("/data/") and path.count("/") == 3


def _bare(path: str, stored: Stored, site: Site) -> Stored:
    if path.startswith("/cookbooks/"):
        rest = {
            name: value for name, value in stored.items() if name not in (*SEGMENTS, "all_files")
        }
        files = [
            {**file, "url": "", "checksum": site.sums.get(file["checksum"])}
            for file in files_of(stored)
        ]
        lists = {name: len(stored[name]) for name in (*SEGMENTS, "all_files") if stored.get(name)}
        return {**rest, "files": files, "lists": lists}
    if path.startswith("/data/keys/"):  # encrypted anew each time
        return encryption.decrypt(stored, SECRET)
    return stored


def _at_once(function: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """chef-zero takes 40 ms to answer one request, and as long to answer eight."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(function, values))
