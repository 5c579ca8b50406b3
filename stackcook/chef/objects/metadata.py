"""A cookbook's metadata in the form that knife sends: all fields, canonical constraints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

ANY_VERSION = ">= 0.0.0"

_DEFAULTS: Mapping[str, Any] = {
    "name": None,
    "description": "",
    "long_description": "",
    "maintainer": "",
    "maintainer_email": "",
    "license": "All rights reserved",
    "platforms": {},
    "dependencies": {},
    "providing": {},
    "recipes": {},
    "version": "0.0.0",
    "source_url": "",
    "issues_url": "",
    "privacy": False,
    "chef_versions": [],
    "ohai_versions": [],
    "gems": [],
    "eager_load_libraries": True,
}

_CONSTRAINT = re.compile(r"(<=|>=|~>|<|>|=) *(\d.*)")
_REQUIREMENT = re.compile(r"\s*(!=|<=|>=|~>|<|>|=)?\s*(\d[0-9A-Za-z.-]*)\s*")
_COOKBOOK_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


class InvalidMetadata(ValueError):
    """Metadata that Chef rejects: why, the remedy, and the path of keys."""

    def __init__(self, what: str, remedy: str, *keys: str) -> None:
        self.remedy = remedy
        self.keys = keys
        super().__init__(what)


def normalize(raw: Mapping[str, Any], recipes: Iterable[str]) -> dict[str, Any]:
    """The metadata as the server stores it; ``raw`` from metadata.json or evaluated metadata.rb.

    ``recipes`` are the file names of the recipes without ``.rb``. Raises InvalidMetadata: no name,
    or a version or constraint that Chef rejects.
    """
    data = {field: raw.get(field, default) for field, default in _DEFAULTS.items()}
    name = data["name"]
    if not isinstance(name, str) or not name:
        raise InvalidMetadata("the metadata has no name", "use the directory's name", "name")
    try:
        data["version"] = version(data["version"])
    except ValueError as error:
        raise InvalidMetadata(str(error), 'write it as "1.2.3"', "version") from error
    for field in ("platforms", "dependencies", "providing"):
        data[field] = _constraints(field, data[field])
    for field in ("chef_versions", "ohai_versions"):
        try:
            data[field] = [_requirements(wanted) for wanted in data[field]]
        except (TypeError, ValueError) as error:
            raise InvalidMetadata(f"{field}: {error}", 'write it as ">= 15"', field) from error
    if not isinstance(raw.get("recipes", {}), Mapping):
        raise InvalidMetadata("recipes is not a map", "write {...}", "recipes")
    data["recipes"] = dict(raw.get("recipes", {}))
    for recipe in recipes:
        full = name if recipe == "default" else f"{name}::{recipe}"
        data["recipes"].setdefault(full, "")
        data["providing"][full] = ANY_VERSION
    return data


def version(text: object) -> str:
    """A cookbook version with all three numbers. Raises ValueError."""
    match = _COOKBOOK_VERSION.fullmatch(str(text))
    if not match:
        raise ValueError(f'version "{text}" is not of the form x.y.z')
    return ".".join(str(int(number or 0)) for number in match.groups())


def constraint(text: object) -> str:
    """A constraint such as ``~> 1.2``: operator, space, version. Raises ValueError."""
    if isinstance(text, str):
        if text[:1].isdigit() and " " not in text:
            return f"= {text}"
        if match := _CONSTRAINT.fullmatch(text):
            return f"{match[1]} {match[2]}"
    raise ValueError(f'"{text}" is not a version constraint')


def pin(text: object) -> str:
    """An environment's constraint on a cookbook, with two or three numbers. Raises ValueError."""
    wanted = constraint(text)
    if not _COOKBOOK_VERSION.fullmatch(wanted.partition(" ")[2]):
        raise ValueError(f'"{text}" is not a version constraint')
    return wanted


def suits(client: str, wanted: Iterable[Iterable[str]]) -> bool:
    """Whether a Chef client of that version meets one of the requirements, if any."""
    either = [list(requirement) for requirement in wanted]
    return not either or any(all(satisfies(client, one) for one in each) for each in either)


def satisfies(found: str, wanted: str) -> bool:
    """Whether version ``found`` is within the canonical constraint ``wanted``."""
    operator, text = wanted.split(" ", 1)
    given = text.split(".")
    have, want = numbers(found), numbers(text)
    if operator == "~>":
        fixed = 2 if len(given) > 2 else 1
        return have >= want and have[:fixed] == want[:fixed]
    return {
        "=": have == want,
        "!=": have != want,
        ">": have > want,
        "<": have < want,
        ">=": have >= want,
        "<=": have <= want,
    }[operator]


def numbers(text: str) -> tuple[int, ...]:
    """The three numbers of a version, to compare it with others; anything else counts as 0."""
    found = [int(part) if part.isdigit() else 0 for part in text.split(".")[:3]]
    return tuple(found + [0] * (3 - len(found)))


def _constraints(field: str, given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidMetadata(f"{field} is not a map", "write {...}", field)
    canonical = {}
    for name, wanted in given.items():
        if isinstance(wanted, list):  # metadata.json of old cookbooks
            wanted = wanted[0] if len(wanted) == 1 else ANY_VERSION
        try:
            canonical[str(name)] = constraint(wanted)
        except ValueError as error:
            raise InvalidMetadata(
                f"{field}: {name}: {error}", 'write it as "~> 1.2"', field, name
            ) from error
    return canonical


def _requirements(given: Iterable[object]) -> list[str]:
    """``("15", "< 19")`` → ``["< 19", "= 15"]``, as RubyGems writes it."""
    found = []
    for text in given if isinstance(given, (list, tuple)) else (given,):
        match = _REQUIREMENT.fullmatch(str(text))
        if not match:
            raise ValueError(f'"{text}" is not a version constraint')
        found.append(f"{match[1] or '='} {match[2]}")
    return sorted(found) or [">= 0"]
