"""A cookbook's metadata in the form that knife sends: all fields, canonical constraints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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

# Chef looks for a version on any line of a text, so that it ignores the newline at a file's end.
_LINES = re.MULTILINE | re.ASCII
_COOKBOOK_VERSION = re.compile(r"^(\d+)\.(\d+)(?:\.(\d+))?$", _LINES)
_CONSTRAINT = re.compile(r"^(?:(<=|>=|~>|<|>|=) *)?(\d+\.\d+(?:\.\d+)?)$", _LINES)
_PLATFORM_CONSTRAINT = re.compile(
    r"^(?:(<=|>=|~>|<|>|=) *)?(?:(\d+(?:\.\d+){0,2})|(\d+\.\d+)-[a-zA-Z]+\d?(?:-p(\d+))?)$", _LINES
)
"""The second form of version is FreeBSD's: ``10.0-RELEASE-p3``, which Chef reads as 10.0.3."""

_REQUIREMENT = re.compile(
    r"\s*(!=|<=|>=|~>|<|>|=)?\s*(\d+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)\s*",
    re.ASCII,
)
_ALMOST = re.compile(r"\s*(<=|>=|~>|<|>|=|)\s*(\d+)(\.\d+)?(\.\d+)?(\.[x*])?", re.ASCII)


class Fault(NamedTuple):
    """Something in metadata that Chef rejects; ``keys`` is the path to it."""

    what: str
    remedy: str
    keys: tuple[str, ...]


class InvalidMetadata(ValueError):
    """Metadata that Chef rejects, with all its faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.what for fault in faults))


def normalize(raw: Mapping[str, Any], recipes: Iterable[str]) -> dict[str, Any]:
    """The metadata as the server stores it; ``raw`` from metadata.json or evaluated metadata.rb.

    ``recipes`` are the file names of the recipes without ``.rb``. Raises InvalidMetadata: no name,
    or a version or constraint that Chef rejects.
    """
    data = {field: raw.get(field, default) for field, default in _DEFAULTS.items()}
    faults: list[Fault] = []
    name = data["name"]
    if not isinstance(name, str) or not name:
        faults.append(Fault("the metadata has no name", "use the directory's name", ("name",)))
    try:
        data["version"] = version(data["version"])
    except ValueError as error:
        faults.append(Fault(str(error), 'write it as "1.2.3"', ("version",)))
    for field in ("platforms", "dependencies", "providing", "recipes"):
        if not isinstance(data[field], Mapping):
            faults.append(Fault(f"{field} is not a map", "write {...}", (field,)))
        elif field != "recipes":
            data[field] = _constraints(field, data[field], faults)
    for field in ("chef_versions", "ohai_versions"):
        try:
            data[field] = [_requirements(wanted) for wanted in data[field]]
        except (TypeError, ValueError) as error:
            faults.append(Fault(f"{field}: {error}", 'write it as ">= 15"', (field,)))
    if faults:
        raise InvalidMetadata(faults)
    data["recipes"] = dict(data["recipes"])
    for recipe in recipes:
        full = name if recipe == "default" else f"{name}::{recipe}"
        data["recipes"].setdefault(full, "")
        data["providing"][full] = ANY_VERSION
    return data


def version(text: object) -> str:
    """A cookbook version with all three numbers. Raises ValueError."""
    match = _COOKBOOK_VERSION.search(str(text))
    if not match:
        raise ValueError(f"version {json.dumps(str(text))} is not of the form x.y.z")
    return ".".join(str(int(number or 0)) for number in match.groups())


def constraint(text: object) -> str:
    """A constraint on a cookbook such as ``~> 1.2``, in the form that all servers accept.

    That is: operator, space, two or three numbers. Raises ValueError.
    """
    match = _CONSTRAINT.search(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f'"{text}" is not a version constraint (x.y or x.y.z)')
    return _accepted(match[1] or "=", match[2])


def platform_constraint(text: object) -> str:
    """As :func:`constraint`, for a platform, whose version may also be a single number.

    Chef reads 7 as 7.0, but servers refuse 7.
    """
    match = _PLATFORM_CONSTRAINT.search(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f'"{text}" is not a version constraint (x, x.y or x.y.z)')
    operator, plain, freebsd, patch = match.groups()
    found = plain or ".".join(filter(None, (freebsd, patch)))
    return _accepted(operator or "=", found if "." in found else f"{found}.0")


def _accepted(operator: str, found: str) -> str:
    if found == "0.0":  # goiardi refuses this version, but not these with the same meaning
        return "< 1.0.0" if operator == "~>" else f"{operator} 0.0.0"
    return f"{operator} {found}"


def corrected(text: object) -> str:
    """The remedy for a text that is not a constraint: a similar one, if there is one."""
    match = _ALMOST.match(str(text))
    if not match:
        return 'write it as "~> 1.2"'
    operator, major, minor, patch, any_version = match.groups()
    operator = "~>" if any_version else operator or "="
    return f'write it as "{operator} {major}{minor or ".0"}{patch or ""}"'


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


def _constraints(field: str, given: Mapping[str, object], faults: list[Fault]) -> dict[str, str]:
    read = constraint if field == "dependencies" else platform_constraint
    canonical = {}
    for name, wanted in given.items():
        if isinstance(wanted, list):  # metadata.json of old cookbooks
            wanted = wanted[0] if len(wanted) == 1 else ANY_VERSION
        try:
            canonical[str(name)] = read(wanted)
        except ValueError as error:
            faults.append(Fault(f"{field}: {name}: {error}", corrected(wanted), (field, name)))
    return canonical


def _requirements(given: Iterable[object]) -> list[str]:
    """``("15", "< 19")`` → ``["< 19", "= 15"]``, as RubyGems writes it."""
    found = []
    for text in given if isinstance(given, (list, tuple)) else (given,):
        match = _REQUIREMENT.fullmatch(str(text))
        if not match:
            raise ValueError(f'"{text}" is not a version constraint')
        found.append(f"{match[1] or '='} {match[2].replace('-', '.pre.')}")
    return sorted(found) or [">= 0"]
