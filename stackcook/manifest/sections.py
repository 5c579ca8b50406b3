"""The sections that name objects of the Chef repository, in spiceweasel's shape."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import partial

from stackcook.errors import Position
from stackcook.manifest.document import List, Map, Scalar, Value
from stackcook.manifest.model import Berksfile, CookbookEntry, DataBag, KnifeCommand, Pattern
from stackcook.manifest.fields import UPLOAD, FieldReader, take

COOKBOOK_OPTIONS = ("--freeze", "--force")
VERSION = re.compile(r"\d+\.\d+(\.\d+)?", re.ASCII)
NAME = re.compile(r"\w[\w.:-]*", re.ASCII)
_SEGMENT = r"(?!\.)(?!.*\*\*)[\w.:*?{},!\[\]-]+"  # never `..`: all files are in the repository
PATTERN = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*", re.ASCII)
_REMEDY = "use letters, digits, `_`, `-` and `.`"


def berksfile(reader: FieldReader, value: Value, at: Position) -> Berksfile | None:
    """``berksfile``: null for ``./Berksfile``, a path, or ``{path, options}``.

    ``None`` where there is no such file.
    """
    options, file, text = "", value, ""
    if isinstance(value, Map):
        fields = reader.fields(value, "berksfile", ("path", "options"))
        file = fields["path"][1] if "path" in fields else Scalar("", *value.at, null=True)
        options = take(fields, "options", reader.words, "berksfile") or ""
    if isinstance(file, Scalar) and file.null:
        file = Scalar("Berksfile", *(file.at if isinstance(value, Map) else at))
    elif isinstance(file, Scalar):
        text = file.text.strip()
    path = reader.file(file, "berksfile")
    return Berksfile(path, at, options, text) if path and os.path.isfile(path) else None


def knife(reader: FieldReader, value: Value, section: str) -> tuple[KnifeCommand, ...]:
    """``knife``: subcommand → null, or the arguments of each run."""
    result = []
    for name, body in reader.entries(value, section, several=True):
        arguments = reader.texts(body, f"{section}: {name.text}", "ARGUMENT")
        if isinstance(body, List) and not body.items:
            remedy = "remove it, or remove the empty list to run it once"
            reader.warning(name.at, f"knife: {name.text} is never run", remedy)
            continue
        for argument in arguments:
            try:
                shlex.split(argument.text)
            except ValueError as error:
                what = f"knife: {name.text}: {str(error).lower()}"
                reader.error(argument.at, what, "quote the arguments as for a shell")
        words = tuple(argument.text for argument in arguments)
        result.append(KnifeCommand(name.text.strip(), name.at, words))
    return tuple(result)


def cookbooks(reader: FieldReader, value: Value, section: str) -> tuple[CookbookEntry, ...]:
    """``cookbooks``: name → null or ``{version, options}``."""
    result = []
    for name, body in _named(reader, value, section, NAME):
        what = f"{section}: {name.text}"
        words = _words(body)
        keys = {
            "version": " ".join(word for word in words if VERSION.fullmatch(word)),
            "options": " ".join(word for word in words if word.startswith("-")),
        }
        fields = reader.fields(body, what, ("version", "options"), *_with_keys(keys))
        version = take(fields, "version", reader.text, what)
        if version and not VERSION.fullmatch(version):
            reader.invalid(fields["version"][1], f"{what}: version", "write it as 1.2.3")
            version = None  # so that it is not compared with that of the cookbook
        options = take(fields, "options", reader.words, what) or ""
        for word in options.split():
            if word not in COOKBOOK_OPTIONS:
                remedy = f"use {' or '.join(COOKBOOK_OPTIONS)}"
                at = fields["options"][1].at
                reader.warning(at, f"{what}: options: {word} has no effect", remedy)
        result.append(CookbookEntry(name.text, name.at, version, options))
    return tuple(result)


def patterns(reader: FieldReader, value: Value, section: str) -> tuple[Pattern, ...]:
    """``environments`` and ``roles``: names, ``sub/name`` or globs, with nothing below them."""
    result = []
    for name, body in _named(reader, value, section, PATTERN, several=True):
        remedy = "remove what comes after the colon"
        reader.fields(body, f"{section}: {name.text}", (), remedy)
        result.append(Pattern(name.text, name.at))
    return tuple(result)


def data_bags(reader: FieldReader, value: Value, section: str) -> tuple[DataBag, ...]:
    """``data bags``: name → null or ``{items, secret}``."""
    named = _named(reader, value, section, NAME)
    return tuple(_data_bag(reader, name, body, f"{section}: {name.text}") for name, body in named)


def _data_bag(reader: FieldReader, name: Scalar, body: Value, what: str) -> DataBag:
    words = _words(body)
    secrets = [word for word in words if word.startswith("secret ")]
    keys = {
        "items": ", ".join(word for word in words if word not in secrets),
        "secret": "".join(secrets).removeprefix("secret "),
    }
    if keys["items"]:
        keys["items"] = f"[{keys['items']}]"
    fields = reader.fields(body, what, ("items", "secret"), *_with_keys(keys))
    items = []
    for item in take(fields, "items", reader.texts, what) or ():
        if PATTERN.fullmatch(item.text):
            items.append(Pattern(item.text, item.at))
        else:
            reader.error(item.at, f'{what}: invalid name "{item.text}"', _REMEDY)
    secret = take(fields, "secret", partial(reader.file, needed_by=UPLOAD), what)
    usable = secret and (os.path.isfile(secret) or not reader.in_repository(secret))
    text = ""
    if usable and isinstance(value := fields["secret"][1], Scalar):
        text = value.text.strip()
    return DataBag(name.text, name.at, tuple(items), secret if text else None, text)


def passwords(reader: FieldReader, value: Value, what: str) -> dict[str, tuple[str, ...]]:
    """``stackcook: passwords``: data bag → the items to fill with generated passwords."""
    result: dict[str, tuple[str, ...]] = {}
    for name, body in reader.mapping(value, what):
        items = reader.texts(body, f"{what}: {name.text}")
        for word in (name, *items):
            if not NAME.fullmatch(word.text):
                reader.error(word.at, f'{what}: invalid name "{word.text}"', _REMEDY)
        result[name.text] = tuple(dict.fromkeys(item.text for item in items))
    return result


def _words(body: Value) -> list[str]:
    """The texts below a name that has no keys, as in manifests of spiceweasel 1."""
    values = body.items if isinstance(body, List) else (body,)
    return [each.text.strip() for each in values if isinstance(each, Scalar) and not each.null]


def _with_keys(keys: Mapping[str, str]) -> tuple[str, ...]:
    """The remedy: the same texts, each with its key; nothing if there are none."""
    written = ", ".join(f"{key}: {text}" for key, text in keys.items() if text)
    return (f"write `{written}`",) if written else ()


def _named(
    reader: FieldReader, value: Value, section: str, form: re.Pattern[str], *, several: bool = False
) -> Iterator[tuple[Scalar, Value]]:
    """The entries of a section whose name is valid and not a duplicate."""
    lines: dict[str, int] = {}
    for name, body in reader.entries(value, section, several=several):
        if not form.fullmatch(name.text):
            reader.error(name.at, f'{section}: invalid name "{name.text}"', _REMEDY)
        elif name.text in lines:
            what = f"{section}: duplicate {name.text}, first on line {lines[name.text]}"
            reader.warning(name.at, what, "remove one")
        else:
            lines[name.text] = name.at.line
            yield name, body
