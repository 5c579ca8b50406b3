"""Writes manifests as YAML with comments, in a form that all YAML parsers read the same way. Pure.

PyYAML cannot write comments.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackcook.errors import one_line

WIDTH = 96
"""Maximum line length for a value on the line of its key."""

_WORD = r"[A-Za-z0-9_./~-]+"
_PLAIN = re.compile(rf"-{{0,2}}[A-Za-z/]({_WORD})?( {_WORD})*|\d+(\.\d+){{2,3}}(/\d+)?", re.ASCII)
_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True)
class Section:
    """A section of a manifest; ``value`` is JSON-like, ``comments`` are lines above it."""

    key: str
    value: Any
    comments: tuple[str, ...] = ()


def as_yaml(head: Iterable[str], sections: Iterable[Section]) -> str:
    """A manifest in YAML, with ``head`` as the comment that it begins with."""
    blocks = ["".join(_comments(head))]
    for section in sections:
        blocks.append("".join(_comments(section.comments)) + emit({section.key: section.value}))
    return "\n".join(block for block in blocks if block)


def as_json(sections: Iterable[Section]) -> str:
    """A manifest in JSON, which has no comments."""
    return json.dumps(as_data(sections), indent=2) + "\n"


def as_data(sections: Iterable[Section]) -> dict[str, Any]:
    """Section → value."""
    return {section.key: section.value for section in sections}


def emit(value: Any) -> str:
    """YAML of a value made of mappings with texts as keys, lists, texts, numbers and ``None``."""
    return "".join(f"{line}\n" for line in _block(value))


def scalar(value: str | int | float | bool | None) -> str:
    """One scalar; a text is quoted if any YAML parser might read it as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    code = ord(char)
    if char.isprintable():
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\U{code:08x}"


def _comments(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for part in textwrap.wrap(one_line(line), WIDTH, break_long_words=False):
            yield f"# {part}\n"


def _block(value: Any) -> Iterator[str]:
    """The lines of a value, not indented."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _entry(f"{scalar(key)}:", inner)
    elif _is_list(value) and value:
        for item in value:
            for number, line in enumerate(_block(item)):
                yield f"  {line}" if number else f"- {line}"
    else:
        yield _flow(value)


def _entry(head: str, value: Any) -> Iterator[str]:
    """A key and its value: on one line if that is short and contains no mapping."""
    if value is None:
        yield head
    elif _fits(head, value):
        yield f"{head} {_flow(value)}"
    else:
        yield head
        indent = "  " if isinstance(value, Mapping) else ""
        yield from (f"{indent}{line}" for line in _block(value))


def _fits(head: str, value: Any) -> bool:
    if not value or not isinstance(value, (Mapping, Sequence)) or isinstance(value, str):
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    flat = not any(isinstance(item, Mapping) for item in inner)
    return flat and len(head) + 1 + len(_flow(value)) <= WIDTH


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if _is_list(value):
        return f"[{', '.join(map(_flow, value))}]"
    return scalar(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
