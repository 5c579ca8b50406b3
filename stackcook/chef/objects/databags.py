"""Data bags on disk: the user's own, and those with generated passwords."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.objects import encryption, objects
from stackcook.chef.loader import jsontext
from stackcook.chef.loader.findings import Findings, suggestion
from stackcook.chef.loader.load import read_json
from stackcook.chef.loader.locate import locate
from stackcook.errors import Position
from stackcook.manifest.model import DataBag as Wanted
from stackcook.manifest.model import Manifest

_ID = re.compile(r"[\w.-]+")
_ALLOWED = "letters, digits, `_`, `-` and `.`"


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
    reserved = wanted.name in objects.RESERVED_BAGS
    if reserved or not _ID.fullmatch(wanted.name):
        what = f'a data bag can\'t be called "{wanted.name}"'
        remedy = "search needs that name; give it another" if reserved else f"use {_ALLOWED}"
        findings.error(manifest.path, wanted.at, what, remedy)
    secret = _secret(manifest, wanted, findings) if wanted.secret else None
    return DataBag(wanted.name, _items(_files(manifest, wanted, findings), findings), secret)


def _files(manifest: Manifest, wanted: Wanted, findings: Findings) -> Mapping[str, Path]:
    above = manifest.root / "data_bags"
    directory = above / wanted.name
    if wanted.items and not os.path.isdir(directory):
        there = [path.name for path in above.glob("*/")] if above.is_dir() else []
        remedy = suggestion(wanted.name, there, "make it, or take its items out")
        what = f"there is no directory data_bags/{wanted.name}"
        findings.error(manifest.path, wanted.at, what, remedy)
        return {}
    return locate(manifest.path, wanted.items, directory, findings, suffixes=(".json",))


def _secret(manifest: Manifest, wanted: Wanted, findings: Findings) -> str | None:
    path = wanted.secret
    assert path
    try:
        secret = encryption.read_secret(path)
    except OSError as error:
        what = f"can't be read ({error.strerror})"
    except UnicodeDecodeError:
        what = "is no text"
    else:
        if secret:
            return secret
        what = "is empty"
    shown = path.relative_to(manifest.root) if path.is_relative_to(manifest.root) else path
    remedy = "make it: `openssl rand -base64 512`, or name another"
    findings.error(manifest.path, wanted.at, f"the secret file {shown} {what}", remedy)
    return None


def _items(files: Mapping[str, Path], findings: Findings) -> dict[str, Mapping[str, Any]]:
    items: dict[str, Mapping[str, Any]] = {}
    for name, path in files.items():
        raw = read_json(path, findings)
        if raw is None:
            continue
        item = objects.item(raw)
        said = item.get("id")
        if said != name:
            what = f"its id is {json.dumps(said)}" if "id" in item else "it has no id"
            findings.error(path, _id_place(path), what, f'make it "{name}", as the file\'s name')
        elif not _ID.fullmatch(name):
            findings.error(path, _id_place(path), f'"{name}" is no id', f"use {_ALLOWED}")
        else:
            items[name] = item
    return items


def _id_place(path: Path) -> Position | None:
    places = jsontext.positions(path.read_text(encoding="utf-8"))
    return places.get(("raw_data", "id")) or places.get(("id",))
