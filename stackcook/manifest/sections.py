"""The sections that name objects of the Chef repository, in spiceweasel's shape."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from stackcook.manifest.document import Scalar, Value
from stackcook.manifest.model import Cookbook, DataBag, Pattern
from stackcook.manifest.shapes import Shapes

_VERSION = re.compile(r"\d+\.\d+(\.\d+)?", re.ASCII)
_NAME = re.compile(r"\w[\w.:-]*", re.ASCII)
_SEGMENT = r"(?!\.)(?!.*\*\*)[\w.:*?{},!\[\]-]+"  # never `..`: the repository is all there is
_PATTERN = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*", re.ASCII)
_REMEDY = "use letters, digits, `_`, `-` and `.`"


def cookbooks(shapes: Shapes, value: Value) -> tuple[Cookbook, ...]:
    """``cookbooks``: name → null or ``{version, options}``."""
    return tuple(
        _cookbook(shapes, name, body) for name, body in _named(shapes, value, "cookbooks", _NAME)
    )


def _cookbook(shapes: Shapes, name: Scalar, body: Value) -> Cookbook:
    what = f"cookbooks: {name.text}"
    fields = shapes.fields(body, what, ("version", "options"))
    version, options = None, ""
    if "version" in fields:
        value = fields["version"][1]
        version = shapes.text(value, f"{what}: version")
        if version and not _VERSION.fullmatch(version):
            shapes.error(value.at, f'{what}: version is "{version}"', "write it as 1.2.3")
    if "options" in fields:
        key, value = fields["options"]
        options = shapes.words(value, f"{what}: options")
        if options:
            remedy = "stackcook uploads without knife; leave them out"
            shapes.warning(key.at, f"{what}: knife's options have no effect", remedy)
    return Cookbook(name.text, name.at, version, options)


def environments(shapes: Shapes, value: Value) -> tuple[Pattern, ...]:
    """``environments``: names, ``sub/name`` or globs."""
    return _patterns(shapes, value, "environments")


def roles(shapes: Shapes, value: Value) -> tuple[Pattern, ...]:
    """``roles``: names, ``sub/name`` or globs."""
    return _patterns(shapes, value, "roles")


def _patterns(shapes: Shapes, value: Value, section: str) -> tuple[Pattern, ...]:
    """Patterns with nothing below them."""
    result = []
    for name, body in _named(shapes, value, section, _PATTERN):
        shapes.fields(body, f"{section}: {name.text}", ())
        result.append(Pattern(name.text, name.at))
    return tuple(result)


def data_bags(shapes: Shapes, value: Value) -> tuple[DataBag, ...]:
    """``data bags``: name → null or ``{items, secret}``."""
    return tuple(
        _data_bag(shapes, name, body) for name, body in _named(shapes, value, "data bags", _NAME)
    )


def _data_bag(shapes: Shapes, name: Scalar, body: Value) -> DataBag:
    what = f"data bags: {name.text}"
    fields = shapes.fields(body, what, ("items", "secret"))
    items: tuple[Pattern, ...] = ()
    if "items" in fields:
        texts = shapes.texts(fields["items"][1], f"{what}: items")
        for item in texts:
            if not _PATTERN.fullmatch(item.text):
                shapes.error(item.at, f'{what}: "{item.text}" is no name', _REMEDY)
        items = tuple(Pattern(i.text, i.at) for i in texts if _PATTERN.fullmatch(i.text))
    secret = shapes.file(fields["secret"][1], f"{what}: secret") if "secret" in fields else None
    return DataBag(name.text, name.at, items, secret if secret and os.path.isfile(secret) else None)


def passwords(shapes: Shapes, value: Value) -> dict[str, tuple[str, ...]]:
    """``stackcook: passwords``: data bag → the items to fill with generated passwords."""
    result: dict[str, tuple[str, ...]] = {}
    what = "stackcook: passwords"
    for name, body in shapes.mapping(value, what):
        items = shapes.texts(body, f"{what}: {name.text}")
        for word in (name, *items):
            if not _NAME.fullmatch(word.text):
                shapes.error(word.at, f'{what}: "{word.text}" is no name', _REMEDY)
        result[name.text] = tuple(dict.fromkeys(item.text for item in items))
    return result


def _named(
    shapes: Shapes, value: Value, section: str, form: re.Pattern[str]
) -> Iterator[tuple[Scalar, Value]]:
    """The entries of a section whose name is well formed and new."""
    lines: dict[str, int] = {}
    for name, body in shapes.entries(value, section):
        if not form.fullmatch(name.text):
            shapes.error(name.at, f'{section}: "{name.text}" is no name', _REMEDY)
        elif name.text in lines:
            what = f"{section}: {name.text} is there twice, first in line {lines[name.text]}"
            shapes.warning(name.at, what, "keep one")
        else:
            lines[name.text] = name.at.line
            yield name, body
