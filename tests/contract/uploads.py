"""A small Chef repository in two states, and how ``stackcook upload`` is run in it.

Going from the old state to the new one has every order in it that a reader could notice: a file
that one cookbook gives up and another one gets, a cookbook that gets a new dependency, a role that
names a new cookbook and a new role, an environment that pins a new version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackcook.chef.objects import databags
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.model import ChefServer, Manifest
from stackcook.manifest.read import read
from tests.started import command, environment

PLAIN = ("one", "two", "three")
"""Cookbooks with nothing special about them; they are there to be many requests."""

SECRET = "a secret that only tests have"

BIG = 3 << 20
"""Bytes of a file that is sent in many pieces."""


class Site:
    """The repository in ``root``; ``write`` brings it to a state, with contents all its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.salt = ""
        self.sums: dict[str, str] = {}
        root.mkdir()

    def write(self, *, new: bool, salt: str) -> None:
        """Lay out the files; with another ``salt`` the server knows none of them."""
        self.salt = salt
        for folder in ("cookbooks", "roles", "environments", "data_bags"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        for name, content in _files(new, salt):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            checksum = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
            self.sums[checksum] = f"{'new' if new else 'old'} {name}"

    def manifest(self, server: ChefServer, *, new: bool) -> Manifest:
        """Write the manifest of a state, for that server, and read it."""
        told = _MANIFEST | {
            "cookbooks": [{name: None} for name in (*PLAIN, "app", "lib", *(["extra"] * new))],
            "data bags": [{"users": {"items": ["*"]}}, {"keys": _KEYS}] + [{"more": _ALL}] * new,
        }
        chef = {"url": server.url, "user": server.user, "key": str(server.key)}
        told["stackcook"] = {**_MANIFEST["stackcook"], "chef_server": chef}
        path = self.root / "infrastructure.json"
        path.write_text(json.dumps(told))
        manifest, findings = read(path)
        assert manifest, findings
        return manifest

    def repository(self, manifest: Manifest) -> Repository:
        """What is to be uploaded, passwords included."""
        databags.ensure_passwords(manifest)
        return Repository.read(manifest)

    @property
    def command(self) -> tuple[str, ...]:
        """``stackcook upload``, to be run in ``root``."""
        return command("infrastructure.json", "upload")

    @property
    def environment(self) -> dict[str, str]:
        """What the command gets: nothing of the user's own, and a home that is the test's."""
        home = str(self.root.parent)
        return environment(HOME=home, XDG_CACHE_HOME=home)


_ALL = {"items": ["*"]}
_KEYS = {"items": ["*"], "secret": "secret"}
_MANIFEST: dict[str, Any] = {
    "environments": [{"*": None}],
    "roles": [{"*": None}],
    "nodes": [{"node": {"run_list": "role[web]"}}],
    "stackcook": {
        "name": "faults",
        "machines": "ssh",
        "nodes": {"node": {"address": "127.0.0.1", "user": "root", "key": "secret"}},
        "passwords": {"db_passwords": ["nova"]},
    },
}


def _files(new: bool, salt: str) -> Iterator[tuple[str, str]]:
    yield "secret", SECRET
    for name in PLAIN:
        yield from _cookbook(name, salt, {"recipes/more.rb": "# more", "files/plain": "plain"})
    version, shared = ("2.0.0", "lib") if new else ("1.0.0", "app")
    extra = {"extra": ">= 0.0.0"} if new else {}
    yield from _cookbook("app", salt, {}, {"lib": f"= {version}", **extra})
    yield from _cookbook("lib", salt, {"files/new" if new else "files/old": "x"}, version=version)
    yield f"cookbooks/{shared}/files/shared.txt", f"moves from one to the other {salt}"
    taker = "two" if new else "one"
    yield f"cookbooks/{taker}/files/moved.txt", f"from one that stays to one that stays {salt}"
    yield "cookbooks/app/files/big", (f"{salt} {new} " * BIG)[:BIG]
    if new:
        yield from _cookbook("extra", salt, {})
        yield "cookbooks/app/recipes/late.rb", f"# {salt}"
        yield "data_bags/more/one.json", json.dumps({"id": "one", "salt": salt})
        yield "roles/fresh.json", _role("fresh", salt, "recipe[extra]")
        yield "environments/qa.json", json.dumps({"name": "qa"})
    late = ["recipe[app::late]", "recipe[extra]", "role[fresh]"] if new else []
    yield "roles/web.json", _role("web", salt, "recipe[app]", "role[base]", *late)
    yield "roles/base.json", _role("base", salt, *(f"recipe[{name}]" for name in PLAIN))
    pinned = {"name": "lab", "cookbook_versions": {"lib": f"= {version}"}}
    yield "environments/lab.json", json.dumps(pinned)
    yield "data_bags/users/alice.json", json.dumps({"id": "alice", "salt": salt, "new": new})
    yield "data_bags/keys/token.json", json.dumps({"id": "token", "token": salt, "new": new})


def _cookbook(
    name: str,
    salt: str,
    files: Mapping[str, str],
    dependencies: Mapping[str, str] | None = None,
    version: str = "1.0.0",
) -> Iterator[tuple[str, str]]:
    metadata = {"name": name, "version": version, "dependencies": dict(dependencies or {})}
    yield f"cookbooks/{name}/metadata.json", json.dumps(metadata)
    for path, text in {"recipes/default.rb": "# default", **files}.items():
        yield f"cookbooks/{name}/{path}", f"{text}\n# {name} {version} {salt}\n"


def _role(name: str, salt: str, *entries: str) -> str:
    return json.dumps({"name": name, "description": salt, "run_list": entries})
