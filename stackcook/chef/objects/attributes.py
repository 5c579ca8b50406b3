"""A cookbook's ``attributes.yml``: the name, type, default and meaning of its node attributes.

A name is a path, ``openstack.network.conf.<SECTION>.<KEY>``: ``<KEY>`` stands for any key, and
``{internal,public}`` for each of these. Types are those of ``TYPES``, a ``list of`` or ``map of``
one of them in the plural, and alternatives: ``string or list of strings``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.errors import Finding
from stackcook.manifest import document
from stackcook.manifest.document import List, Map, Scalar, Value
from stackcook.manifest.fields import BOOLEANS, FieldReader

FILE = "attributes.yml"
"""Its path in a cookbook."""

_FIELDS = ("type", "values", "default", "default_text", "description")
_NAME = re.compile(r"[\w-]+(\.([\w-]+|<[A-Z_]+>|\{[\w-]+(,[\w-]+)*\}))*", re.ASCII)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_port(value: Any) -> bool:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return re.fullmatch(r"[1-9]\d{0,4}", text, re.ASCII) is not None and int(text) <= 65535


def _is_option(value: Any) -> bool:
    lines = value if isinstance(value, list) else [value]
    return all(isinstance(line, (str, int, float, bool, type(None))) for line in lines)


TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ('"..."', lambda value: isinstance(value, str)),
    "integer": ("a whole number without quotes", lambda v: _is_number(v) and isinstance(v, int)),
    "number": ("a number without quotes", _is_number),
    "port": ("a number from 1 to 65535", _is_port),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "false": ("false", lambda value: value is False),
    "null": ("null", lambda value: value is None),
    "list": ("[...]", lambda value: isinstance(value, list)),
    "map": ("{...}", lambda value: isinstance(value, dict)),
    "option": ("a string, a number, true, false, or a list of these", _is_option),
    "any": ("any value", lambda value: True),
}
"""Type → how to write a value of it, and whether a value has it.

A ``port`` may be in quotes. An ``option`` is what a configuration file can contain: null omits it,
a list is a line for each.
"""


@dataclass(frozen=True)
class Attribute:
    """What ``attributes.yml`` says of a name. ``values`` are all that a string may be.

    ``default`` is None without a default; ``default_text`` then says in words what counts.
    """

    name: str
    type: str
    description: str
    values: tuple[str, ...] = ()
    default: Any = None
    default_text: str = ""

    @property
    def paths(self) -> Iterator[tuple[str, ...]]:
        """The keys of each attribute that the name stands for; placeholders are left in it."""
        parts = re.findall(r"[^.{}]+|\{.*?\}", self.name)
        return itertools.product(*(part.strip("{}").split(",") for part in parts))

    def accepts(self, value: Any) -> bool:
        """Whether the value has the type. Null does if that loses no default."""
        if value is None and self.default is None:
            return True
        return any(_has_type(value, each) for each in self.type.split(" or "))


def _has_type(value: Any, wanted: str) -> bool:
    kind, _, inner = wanted.partition(" of ")
    if not TYPES[kind][1](value):
        return False
    items = () if not inner else value.values() if kind == "map" else value
    return all(TYPES[inner.removesuffix("s")][1](item) for item in items)


def _is_type(text: str) -> bool:
    for each in text.split(" or "):
        kind, of, inner = each.partition(" of ")
        if (
            kind not in TYPES
            or of
            and (kind not in ("list", "map") or inner.removesuffix("s") not in TYPES)
        ):
            return False
    return True


def read_attributes(path: Path) -> tuple[tuple[Attribute, ...], tuple[Finding, ...]]:
    """The attributes in a file, and what is wrong with it. Raises OSError."""
    value, findings = document.parse(path, path.read_bytes())
    reader = FieldReader(path)
    entries = () if value is None else reader.mapping(value, f"the content of {FILE}")
    found = [_attribute(reader, name, body) for name, body in entries]
    return tuple(filter(None, found)), (*findings, *reader.findings)


def values_set(document: Mapping[str, Any], name: str) -> Iterator[Any]:
    """The values that a role or an environment gives an attribute, such as ``openstack.region``.

    None for each of its two levels that does not.
    """
    for level in ("default_attributes", "override_attributes"):
        value: Any = document.get(level)
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        yield value


def _attribute(reader: FieldReader, name: Scalar, body: Value) -> Attribute | None:
    what = f"attribute {name.text}"
    if not _NAME.fullmatch(name.text):
        remedy = "write a path such as web.port, web.conf.<KEY> or web.{http,https}.port"
        reader.error(name.at, f'"{name.text}" is not the name of an attribute', remedy)
        return None
    fields = reader.fields(body, what, _FIELDS)
    for key in ("type", "description"):
        if key not in fields:
            reader.error(name.at, f"{what} has no {key}", f"add `{key}:`")
            return None
    kind = reader.text(fields["type"][1], f"{what}: type")
    description = reader.text(fields["description"][1], f"{what}: description")
    if kind and not _is_type(kind):
        remedy = f"use {', '.join(TYPES)}, list of TYPEs, map of TYPEs, or TYPE or TYPE"
        reader.error(fields["type"][1].at, f'{what}: unknown type "{kind}"', remedy)
        return None
    if not (kind and description):
        return None
    values = reader.texts(fields["values"][1], f"{what}: values") if "values" in fields else ()
    default = _plain(fields["default"][1], kind) if "default" in fields else None
    attribute = Attribute(
        name.text,
        kind,
        description,
        tuple(value.text for value in values),
        default,
        (reader.text(fields["default_text"][1], what) or "") if "default_text" in fields else "",
    )
    if "default" in fields and not attribute.accepts(default):
        remedy = f"write a default of the type {kind}"
        reader.error(fields["default"][1].at, f"{what}: the default has another type", remedy)
    return attribute


def _plain(value: Value, kind: str) -> Any:
    """The value in Python; what a scalar is depends on the type that it should have."""
    inner = kind.partition(" of ")[2].removesuffix("s")
    if isinstance(value, Map):
        return {key.text: _plain(each, inner) for key, each in value.entries}
    if isinstance(value, List):
        return [_plain(each, inner) for each in value.items]
    if value.null:
        return None
    if kind == "boolean":
        return BOOLEANS.get(value.text.lower(), value.text)
    if kind in ("integer", "number", "port") and re.fullmatch(r"-?\d+", value.text):
        return int(value.text)
    if kind == "number" and re.fullmatch(r"-?\d+\.\d+", value.text):
        return float(value.text)
    return value.text
