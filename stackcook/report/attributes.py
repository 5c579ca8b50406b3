"""The page about a cookbook's attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stackcook.chef.objects.attributes import FILE, Attribute
from stackcook.report.markdown import table

_HEAD = """\
# Attributes of {cookbook}

<!-- Written by `make docs` from {file}. -->
Set them in a role, an environment or a node. `stackcook check` reports misspelled names and wrong
types. `<KEY>` and other names in angle brackets stand for any key, `{{a,b}}` for each of these. An
*option* is a string, a number, true, false, or a list (a line for each value); null omits it.

"""


def page(cookbook: str, attributes: Iterable[Attribute]) -> str:
    """A page in Markdown, with a row for each attribute."""
    rows = table(("name", "type", "default", "meaning"), map(_row, attributes))
    return _HEAD.format(cookbook=cookbook, file=FILE) + rows


def _row(attribute: Attribute) -> tuple[str, str, str, str]:
    kind = attribute.type
    if attribute.values:
        kind = " or ".join(f"`{value}`" for value in attribute.values)
    default = attribute.default_text
    if attribute.default is not None:
        default = f"`{json.dumps(attribute.default, ensure_ascii=False)}`"
    return f"`{attribute.name}`", kind, default, attribute.description
