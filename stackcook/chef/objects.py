"""Roles, environments and data bag items: their whole form, as knife sends and compares them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESERVED_BAGS = ("node", "role", "environment", "client")
"""Names that search needs for itself: no data bag may have them."""

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

    def __str__(self) -> str:
        return f"{self.kind}[{self.name}{'@' + self.version if self.version else ''}]"


def run_list(items: Sequence[Any]) -> list[str]:
    """The entries in canonical form, each once. Raises ValueError for one that is none."""
    return list(dict.fromkeys(str(RunListItem.parse(str(item))) for item in items))


def role(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The role with every field. Raises ValueError for an unknown shape."""
    whole: dict[str, Any] = {
        "name": name,
        "description": "",
        "json_class": "Chef::Role",
        "chef_type": "role",
        "default_attributes": {},
        "override_attributes": {},
        "run_list": [],
        "env_run_lists": {},
        **raw,
    }
    _expect(whole, Mapping, "default_attributes", "override_attributes", "env_run_lists")
    _expect(whole, Sequence, "run_list")
    whole["run_list"] = run_list(whole["run_list"])
    whole["env_run_lists"] = {
        environment: run_list(items) for environment, items in whole["env_run_lists"].items()
    }
    return whole


def environment(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The environment with every field. Raises ValueError for an unknown shape."""
    whole = {
        "name": name,
        "description": "",
        "cookbook_versions": {},
        "json_class": "Chef::Environment",
        "chef_type": "environment",
        "default_attributes": {},
        "override_attributes": {},
        **raw,
    }
    _expect(whole, Mapping, "default_attributes", "override_attributes", "cookbook_versions")
    return whole


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


def _expect(whole: Mapping[str, Any], kind: type, *fields: str) -> None:
    noun = "a map" if kind is Mapping else "a list"
    for field in fields:
        if not isinstance(whole[field], kind) or isinstance(whole[field], str):
            raise ValueError(f"{field} is not {noun}")
