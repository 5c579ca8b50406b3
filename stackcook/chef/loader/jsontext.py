"""JSON as Chef reads it: with comments, without extensions such as ``NaN``."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NoReturn

from stackcook.errors import Position
from stackcook.jsoncomments import COMMENT, STRING, blank_comments

Key = str | int

_TOKEN = re.compile(rf"{STRING}|{COMMENT}|[{{}}\[\]:,]|(?P<bare>[-+.\w]+)", re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a surrogate pair


class Malformed(ValueError):
    """Invalid JSON: where, why, and what to do."""

    def __init__(self, at: Position, what: str, remedy: str = "correct it") -> None:
        self.at = at
        self.remedy = remedy
        super().__init__(what)


def parse(text: str) -> Any:
    """The value of a JSON text. Raises Malformed."""
    try:
        value = _value(text)
    except json.JSONDecodeError as error:
        if "/" not in text:
            raise _malformed(error) from error
        try:
            value = _value(blank_comments(text))
        except json.JSONDecodeError as second:
            raise _malformed(second) from second
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(text)
    return value


def positions(text: str) -> Mapping[tuple[Key, ...], Position]:
    """The position of each key of a map and each item of a list, by its path.

    ``text`` must be one that :func:`parse` accepts.
    """
    found: dict[tuple[Key, ...], Position] = {}
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    path: list[Key | None] = []  # an entry per open map or list; None where a map's key comes next
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("}", "]"):
            path.pop()
        elif token == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif token != ":" and token[0] != "/":
            is_key = bool(path) and path[-1] is None
            if is_key:
                path[-1] = json.loads(token)
            if is_key or path and isinstance(path[-1], int):
                line = bisect_right(starts, match.start())
                at = Position(line, match.start() - starts[line - 1] + 1)
                found[tuple(key for key in path if key is not None)] = at
            if token in ("{", "["):
                path.append(None if token == "{" else 0)
    return found


class _Refused(Exception):
    """A word that Python's parser accepts, but JSON does not."""


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except _Refused as error:
        word = str(error)
        places = (match.start() for match in _TOKEN.finditer(text) if match["bare"] == word)
        raise Malformed(_place(text, next(places, 0)), f"{word} is not a JSON number") from error
    except RecursionError as error:
        raise Malformed(Position(1, 1), "values are nested too deeply") from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python limits the digits of a number
        long = max(_TOKEN.finditer(text), key=lambda match: len(match["bare"] or ""))
        raise Malformed(_place(text, long.start()), "a number has too many digits") from error


def _refuse_lone_surrogates(text: str) -> None:
    for match in _TOKEN.finditer(text):
        if match[0][0] == '"':
            try:
                json.loads(match[0]).encode()
            except UnicodeEncodeError as error:
                what = "a string has only half of a surrogate pair"
                remedy = "write the whole character, or both of its \\u escapes"
                raise Malformed(_place(text, match.start()), what, remedy) from error


def _refuse(word: str) -> NoReturn:
    raise _Refused(word)


def _finite(word: str) -> float:
    number = float(word)
    return number if abs(number) != float("inf") else _refuse(word)


def _malformed(error: json.JSONDecodeError) -> Malformed:
    at = Position(error.lineno, error.colno)
    if error.doc.startswith("\ufeff"):
        what, remedy = "the file begins with a byte order mark", "save it as UTF-8 without one"
        return Malformed(at, what, remedy)
    return Malformed(at, error.msg[:1].lower() + error.msg[1:])


def _place(text: str, offset: int) -> Position:
    return Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
