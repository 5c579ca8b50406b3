"""A cookbook on disk: its files, its metadata, and the manifest that is uploaded."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from stackcook.chef.objects.chefignore import Chefignore
from stackcook.chef.objects.hashes import Hashes, file_md5

SEGMENTS = (
    "resources",
    "providers",
    "recipes",
    "definitions",
    "libraries",
    "attributes",
    "files",
    "templates",
    "root_files",
)
"""The lists that API versions 0 and 1 sort a cookbook's files into."""

_RECIPES = ((".rb",), (".yml", ".yaml"), (".json",))
"""Suffixes of recipes. If a recipe has several files, chef-client runs the first kind."""

_VERSION_FILE = ".uploaded-cookbook-version.json"  # chef-zero's own


@dataclass(frozen=True)
class CookbookFile:
    """A file of a cookbook: its path in it, its path on disk, MD5 in hex, and size in bytes."""

    path: str
    source: Path
    md5: str
    size: int = 0

    @property
    def record(self) -> dict[str, str]:
        """The file's entry in a manifest of API version 2."""
        parts = PurePosixPath(self.path).parts
        specificity = "default"
        if parts[0] in ("templates", "files") and len(parts) > 1:
            specificity = parts[1] if len(parts) > 2 else "root_default"
        folder = parts[0] if len(parts) > 1 else "root_files"
        return {
            "name": f"{folder}/{parts[-1]}",
            "path": self.path,
            "checksum": self.md5,
            "specificity": specificity,
        }


@dataclass(frozen=True)
class Cookbook:
    """A cookbook as it is uploaded; ``metadata`` is normalized.

    A version with ``freeze`` can be replaced later only with ``force``.
    """

    name: str
    metadata: Mapping[str, Any]
    files: tuple[CookbookFile, ...]
    freeze: bool = False
    force: bool = False

    @property
    def version(self) -> str:
        """The version, with all three numbers."""
        return str(self.metadata["version"])

    @property
    def dependencies(self) -> Mapping[str, str]:
        """Names of other cookbooks, each with its canonical version constraint."""
        needed: Mapping[str, str] = self.metadata["dependencies"]
        return needed

    @cached_property
    def recipes(self) -> frozenset[str]:
        """Names for run lists: ``apt``, ``apt::default``, ``apt::proxy``."""
        names = recipe_files(self.files)
        plain = {self.name} if "default" in names else set()
        return frozenset(plain | {f"{self.name}::{name}" for name in names})

    def manifest(self, api_version: int, *, frozen: bool = False) -> dict[str, Any]:
        """The JSON of this API version; ``frozen`` says that the server has it frozen."""
        shape = {
            "name": f"{self.name}-{self.version}",
            "cookbook_name": self.name,
            "version": self.version,
            "metadata": dict(self.metadata),
            "frozen?": self.freeze or frozen,
            "chef_type": "cookbook_version",
            "json_class": "Chef::CookbookVersion",
        }
        records = [file.record for file in self.files]
        if api_version >= 2:
            return {**shape, "all_files": records}
        segments: dict[str, list[dict[str, str]]] = {segment: [] for segment in SEGMENTS}
        for record in records:
            folder, name = record["name"].split("/")
            # Other folders, such as a `spec` that is not ignored, have no list of their own.
            segments.get(folder, segments["root_files"]).append({**record, "name": name})
        return {**shape, **segments}


def recipe_files(files: Iterable[CookbookFile]) -> dict[str, list[CookbookFile]]:
    """Recipe → its files; chef-client runs the first one and ignores the others.

    As in Chef, ``recipe.rb`` in the cookbook's root is the recipe ``default``, and a recipe in a
    subfolder of ``recipes/`` has its file's name.
    """
    ranked = []
    for file in files:
        path = PurePosixPath(file.path)
        kind = next((n for n, suffixes in enumerate(_RECIPES) if path.suffix in suffixes), None)
        in_root = path.parts == (f"recipe{path.suffix}",)
        if kind is not None and (in_root or path.parts[0] == "recipes"):
            ranked.append((kind, not in_root, "default" if in_root else path.stem, file))
    found: dict[str, list[CookbookFile]] = {}
    for _, _, name, file in sorted(ranked, key=lambda each: each[:2]):
        found.setdefault(name, []).append(file)
    return found


def stored_files(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Path → MD5 of the files in a server's manifest, of any API version."""
    lists = [manifest.get("all_files", [])] + [manifest.get(segment, []) for segment in SEGMENTS]
    return {file["path"]: file["checksum"] for files in lists for file in files or ()}


def differing_metadata(cookbook: Cookbook, stored: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of the metadata that differ from the server's manifest."""
    found = stored.get("metadata") or {}
    return tuple(f for f, value in cookbook.metadata.items() if found.get(f) != value)


def read_files(
    directory: Path, ignore: Chefignore, hashes: Hashes | None = None
) -> tuple[CookbookFile, ...]:
    """The files to upload, sorted by path. Raises OSError for one that can't be read.

    As in knife, links to files are followed, links to directories are ignored, and so are hidden
    directories at the top, such as ``.git``.
    """
    found = []
    for path, entry in _walk(str(directory), ""):
        if not path.isprintable() and any("\udc80" <= char <= "\udcff" for char in path):
            raise OSError(errno.EILSEQ, "the file name is not UTF-8", path)
        if entry.name != _VERSION_FILE and not ignore.ignores(path):
            stat = entry.stat()
            md5 = hashes.md5(entry.path, stat) if hashes else file_md5(entry.path)
            found.append(CookbookFile(path, Path(entry.path), md5, stat.st_size))
    return tuple(sorted(found, key=lambda file: file.path))


def _walk(directory: str, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Each file below ``directory`` with its path, which begins with ``above``."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if above or not entry.name.startswith("."):
                    yield from _walk(entry.path, f"{above}{entry.name}/")
            elif entry.is_file():
                yield f"{above}{entry.name}", entry
