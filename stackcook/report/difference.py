"""How a Chef server differs from the repository, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from rich.text import Text

from stackcook.chef.sync.changes import CookbookChange, Difference, ObjectChange, PolicyChange

Change = CookbookChange | ObjectChange | PolicyChange

_INDENT = " " * 13
_STYLES = {"new": "green", "changed": "yellow", "extra": "red"}
_SIGNS = {"+": "green", "~": "yellow", "-": "red", "@": "cyan"}
_HIDDEN = "not shown: it is encrypted"


def render(difference: Difference) -> Text:
    """One line per object; below a changed one, its changes. Ends without a newline."""
    text = Text()
    changes = _changes(difference)
    for change in changes:
        if change.new:
            _line(text, "new", change.label)
    for change in changes:
        if not change.new:
            _line(text, "changed", change.label)
            for line in _inside(change):
                text.append(f"{_INDENT}{line}\n", _SIGNS.get(line[0], ""))
    for gone in difference.gone:
        _line(text, "extra", gone.label)
    if difference.gone:
        text.append(f"{_INDENT}extra: only on the server; `stackcook upload --prune` deletes it\n")
    if difference.unchanged or not text:
        _line(text, "unchanged", str(len(difference.unchanged)))
    text.rstrip()
    return text


def data(difference: Difference) -> dict[str, Any]:
    """The same as JSON holds it; ``unchanged`` has the labels."""
    policies = (difference.policy,) if difference.policy else ()
    return {
        "new": [change.label for change in _changes(difference) if change.new],
        "changed": [
            *(_cookbook(change) for change in difference.cookbooks if not change.new),
            *(_object(change) for change in difference.objects if not change.new),
            *({"label": change.label} for change in policies if not change.new),
        ],
        "gone": [{"kind": gone.kind, "label": gone.label} for gone in difference.gone],
        "unchanged": list(difference.unchanged),
    }


def _changes(difference: Difference) -> tuple[Change, ...]:
    policies = (difference.policy,) if difference.policy else ()
    return (*difference.cookbooks, *difference.objects, *policies)


def _cookbook(change: CookbookChange) -> dict[str, Any]:
    return {
        "label": change.label,
        "files": {kind: list(paths) for kind, paths in vars(change.files).items()},
        "metadata": list(change.metadata),
        "frozen": change.frozen,
    }


def _object(change: ObjectChange) -> dict[str, Any]:
    """``diff`` has the lines of a unified diff; null if they are secret."""
    return {"label": change.label, "diff": None if change.secret else list(_diff(change))}


def _line(text: Text, word: str, label: str) -> None:
    text.append(f"  {word:9}  ", _STYLES.get(word, "dim"))
    text.append(f"{label}\n")


def _inside(change: Change) -> Iterator[str]:
    if isinstance(change, PolicyChange):
        yield f"to revision {change.policy.document['revision_id'][:10]}"
        return
    if isinstance(change, ObjectChange):
        yield from [_HIDDEN] if change.secret else _diff(change)
        return
    for sign, paths in zip("+~-", (change.files.added, change.files.changed, change.files.removed)):
        yield from (f"{sign} {path}" for path in paths)
    if change.metadata:
        yield f"metadata: {', '.join(change.metadata)}"
    if change.frozen:
        yield "frozen on the server: only `stackcook upload --force` replaces it"


def _diff(change: ObjectChange) -> Iterator[str]:
    """A diff from the server's object to the new one, without the two lines that name files."""
    lines = unified_diff(_json(change.stored or {}), _json(change.value), lineterm="", n=2)
    yield from [*lines][2:]


def _json(value: Mapping[str, Any]) -> list[str]:
    bare = value.get("raw_data") if value.get("chef_type") == "data_bag_item" else None
    return json.dumps(bare or value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
