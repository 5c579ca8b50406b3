"""Roles and environments with every field they can have, as knife sends and compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stackcook.chef.objects import metadata
from stackcook.chef.objects.runlist import Keys, RunListItem, run_list, run_lists

_NOUN: Mapping[Any, str] = {str: "a string", dict: "a map", list: "a list"}
_LIKE: Mapping[Any, str] = {str: '"..."', dict: "{...}", list: "[...]"}
_TYPE_FIELDS = ("chef_type", "json_class")
_COMMON: Mapping[str, type] = {
    "description": str,
    "default_attributes": dict,
    "override_attributes": dict,
}
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "role": {**_COMMON, "run_list": list, "env_run_lists": dict},
    "environment": {**_COMMON, "cookbook_versions": dict},
}

KEYS: Mapping[str, frozenset[str]] = {
    "role": frozenset({"name", "recipes", *_TYPE_FIELDS, *_FIELDS["role"]}),
    "environment": frozenset({"name", *_TYPE_FIELDS, *_FIELDS["environment"]}),
}
"""The keys that a file of each kind may have."""


def whole(kind: str, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The role or environment with every field that it can have; null counts as absent, as in Chef.

    Raises ValueError if it is malformed.
    """
    for _, why, _ in faults(kind, raw):
        raise ValueError(why)
    found: dict[str, Any] = {
        "name": name,
        "json_class": f"Chef::{kind.capitalize()}",
        "chef_type": kind,
    }
    for field, shape in _FIELDS[kind].items():
        found[field] = shape() if raw.get(field) is None else raw[field]
    if kind == "role":
        lists = dict(found["env_run_lists"])
        default = lists.pop("_default", raw.get("run_list", raw.get("recipes")))  # as Chef does
        found["run_list"] = run_list(default or ())
        found["env_run_lists"] = {
            environment: run_list(items) for environment, items in lists.items()
        }
    else:
        pins = found["cookbook_versions"].items()
        found["cookbook_versions"] = {n: metadata.constraint(wanted) for n, wanted in pins}
    return found


def faults(kind: str, raw: Mapping[str, Any]) -> Iterator[tuple[Keys, str, str]]:
    """The problems of a role or an environment: for each its path of keys, what, and the remedy."""
    for field in _TYPE_FIELDS:
        if str(raw.get(field) or kind).removeprefix("Chef::").lower() != kind:
            what = f'{field} is "{raw[field]}", but this is the directory for {kind}s'
            yield (field,), what, f"move the file or remove {field}"
    for field, shape in _FIELDS[kind].items():
        value = raw.get(field)
        if value is not None and not isinstance(value, shape):
            yield (field,), f"{field} is not {_NOUN[shape]}", f"write {_LIKE[shape]}"
    if kind == "role":
        for keys, items in run_lists(raw):
            if not isinstance(items, list):
                yield keys, f"{': '.join(keys)} is not a list", "write [...]"
                continue
            for number, entry in enumerate(items):
                if not RunListItem.parse_or_none(entry):
                    what = f'invalid run list entry "{entry}"'
                    yield (*keys, number), what, "write role[NAME] or recipe[COOKBOOK::RECIPE]"
        return
    pins = raw.get("cookbook_versions")
    for name, wanted in pins.items() if isinstance(pins, Mapping) else ():
        try:
            metadata.constraint(wanted)
        except ValueError as error:
            keys = ("cookbook_versions", name)
            yield keys, f"{name}: {error}", metadata.corrected(wanted)
