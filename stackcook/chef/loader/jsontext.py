"""JSON as Chef reads it: with comments, without what only JavaScript or Python takes for JSON."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NoReturn

from stackcook.errors import Position
from stackcook.jsoncomments import COMMENT, STRING, blank_comments

Key = str | int

_SKIM = re.compile(rf"{STRING}|{COMMENT}|(?P<bare>[-+.\w]+)", re.DOTALL)
_TOKEN = re.compile(rf"{STRING}|{COMMENT}|[{{}}\[\]:,]|[-+.\w]+", re.DOTALL)
_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # one half of a pair that stands for one character


class Malformed(ValueError):
    """A text is no JSON: where, and why."""

    def __init__(self, at: Position, what: str) -> None:
        self.at = at
        super().__init__(what)


def parse(text: str) -> Any:
    """The value that ``text`` stands for. Raises Malformed."""
    try:
        value = _value(text)
    except json.JSONDecodeError as error:
        if "/" not in text:
            raise _malformed(error) from error
        try:
            value = _value(blank_comments(text))
        except json.JSONDecodeError as second:
            raise _malformed(second) from second
    if _PAIR.search(text):
        _refuse_halves(text)
    return value


def positions(text: str) -> Mapping[tuple[Key, ...], Position]:
    """Where each key of a map and each item of a list stands, by the keys that lead to it.

    ``text`` is one that :func:`parse` takes.
    """
    found: dict[tuple[Key, ...], Position] = {}
    begins = [0, *(match.end() for match in re.finditer("\n", text))]
    way: list[Key | None] = []  # one a map or list that is open; None where a map's key comes next
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("}", "]"):
            way.pop()
        elif token == ",":
            last = way[-1]
            way[-1] = last + 1 if isinstance(last, int) else None
        elif token != ":" and token[0] != "/":
            is_key = bool(way) and way[-1] is None
            if is_key:
                way[-1] = json.loads(token)
            if is_key or way and isinstance(way[-1], int):
                line = bisect_right(begins, match.start())
                at = Position(line, match.start() - begins[line - 1] + 1)
                found[tuple(key for key in way if key is not None)] = at
            if token in ("{", "["):
                way.append(None if token == "{" else 0)
    return found


class _Refused(Exception):
    """A word that Python's parser takes, but JSON doesn't have."""


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except _Refused as error:
        word = str(error)
        places = (match.start() for match in _SKIM.finditer(text) if match["bare"] == word)
        raise Malformed(_place(text, next(places, 0)), f"{word} is no JSON number") from error
    except RecursionError as error:
        raise Malformed(Position(1, 1), "values are nested too deep") from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python converts only so many digits
        long = max(_SKIM.finditer(text), key=lambda match: len(match["bare"] or ""))
        raise Malformed(_place(text, long.start()), "a number with too many digits") from error


def _refuse_halves(text: str) -> None:
    for match in _SKIM.finditer(text):
        if match[0][0] == '"':
            try:
                json.loads(match[0]).encode()
            except UnicodeEncodeError as error:
                what = "a text with half of a character"
                raise Malformed(_place(text, match.start()), what) from error


def _refuse(word: str) -> NoReturn:
    raise _Refused(word)


def _finite(word: str) -> float:
    number = float(word)
    return number if abs(number) != float("inf") else _refuse(word)


def _malformed(error: json.JSONDecodeError) -> Malformed:
    what = "a byte order mark" if error.doc.startswith("\ufeff") else error.msg
    what = what[:1].lower() + what[1:]
    return Malformed(Position(error.lineno, error.colno), what)


def _place(text: str, offset: int) -> Position:
    return Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
