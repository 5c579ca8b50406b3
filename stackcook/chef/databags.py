"""Data bags on disk: the user's own, and those with generated passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef import encryption, objects
from stackcook.chef.findings import Findings, place
from stackcook.chef.load import read_json
from stackcook.chef.locate import locate
from stackcook.manifest.model import DataBag as Wanted
from stackcook.manifest.model import Manifest

_ID = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class DataBag:
    """A data bag and its items by id; with a ``secret`` they go to the server encrypted."""

    name: str
    items: Mapping[str, Mapping[str, Any]]
    secret: str | None = field(default=None, repr=False)
    generated: bool = False


def generated_bags(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Data bags whose items stackcook fills with passwords: those the user has none of."""
    own = {bag.name for bag in manifest.data_bags}
    return {bag: items for bag, items in manifest.passwords.items() if bag not in own}


def generated_item(manifest: Manifest, bag: str, item: str) -> Path:
    """The file of a generated password."""
    return manifest.state / "data_bags" / bag / f"{item}.json"


def read_data_bags(manifest: Manifest, findings: Findings) -> tuple[DataBag, ...]:
    """The bags that the manifest names, and the generated ones as far as they are there."""
    own = [_own(manifest, wanted, findings) for wanted in manifest.data_bags]
    generated = []
    for bag, names in generated_bags(manifest).items():
        if (manifest.root / "data_bags" / bag).is_dir():
            findings.error(
                manifest.root / "data_bags" / bag,
                None,
                f"{bag} is generated, but is in data_bags/ too",
                "name it under `data bags` in the manifest to use your own, or take it away",
            )
        files = {name: generated_item(manifest, bag, name) for name in names}
        there = {name: path for name, path in files.items() if path.is_file()}
        items = _items(there, findings)
        if items:
            generated.append(DataBag(bag, items, generated=True))
    return (*own, *generated)


def _own(manifest: Manifest, wanted: Wanted, findings: Findings) -> DataBag:
    if wanted.name in objects.RESERVED_BAGS:
        what = f'a data bag can\'t be called "{wanted.name}"'
        findings.error(manifest.path, wanted.at, what, "search needs that name; give it another")
    directory = manifest.root / "data_bags" / wanted.name
    files = locate(manifest.path, wanted.items, directory, findings, suffixes=(".json",))
    secret = None
    if wanted.secret:
        try:
            secret = encryption.read_secret(wanted.secret)
        except OSError as error:
            what = f"the secret file {wanted.secret} can't be read ({error.strerror})"
            findings.error(manifest.path, wanted.at, what, "make it, or name another")
    return DataBag(wanted.name, _items(files, findings), secret)


def _items(files: Mapping[str, Path], findings: Findings) -> dict[str, Mapping[str, Any]]:
    items: dict[str, Mapping[str, Any]] = {}
    for name, path in files.items():
        raw = read_json(path, findings)
        if raw is None:
            continue
        item = objects.item(raw)
        said = item.setdefault("id", name)
        if said != name:
            what = f'its id is "{said}"'
            findings.error(path, place(path, '"id"'), what, f"make it {name}, as the file's name")
        elif not _ID.fullmatch(name):
            findings.error(path, None, f'"{name}" is no id', "use letters, digits, `_`, `-`, `.`")
        else:
            items[name] = item
    return items
