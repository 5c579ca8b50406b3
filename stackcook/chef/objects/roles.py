"""Roles and environments with every field they can have, as knife sends and compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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


def role(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The role with every field it can have. Raises ValueError if it is malformed."""
    _refuse_faults("role", raw)
    lists = dict(raw.get("env_run_lists") or {})
    default = lists.pop("_default", raw.get("run_list", raw.get("recipes")))  # as Chef's clients
    whole = _whole("role", {**raw, "name": name, "run_list": default, "env_run_lists": lists})
    whole["run_list"] = run_list(whole["run_list"])
    whole["env_run_lists"] = {environment: run_list(items) for environment, items in lists.items()}
    return whole


def environment(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The environment with every field it can have. Raises ValueError if it is malformed."""
    _refuse_faults("environment", raw)
    return _whole("environment", {**raw, "name": name})


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


def _whole(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of the kind; null counts as absent, as in Chef."""
    whole: dict[str, Any] = {
        "name": raw["name"],
        "json_class": f"Chef::{kind.capitalize()}",
        "chef_type": kind,
    }
    for field, shape in _FIELDS[kind].items():
        whole[field] = shape() if raw.get(field) is None else raw[field]
    return whole


def _refuse_faults(kind: str, raw: Mapping[str, Any]) -> None:
    for _, why, _ in faults(kind, raw):
        raise ValueError(why)
