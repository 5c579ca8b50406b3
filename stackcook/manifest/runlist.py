"""Run lists as the manifest writes them: their entries, and what to write for a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackcook.manifest.document import Value
from stackcook.manifest.fields import FieldReader
from stackcook.nearest import nearest

RECIPE = re.compile(r"[\w.-]+(::[\w.-]+)?(@\d+(\.\d+){1,2})?", re.ASCII)
RUN_LIST_ENTRY = re.compile(rf"role\[[\w:.-]+\]|recipe\[{RECIPE.pattern}\]", re.ASCII)


def read_run_list(reader: FieldReader, value: Value, what: str) -> Iterator[str]:
    """The entries of a run list as written, separated by blanks or commas."""
    for text in reader.texts(value, what):
        for entry in text.text.replace(",", " ").split():
            if RUN_LIST_ENTRY.fullmatch(entry) or RECIPE.fullmatch(entry):
                yield entry
            else:
                problem = f'{what}: invalid entry "{entry}"'
                reader.error(text.at, problem, _remedy(entry))


def canonical(entry: str) -> str:
    """A run list's entry as Chef shows it: a bare name is a recipe's."""
    return entry if entry.endswith("]") else f"recipe[{entry}]"


def _remedy(entry: str) -> str:
    entry = re.sub(r":+|/", "::", entry)
    if RECIPE.fullmatch(entry):
        return f'did you mean "recipe[{entry}]"?'
    kind, bracket, name = entry.partition("[")
    near = nearest(kind.lower(), ("role", "recipe")) if bracket else ""
    meant = f"{near}[{name.rstrip(']')}]"
    if near and RUN_LIST_ENTRY.fullmatch(meant):
        return f'did you mean "{meant}"?'
    return "write role[NAME] or recipe[COOKBOOK::RECIPE]"
