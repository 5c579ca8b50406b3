"""JSON as Chef reads it, and where in it everything is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.chef.loader import jsontext
from stackcook.errors import Position

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # What a comment begins with, and what a string ends with, are the likeliest to go wrong.
    | st.text(alphabet='/*"\\aé{}[]:,\n') | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_key_and_item_is_found(value: Any, indent: Any, comments: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if comments:
        text = f'// "a": {{\n/* [ " */ {text} // }}'
    assert jsontext.parse(text) == value
    places = jsontext.positions(text)
    lines = text.split("\n")
    assert len(places) == count(value)
    for keys, at in places.items():
        said = value
        for key in keys:
            said = said[key]
        here = lines[at.line - 1][at.column - 1 :]
        shown = json.dumps(keys[-1] if isinstance(keys[-1], str) else said, ensure_ascii=False)
        assert here.startswith(shown[:1] if shown[0] in "{[" else shown)


def count(value: Any) -> int:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return len(value) + sum(map(count, inner))
    return 0


@given(st.text())
def test_any_text_is_json_or_malformed(text: str) -> None:
    try:
        jsontext.positions(text) if jsontext.parse(text) is not None else None
    except jsontext.Malformed as error:
        assert error.at >= Position(1, 1)


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ('{"a": 1e400}', (1, 7), "1e400 is not a JSON number"),
        ('{"Infinity": "Infinity",\n"b": -Infinity}', (2, 6), "-Infinity is not a JSON number"),
        (
            '{"a": "\\\\ud800", "b": "\\udc00"}',
            (1, 23),
            "a string has only half of a surrogate pair",
        ),
        ('{"a":' * 100_000, (1, 1), "values are nested too deeply"),
        (f'{{"a": 1,\n"b": {"9" * 5000}}}', (2, 6), "a number has too many digits"),
        ('{"a": 1} {}', (1, 10), "extra data"),
        ("# no comment\n{}", (1, 1), "expecting value"),
    ],
)
def test_what_chef_does_not_take(text: str, at: tuple[int, int], what: str) -> None:
    with pytest.raises(jsontext.Malformed) as error:
        jsontext.parse(text)
    assert (error.value.at, str(error.value)) == (Position(*at), what)
