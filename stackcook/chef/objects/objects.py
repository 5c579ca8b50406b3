"""Roles, environments and data bag items: their whole form, as knife sends and compares them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESERVED_BAGS = ("node", "role", "environment", "client")
"""Names that search needs for itself: no data bag may have them."""

Keys = tuple[str | int, ...]

_NOUN: Mapping[Any, str] = {str: "text", dict: "map", list: "list"}
_LIKE: Mapping[Any, str] = {str: '"..."', dict: "{...}", list: "[...]"}
_MARKS = ("chef_type", "json_class")
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
    "role": frozenset({"name", "recipes", *_MARKS, *_FIELDS["role"]}),
    "environment": frozenset({"name", *_MARKS, *_FIELDS["environment"]}),
}
"""What may stand in a file of each kind."""

_RUN_LIST_ITEM = re.compile(
    r"(?P<kind>role|recipe)\[(?P<name>[^\[\]@]+)(@(?P<version>\d+(\.\d+){1,2}))?\]"
)


@dataclass(frozen=True)
class RunListItem:
    """An entry of a run list: ``kind`` is ``role`` or ``recipe``."""

    kind: str
    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> RunListItem:
        """The item that ``text`` names, a recipe if it says nothing else. Raises ValueError."""
        match = _RUN_LIST_ITEM.fullmatch(text) or _RUN_LIST_ITEM.fullmatch(f"recipe[{text}]")
        if not match or (match["kind"] == "role" and match["version"]):
            raise ValueError(f"{text!r} is neither role[NAME] nor recipe[NAME]")
        return cls(match["kind"], match["name"], match["version"])

    @classmethod
    def is_one(cls, text: str) -> bool:
        """Whether :meth:`parse` takes it."""
        try:
            cls.parse(text)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.kind}[{self.name}{'@' + self.version if self.version else ''}]"


def run_list(items: Sequence[Any]) -> list[str]:
    """The entries in canonical form, each once. Raises ValueError for one that is none."""
    return list(dict.fromkeys(str(RunListItem.parse(str(item))) for item in items))


def role(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The role with every field it can have. Raises ValueError for an unknown shape."""
    _refuse_faults("role", raw)
    lists = dict(raw.get("env_run_lists") or {})
    default = lists.pop("_default", raw.get("run_list", raw.get("recipes")))  # as Chef's clients
    whole = _whole("role", {**raw, "name": name, "run_list": default, "env_run_lists": lists})
    whole["run_list"] = run_list(whole["run_list"])
    whole["env_run_lists"] = {environment: run_list(items) for environment, items in lists.items()}
    return whole


def environment(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The environment with every field it can have. Raises ValueError for an unknown shape."""
    _refuse_faults("environment", raw)
    return _whole("environment", {**raw, "name": name})


def faults(kind: str, raw: Mapping[str, Any]) -> Iterator[tuple[Keys, str, str]]:
    """What keeps a role or an environment from being whole.

    Of each fault the keys that lead to it, what is wrong, and what would be right.
    """
    for field in _MARKS:
        if str(raw.get(field) or kind).removeprefix("Chef::").lower() != kind:
            what = f'its {field} is "{raw[field]}": this is no {kind}'
            yield (field,), what, f"keep it elsewhere, or take {field} out"
    for field, shape in _FIELDS[kind].items():
        value = raw.get(field)
        if value is not None and not isinstance(value, shape):
            yield (field,), f"{field} is no {_NOUN[shape]}", f"write {_LIKE[shape]}"
    if kind == "role":
        for keys, items in run_lists(raw):
            if not isinstance(items, list):
                yield keys, f"{': '.join(keys)} is no list", "write [...]"
                continue
            for number, entry in enumerate(items):
                if not isinstance(entry, str) or not RunListItem.is_one(entry):
                    what = f"{entry!r} is neither role[NAME] nor recipe[NAME]"
                    yield (*keys, number), what, "correct the run list"


def run_lists(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A role's run lists, each with the keys that lead to it; what is no list as well."""
    for field in ("run_list", "recipes"):
        if raw.get(field) is not None:
            yield (field,), raw[field]
            break
    lists = raw.get("env_run_lists")
    if isinstance(lists, Mapping):
        for environment_name, items in lists.items():
            yield ("env_run_lists", environment_name), items


def item(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The bare item, out of the wrapping that older tools put around it."""
    wrapped = raw.get("raw_data")
    if raw.get("json_class") == "Chef::DataBagItem" and isinstance(wrapped, Mapping):
        return dict(wrapped)
    return dict(raw)


def wrapped_item(bag: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The item as knife sends it."""
    return {
        "name": f"data_bag_item_{bag}_{data['id']}",
        "json_class": "Chef::DataBagItem",
        "chef_type": "data_bag_item",
        "data_bag": bag,
        "raw_data": dict(data),
    }


def _whole(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Every field that the kind has; what is null is as good as absent, for Chef too."""
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
