"""The knife commands for the Chef server's objects, one text for each command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackcook.knife.files import Files
from stackcook.manifest.model import CookbookEntry, Manifest


@dataclass(frozen=True)
class Commands:
    """The commands that create what a section names, and those that delete it."""

    create: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


def line(*words: str | None) -> str:
    """A command: those of ``words`` that aren't empty, in one line."""
    plain = (" ".join((word or "").splitlines()).strip() for word in words)
    return " ".join(filter(None, plain))


def cookbooks(manifest: Manifest, files: Files) -> Commands:
    """Berkshelf's, then those of ``cookbooks``: neighbours without options go up together."""
    create: list[str] = []
    delete: list[str] = []
    if berksfile := manifest.berksfile:
        path = berksfile.text or "./Berksfile"
        create.append(line("berks upload", berksfile.options, "-b", path))
        delete += [line("knife cookbook delete", *locked, "-a -y") for locked in files.locked]
    row: list[str] = []
    for cookbook in manifest.cookbooks:
        if cookbook.name not in files.cookbooks:
            create += _supermarket(cookbook)
        if cookbook.options:
            create += _upload(row)
            create += _upload([cookbook.name], cookbook.options)
            row = []
        else:
            row.append(cookbook.name)
        delete.append(line("knife cookbook delete", cookbook.name, cookbook.version, "-a -y"))
    create += _upload(row)
    return Commands(tuple(create), tuple(delete))


def _upload(names: list[str], options: str = "") -> list[str]:
    return [line("knife cookbook upload", *names, options)] if names else []


def _supermarket(cookbook: CookbookEntry) -> Iterator[str]:
    archive = f"cookbooks/{cookbook.name}.tgz"
    download = ("knife cookbook site download", cookbook.name, cookbook.version)
    yield line(*download, "--file", archive, cookbook.options)
    yield f"tar -C cookbooks/ -xf {archive}"
    yield f"rm -f {archive}"


def named(kind: str, found: Mapping[str, str]) -> Commands:
    """All roles or environments in one command; ``found`` are their names and files."""
    if not found:
        return Commands()
    create = line(f"knife {kind} from file", *sorted(found.values()))
    return Commands((create,), tuple(f"knife {kind} delete {name} -y" for name in found))


def data_bags(manifest: Manifest, files: Files) -> Commands:
    """Each data bag, and its items in one command."""
    create = []
    for bag in manifest.data_bags:
        create.append(f"knife data bag create {bag.name}")
        if items := files.items.get(bag.name):
            secret = ("--secret-file", bag.secret_text) if bag.secret else ()
            # By name, as if they had no ending: a-b comes before a.json, but after a.
            in_order = sorted(items, key=lambda item: item.removesuffix(".json"))
            create.append(line("knife data bag from file", bag.name, *in_order, *secret))
    delete = (f"knife data bag delete {bag.name} -y" for bag in manifest.data_bags)
    return Commands(tuple(create), tuple(delete))


def knife(manifest: Manifest) -> tuple[str, ...]:
    """What the section ``knife`` asks for, once for each of its arguments."""
    return tuple(
        line("knife", command.name, arguments)
        for command in manifest.knife
        for arguments in command.arguments or ("",)
    )
