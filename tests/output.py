"""What ``--json`` prints, validated against its schema: fields that it does not name fail too."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from stackcook.report.schema import schema


def _strict(part: Any) -> Any:
    """The schema, with no fields but those that it names."""
    if isinstance(part, list):
        return [_strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {name: _strict(value) for name, value in part.items()}
    if "properties" in part and "required" in part:
        found["additionalProperties"] = False
    return found


_VALIDATOR = jsonschema.Draft7Validator(_strict(schema()))


def document(text: str) -> Any:
    """The document; fails unless the schema allows it, and it is the only output."""
    found = json.loads(text)
    _VALIDATOR.validate(found)
    return found


def data(text: str) -> Any:
    """The data of a command that could do its work."""
    found = document(text)
    assert found["errors"] == []
    return found["data"]
