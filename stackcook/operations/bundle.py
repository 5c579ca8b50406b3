"""``bundle``: collect all that a deploy needs from the internet, and use it later."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackcook import __version__
from stackcook.bootstrap.prebuilt import Prebuilt
from stackcook.bundle import archive
from stackcook.bundle.archive import Bundle
from stackcook.bundle.packages import Apt, index, plain, release_file
from stackcook.bundle.sbom import Component, deb, spdx
from stackcook.cache import package_cache
from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects.runlist import recipes_of
from stackcook.chef.repository.packages import Packages
from stackcook.chef.repository.repository import Repository
from stackcook.chef.resolvers.fetch import fetch, restore
from stackcook.client import LOCK
from stackcook.command import Command, Runner, Say, run
from stackcook.errors import UsageError
from stackcook.files import checksum, pieces, replacing
from stackcook.machines.box import ORDINARY
from stackcook.manifest.model import MachineKind, Manifest
from stackcook.operations.sbom import gems
from stackcook.snapshot.store import explained

PACKAGES_FILE = "packages.txt"
"""A file of a cookbook: packages that its recipes need and do not name, one a line."""

_PARTS = ("cookbooks", "roles", "environments", "data_bags")
_RESOLVED = ("Berksfile", "Cheffile", "Policyfile.rb")


@dataclass(frozen=True)
class Written:
    """A bundle that was written: its size in bytes, and what is in it.

    ``unknown`` are packages that recipes name and no mirror has.
    """

    path: Path
    size: int
    packages: int
    cookbooks: int
    box: bool
    unknown: tuple[str, ...]


def write(
    manifest: Manifest,
    path: Path,
    codenames: Collection[str],
    say: Say,
    *,
    prebuilt: Prebuilt | None = None,
    run: Runner = run,
) -> Written:
    """Write the bundle of a manifest for hosts with these releases of Debian.

    The architecture is this machine's. Raises StackcookErrors.
    """
    repository = Repository.read(manifest)
    architecture = run(Command(("dpkg", "--print-architecture"))).output.strip()
    prebuilt = prebuilt or Prebuilt(run)
    files: dict[str, Path] = {}
    nodes: dict[str, dict[str, list[str]]] = {node.name: {} for node in manifest.nodes}
    unknown: set[str] = set()
    for codename in codenames:
        client = prebuilt.package(codename, architecture, say, lambda end: None)
        release = f"{codename}-{architecture}"
        with tempfile.TemporaryDirectory(prefix="stackcook-apt-") as lists:
            apt = Apt(release, Path(lists), package_cache(f"bundle-{release}"), run)
            apt.update()
            collected = _Collected(apt, client, say)
            for node, packages in _wanted(manifest, repository).items():
                nodes[node][release] = collected.of(packages)
        files.update(collected.files)
        unknown |= collected.unknown
    box = None
    if manifest.machines is MachineKind.VAGRANT:
        with ORDINARY.locked():
            box = ORDINARY.build(say, run=run)
    say("writing the bundle")
    listed = index(files, run)
    contents = {
        "stackcook": __version__,
        "nodes": nodes,
        "box": ORDINARY.key if box else "",
    }
    members: list[tuple[str, Path | str]] = [
        *((f"{archive.PACKAGES}/{name}", file) for name, file in files.items()),
        (f"{archive.PACKAGES}/Packages", listed),
        (f"{archive.PACKAGES}/Release", release_file(listed)),
        *_repository(manifest),
        *_vendored(manifest),
        *([(archive.BOX, box)] if box else []),
        (
            "sbom.spdx.json",
            spdx(f"bundle of {manifest.name}", _components(listed, repository, box)),
        ),
    ]
    size = archive.write(path, contents, members)
    return Written(
        path, size, len(files), len(repository.cookbooks), bool(box), tuple(sorted(unknown))
    )


def opened(path: Path, state: Path) -> Bundle:
    """The bundle, unpacked below the directory ``state`` of a deployment. Raises UsageError."""
    return archive.unpack(path, state / "bundles")


def restore_repository(bundle: Bundle, manifest: Path) -> bool:
    """Copy the Chef repository to the manifest's directory, unless the manifest is there.

    It goes last: so the next try copies all again if this one was interrupted. Raises MachineError.
    """
    if manifest.exists():
        return False
    source = bundle.directory / archive.REPOSITORY

    def last(directory: str, _: list[str]) -> set[str]:
        return {manifest.name} if Path(directory) == source else set()

    with explained(manifest.parent):
        shutil.copytree(source, manifest.parent, dirs_exist_ok=True, ignore=last)
        if (source / manifest.name).exists():
            with replacing(manifest, 0o666) as file:
                file.writelines(pieces(source / manifest.name))
    return True


def adopt_cookbooks(bundle: Bundle, manifest: Manifest) -> None:
    """Put what Berkshelf and librarian-chef have resolved to where they would have put it."""
    restore(manifest, bundle.directory / archive.COOKBOOKS)


def adopt_box(bundle: Bundle, manifest: Manifest) -> None:
    """Put the box of LXC machines into the cache, unless it is there.

    Raises UsageError if the bundle has no box for this stackcook.
    """
    if manifest.machines is not MachineKind.VAGRANT:
        return
    with ORDINARY.locked():
        if ORDINARY.path.exists():
            return
        if bundle.box != ORDINARY.key:
            what = "the bundle has no Vagrant box, or one of another version of stackcook"
            raise UsageError(what, remedy="write it again with `stackcook bundle`")
        new = ORDINARY.path.with_suffix(".new")
        shutil.copyfile(bundle.box_file, new)
        new.replace(ORDINARY.path)


class _Collected:
    """The packages of all nodes for one release, without duplicates.

    ``files`` are by the name in the bundle. ``unknown`` are names that no mirror has.
    """

    def __init__(self, apt: Apt, client: Path, say: Say) -> None:
        self._apt, self._client, self._say = apt, client, say
        self._found: dict[Packages, list[str]] = {}
        self.files: dict[str, Path] = {client.name: client}
        self.unknown: set[str] = set()

    def of(self, packages: Packages) -> list[str]:
        """The names in the bundle of these packages, with all that they and the client need."""
        if packages not in self._found:
            found = {
                *self._apt.download([str(self._client)], self._say),
                *self._download(packages.openstack, recommends=False),
                *self._download(packages.chef, recommends=True),
            }
            self.files.update({plain(file): self._apt.archives / file for file in found})
            self._found[packages] = sorted((self._client.name, *map(plain, found)))
        return self._found[packages]

    def _download(self, names: Collection[str], *, recommends: bool) -> list[str]:
        known = self._apt.known(names)
        self.unknown.update(set(names).difference(known))
        if not known:
            return []
        try:
            return self._apt.download(known, self._say, recommends=recommends)
        except UsageError:
            # A recipe may name packages that exclude each other, in two branches of a condition.
            return [
                file
                for name in known
                for file in self._apt.download([name], self._say, recommends=recommends)
            ]


def _wanted(manifest: Manifest, repository: Repository) -> Mapping[str, Packages]:
    """Node → all packages that its recipes name, also in conditions, and its cookbooks list."""
    named = repository.packages(manifest.nodes, certain=False)
    listed: dict[str, tuple[str, ...]] = {}
    always = ("haproxy",) if manifest.tls else ()  # its resource names it, no recipe does
    for cookbook in repository.cookbooks:
        for file in cookbook.files:
            if file.path == PACKAGES_FILE:
                lines = (line.partition("#")[0].strip() for line in file.source.open())
                listed[cookbook.name] = tuple(filter(None, lines))
    wanted = {}
    for node in manifest.nodes:
        mine = named.get(node.name, Packages())
        recipes = recipes_of(node.run_list, node.environment, repository.roles)
        cookbooks = {recipe.split("::")[0] for recipe in recipes}
        more = (name for cookbook in sorted(cookbooks) for name in listed.get(cookbook, ()))
        wanted[node.name] = Packages(tuple(sorted({*mine.openstack, *more, *always})), mine.chef)
    return wanted


def _components(index: str, repository: Repository, box: Path | None) -> Iterator[Component]:
    yield from (deb(stanza) for stanza in index.split("\n\n") if stanza)
    yield from gems((LOCK,))
    for cookbook in repository.cookbooks:
        yield Component("generic", cookbook.name, cookbook.version, namespace="cookbook")
    if box:
        yield Component("generic", ORDINARY.name, ORDINARY.key, checksum(box))


def _repository(manifest: Manifest) -> Iterator[tuple[str, Path]]:
    """The manifest, and the files of the Chef repository; no keys and no secrets."""
    root = manifest.root
    secrets = {bag.secret.resolve() for bag in manifest.data_bags if bag.secret}
    single = [manifest.path]
    for name in _RESOLVED:
        single += [root / name, root / f"{name}.lock"]
    if manifest.berksfile:
        lock = manifest.berksfile.path.with_name(f"{manifest.berksfile.path.name}.lock")
        single += [manifest.berksfile.path, lock]
    if manifest.policy:
        single.append(manifest.policy.lock)
    found = (*single, *(file for part in _PARTS for file in _files_below(root / part)))
    for path in dict.fromkeys(found):
        inside = path.is_file() and path.is_relative_to(root)
        if inside and path.resolve() not in secrets:
            yield f"{archive.REPOSITORY}/{path.relative_to(root)}", path


def _vendored(manifest: Manifest) -> Iterator[tuple[str, Path]]:
    """What Berkshelf and librarian-chef have resolved, as :func:`adopt` reads it."""
    for directory in fetch(manifest, Findings()).values():
        resolver = directory.parent.parent.name  # .stackcook/berkshelf/KEY/NAME
        for path in _files_below(directory):
            inside = path.relative_to(directory.parent)
            yield f"{archive.COOKBOOKS}/{resolver}/{inside}", path


def _files_below(directory: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != ".git")
        yield from (Path(folder, name) for name in sorted(files))
