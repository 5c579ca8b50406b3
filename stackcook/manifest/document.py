"""YAML, and JSON as YAML, with the line and column of every value.

Built from libyaml's events: unlike its composer they don't recurse in C, so that no input, however
deep or circular, brings the process down. Merge keys and aliases are resolved here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Union

import yaml

from stackcook.errors import Finding, InputError, Position
from stackcook.jsoncomments import blank_comments

MAX_DEPTH = 50  # a manifest needs seven
MAX_KEY = 1024  # YAML's own limit, for keys without a `?` before them

# What JSON writes as two escapes is one in YAML; the backslashes before are pairs of their own.
_PAIR = re.compile(r"(?i)(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # YAML's; Python knows more
_NULL = re.compile(r"~|null|Null|NULL|", re.ASCII)
_ALIAS, _SCALAR = yaml.AliasEvent, yaml.ScalarEvent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(NamedTuple):
    """A scalar as written; ``null`` is true for an unquoted YAML null.

    ``path`` is its file if that isn't the document. A flat tuple, as a large manifest has a
    hundred thousand of them.
    """

    text: str
    line: int
    column: int
    path: Path | None = None
    null: bool = False

    @property
    def at(self) -> Position:
        """Its position."""
        return Position(self.line, self.column, self.path)


@dataclass(frozen=True, slots=True)
class List:
    """A sequence."""

    items: tuple[Value, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping; its keys are scalars, each there once."""

    entries: tuple[tuple[Scalar, Value], ...]
    at: Position


Value = Union[Scalar, List, Map]

_Events = Callable[[], Any]  # gives the next event


def parse(path: Path, content: bytes) -> tuple[Value | None, tuple[Finding, ...]]:
    """The document in ``content``, and findings about its syntax.

    The document is ``None`` where it isn't UTF-8 or isn't YAML, and a null Scalar if it is empty.
    """
    composer = _Composer(path)
    try:
        text = as_yaml(path, content)
        return composer.document(text), tuple(composer.findings)
    except InputError as error:
        finding = error.findings[0]
    except UnicodeDecodeError as error:
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        finding = Finding(path, _offset(content, error.start), what, "save the file as UTF-8")
    except yaml.reader.ReaderError as error:
        what = f"character U+{_code(error.character):04X} is not allowed in YAML"
        at = _offset(text.encode(), error.position)
        finding = Finding(path, at, what, "remove it, or escape it in double quotes")
    except yaml.MarkedYAMLError as error:
        finding = _syntax(path, text, error)
    return None, (*composer.findings, finding)


def as_yaml(path: Path, content: bytes) -> str:
    """The text of a document, JSON as YAML; raises UnicodeDecodeError."""
    text = content.decode("utf-8-sig")
    if path.suffix == ".json":
        text = blank_comments(text.replace("\t", " "))  # YAML may not be indented by tabs
        text = _PAIR.sub(_joined, text)
    return text


class _Composer:
    """Makes values of libyaml's events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.anchors: dict[str, Value | None] = {}  # None: begun, but not at its end yet

    def document(self, text: str) -> Value:
        events: _Events = _LOADER(text).get_event  # half the time of `for event in yaml.parse`
        events()  # the stream's start
        if isinstance(events(), yaml.StreamEndEvent):
            return Scalar("", 1, 1, null=True)
        value = self._value(events(), events, 0)
        events()  # the document's end
        after = events()
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop(
                _position(after.start_mark),
                "the file has more than one YAML document",
                "keep only one",
            )
        return value

    def _value(self, event: Any, events: _Events, depth: int) -> Value:
        mark = event.start_mark
        value: Value
        if isinstance(event, _SCALAR):
            text = event.value
            null = not event.style and _NULL.fullmatch(text) is not None
            value = Scalar(text, mark.line + 1, mark.column + 1, null=null)
            if event.anchor:
                self.anchors[event.anchor] = value
            return value
        at = _position(mark)
        if isinstance(event, _ALIAS):
            return self._alias(event.anchor, at)
        if depth > MAX_DEPTH:
            self._stop(at, "values are nested too deeply", "a manifest needs at most seven levels")
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := events(), yaml.SequenceEndEvent):
                items.append(self._value(inner, events, depth + 1))
            value = List(tuple(items), at)
        else:
            value = self._map(at, events, depth + 1)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _alias(self, anchor: str, at: Position) -> Value:
        value = self.anchors.get(anchor)
        if value is None:
            known = anchor in self.anchors
            what = f"*{anchor} contains itself" if known else f"unknown anchor &{anchor}"
            self._stop(
                at,
                what,
                f"remove it: it is inside &{anchor}"
                if known
                else f'define &{anchor} above it, or quote a glob: "*{anchor}"',
            )
        return value

    def _map(self, at: Position, events: _Events, depth: int) -> Map:
        entries: dict[str, tuple[Scalar, Value]] = {}
        merged: list[Value] = []
        while not isinstance(event := events(), yaml.MappingEndEvent):
            key = self._value(event, events, depth)
            value = self._value(events(), events, depth)
            if not isinstance(key, Scalar):
                what = "a key must be a name, not a list or a mapping"
                self._note(key.at, what, "quote a name that begins with a brace or bracket")
            elif key.text == "<<":
                merged += value.items if isinstance(value, List) else [value]
            elif key.text in entries:
                first = entries[key.text][0].at.line
                what = f'duplicate key "{key.text}", first on line {first}'
                self._note(key.at, what, "remove one")
            else:
                entries[key.text] = (key, value)
        for value in merged:
            if not isinstance(value, Map):
                self._note(
                    value.at,
                    "the value of `<<` is not a mapping",
                    "use the alias of a mapping, such as `*defaults`",
                )
                continue
            for key, inherited in value.entries:
                entries.setdefault(key.text, (key, inherited))
        return Map(tuple(entries.values()), at)

    def _note(self, at: Position, what: str, remedy: str) -> None:
        self.findings.append(Finding(self.path, at, what, remedy))

    def _stop(self, at: Position, what: str, remedy: str) -> NoReturn:
        """Raise InputError: the rest of the document can't be read."""
        raise InputError((Finding(self.path, at, what, remedy),))


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _offset(content: bytes, offset: int) -> Position:
    """The position of a byte."""
    before = content[:offset].decode("utf-8-sig", errors="replace")
    *lines, last = _BREAK.split(before)
    return Position(len(lines) + 1, len(last) + 1)


def _joined(pair: re.Match[str]) -> str:
    """One YAML escape for a character that JSON writes as two."""
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00:08X}"


def _code(character: int | str | bytes) -> int:
    """A character's code point; libyaml gives a number, PyYAML's own reader a string."""
    return character if isinstance(character, int) else ord(character[:1])


def _syntax(path: Path, text: str, error: yaml.MarkedYAMLError) -> Finding:
    """Why it isn't valid YAML, and the most likely fix."""
    mark: Any = error.problem_mark or error.context_mark
    what = error.problem or "not YAML"
    if error.context and error.context_mark and error.context_mark.line != mark.line:
        what += f" {error.context} that starts on line {error.context_mark.line + 1}"
    lines = _BREAK.split(text)
    if mark.line >= len(lines):  # behind a last line that has no end
        at, line = Position(len(lines), len(lines[-1]) + 1), ""
    else:
        at, line = _position(mark), lines[mark.line]
    here = line[mark.column : mark.column + 1]
    if here == "\t":
        remedy = "indent with spaces, not with tabs"
    elif here in ("@", "`", "%"):
        remedy = f"quote a value that begins with {here}"
    elif "alias" in (error.context or ""):
        remedy = 'quote a glob: "*"'
    elif here == "[" and line[: mark.column].endswith(("role", "recipe")):
        remedy = 'quote a run list between brackets or braces: "role[NAME]"'
    elif here == "[" and re.match(r"\[\d+[-,\d]*\]", line[mark.column :]):
        remedy = 'quote a range between brackets or braces: "10.0.0.[11-90]"'
    elif here == ":" and mark.column > MAX_KEY:
        remedy = f"list these names in several entries: a key has at most {MAX_KEY} characters"
    elif "mapping values" in what:
        remedy = "align the keys of a mapping, and quote a value that contains `: `"
    else:
        remedy = "check the indentation, quotes and brackets up to here"
    return Finding(path, at, what, remedy)
