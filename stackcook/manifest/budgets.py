"""``stackcook: failure_budget``: how many nodes of a role may fail before a deploy stops."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackcook.manifest.document import Scalar, Value
from stackcook.manifest.model import FailureBudget
from stackcook.manifest.shapes import Shapes

BUDGET = re.compile(r"(\d{1,6})( *%)?", re.ASCII)
ROLE = re.compile(r"role\[([\w:.-]+)\]|([\w:.-]+)", re.ASCII)


def failure_budget(shapes: Shapes, value: Value, what: str) -> tuple[FailureBudget, ...]:
    """Role → a number of nodes, or a percentage of those with that role."""
    return tuple(_budgets(shapes, value, what))


def _budgets(shapes: Shapes, value: Value, what: str) -> Iterator[FailureBudget]:
    lines: dict[str, int] = {}
    for key, body in shapes.mapping(value, what):
        role = ROLE.fullmatch(key.text)
        text = body.text.strip() if isinstance(body, Scalar) else ""
        amount = BUDGET.fullmatch(text)
        if not role:
            shapes.error(key.at, f'{what}: "{key.text}" is no role', "write role[NAME]")
        elif not amount or (amount[2] and int(amount[1]) > 100):
            remedy = "write a number of nodes, as 2, or a percentage, as 20%"
            shapes.error(body.at, f'{what}: {key.text} is "{text}"', remedy)
        elif (name := role[1] or role[2]) in lines:
            twice = f"{what}: {name} is there twice, first in line {lines[name]}"
            shapes.error(key.at, twice, "keep one")
        else:
            lines[name] = key.at.line
            yield FailureBudget(name, int(amount[1]), key.at, bool(amount[2]))
