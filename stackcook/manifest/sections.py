"""The sections that name objects of the Chef repository, in spiceweasel's shape."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator

from stackcook.errors import Position
from stackcook.manifest.document import List, Map, Scalar, Value
from stackcook.manifest.model import Berksfile, Cookbook, DataBag, KnifeCommand, Pattern
from stackcook.manifest.shapes import Shapes

COOKBOOK_OPTIONS = ("--freeze", "--force")
VERSION = re.compile(r"\d+\.\d+(\.\d+)?", re.ASCII)
NAME = re.compile(r"\w[\w.:-]*", re.ASCII)
_SEGMENT = r"(?!\.)(?!.*\*\*)[\w.:*?{},!\[\]-]+"  # never `..`: the repository is all there is
PATTERN = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*", re.ASCII)
_REMEDY = "use letters, digits, `_`, `-` and `.`"


def berksfile(shapes: Shapes, value: Value, at: Position) -> Berksfile | None:
    """``berksfile``: null for ``./Berksfile``, a path, or ``{path, options}``.

    ``None`` where there is no such file.
    """
    options, file, text = "", value, ""
    if isinstance(value, Map):
        fields = shapes.fields(value, "berksfile", ("path", "options"))
        file = fields["path"][1] if "path" in fields else Scalar("", value.at, null=True)
        if "options" in fields:
            options = shapes.words(fields["options"][1], "berksfile: options")
    if isinstance(file, Scalar) and file.null:
        file = Scalar("Berksfile", file.at if isinstance(value, Map) else at)
    elif isinstance(file, Scalar):
        text = file.text.strip()
    path = shapes.file(file, "berksfile")
    return Berksfile(path, at, options, text) if path and os.path.isfile(path) else None


def knife(shapes: Shapes, value: Value) -> tuple[KnifeCommand, ...]:
    """``knife``: subcommand → null, or the arguments of each time that it is run."""
    result = []
    for name, body in shapes.entries(value, "knife", several=True):
        arguments = shapes.texts(body, f"knife: {name.text}", "ARGUMENT")
        if isinstance(body, List) and not body.items:
            remedy = "remove it; to run it once, leave the list out too"
            shapes.warning(name.at, f"knife: {name.text} is never run", remedy)
            continue
        for argument in arguments:
            try:
                shlex.split(argument.text)
            except ValueError as error:
                what = f"knife: {name.text}: {str(error).lower()}"
                shapes.error(argument.at, what, "quote its words as for a shell")
        words = tuple(argument.text for argument in arguments)
        result.append(KnifeCommand(name.text.strip(), name.at, words))
    return tuple(result)


def cookbooks(shapes: Shapes, value: Value) -> tuple[Cookbook, ...]:
    """``cookbooks``: name → null or ``{version, options}``."""
    return tuple(
        _cookbook(shapes, name, body) for name, body in _named(shapes, value, "cookbooks", NAME)
    )


def _cookbook(shapes: Shapes, name: Scalar, body: Value) -> Cookbook:
    what = f"cookbooks: {name.text}"
    fields = shapes.fields(body, what, ("version", "options"))
    version, options = None, ""
    if "version" in fields:
        value = fields["version"][1]
        version = shapes.text(value, f"{what}: version")
        if version and not VERSION.fullmatch(version):
            shapes.error(value.at, f'{what}: version is "{version}"', "write it as 1.2.3")
    if "options" in fields:
        value = fields["options"][1]
        options = shapes.words(value, f"{what}: options")
        for word in options.split():
            if word not in COOKBOOK_OPTIONS:
                remedy = "known: " + ", ".join(COOKBOOK_OPTIONS)
                shapes.warning(value.at, f"{what}: options: {word} has no effect", remedy)
    return Cookbook(name.text, name.at, version, options)


def environments(shapes: Shapes, value: Value) -> tuple[Pattern, ...]:
    """``environments``: names, ``sub/name`` or globs."""
    return _patterns(shapes, value, "environments")


def roles(shapes: Shapes, value: Value) -> tuple[Pattern, ...]:
    """``roles``: names, ``sub/name`` or globs."""
    return _patterns(shapes, value, "roles")


def _patterns(shapes: Shapes, value: Value, section: str) -> tuple[Pattern, ...]:
    """Patterns with nothing below them; one map may hold several."""
    result = []
    for name, body in _named(shapes, value, section, PATTERN, several=True):
        shapes.fields(body, f"{section}: {name.text}", ())
        result.append(Pattern(name.text, name.at))
    return tuple(result)


def data_bags(shapes: Shapes, value: Value) -> tuple[DataBag, ...]:
    """``data bags``: name → null or ``{items, secret}``."""
    return tuple(
        _data_bag(shapes, name, body) for name, body in _named(shapes, value, "data bags", NAME)
    )


def _data_bag(shapes: Shapes, name: Scalar, body: Value) -> DataBag:
    what = f"data bags: {name.text}"
    fields = shapes.fields(body, what, ("items", "secret"))
    items: tuple[Pattern, ...] = ()
    if "items" in fields:
        texts = shapes.texts(fields["items"][1], f"{what}: items")
        for item in texts:
            if not PATTERN.fullmatch(item.text):
                shapes.error(item.at, f'{what}: "{item.text}" is no name', _REMEDY)
        items = tuple(Pattern(i.text, i.at) for i in texts if PATTERN.fullmatch(i.text))
    if "secret" in fields:
        value = fields["secret"][1]
        secret = shapes.file(value, f"{what}: secret")
        if secret and os.path.isfile(secret) and isinstance(value, Scalar):
            return DataBag(name.text, name.at, items, secret, value.text.strip())
    return DataBag(name.text, name.at, items)


def passwords(shapes: Shapes, value: Value) -> dict[str, tuple[str, ...]]:
    """``stackcook: passwords``: data bag → the items to fill with generated passwords."""
    result: dict[str, tuple[str, ...]] = {}
    what = "stackcook: passwords"
    for name, body in shapes.mapping(value, what):
        items = shapes.texts(body, f"{what}: {name.text}")
        for word in (name, *items):
            if not NAME.fullmatch(word.text):
                shapes.error(word.at, f'{what}: "{word.text}" is no name', _REMEDY)
        result[name.text] = tuple(dict.fromkeys(item.text for item in items))
    return result


def _named(
    shapes: Shapes, value: Value, section: str, form: re.Pattern[str], *, several: bool = False
) -> Iterator[tuple[Scalar, Value]]:
    """The entries of a section whose name is well formed and new."""
    lines: dict[str, int] = {}
    for name, body in shapes.entries(value, section, several=several):
        if not form.fullmatch(name.text):
            shapes.error(name.at, f'{section}: "{name.text}" is no name', _REMEDY)
        elif name.text in lines:
            what = f"{section}: {name.text} is there twice, first in line {lines[name.text]}"
            shapes.warning(name.at, what, "keep one")
        else:
            lines[name.text] = name.at.line
            yield name, body
