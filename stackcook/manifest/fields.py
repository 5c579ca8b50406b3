"""Reads typed values from a document, and collects findings about wrong ones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from stackcook.errors import Finding, Position, Severity
from stackcook.manifest.document import List, Map, Scalar, Value
from stackcook.nearest import FEW, nearest

Commands = tuple[str, ...]
"""Names of stackcook's commands."""

Fields = Mapping[str, tuple[Scalar, Value]]
"""A mapping's keys and values by key."""

MEMORY = re.compile(r"(\d{1,9}) *(?:([MGT])(?:i?B)?)?", re.IGNORECASE)
DURATION = re.compile(r"(\d{1,9}) *(s|m|min|h|d)?", re.ASCII)
ROLE = re.compile(r"role\[([\w:.-]+)\]|([\w:.-]+)", re.ASCII)
"""A role as the key of a mapping: ``role[NAME]``, or only its name."""

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
LOGIN = ("deploy", "converge")
"""The commands that log in to nodes."""

UPLOAD = ("deploy", "upload")
"""The commands that change the Chef server's objects."""

WITHOUT_FILES = ("destroy", "machines")
"""The commands that need no file but the manifest: names, machines and networks are enough.

`machines` is what Vagrant asks when it destroys a machine.
"""

T = TypeVar("T")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_MIB = {"M": 1, "G": 1024, "T": 1024 * 1024}


def suggest(word: str, known: Collection[str], most: int = 12) -> str:
    """The remedy for a name that isn't one of ``known``, of which ``most`` are shown."""
    near = nearest(word, known)
    if near:
        return f'did you mean "{near}"?'
    if len(known) > FEW:
        return f"correct the name: none of the {len(known)} known names is similar"
    return (
        "use one of " + ", ".join(sorted(known)[:most]) if known else "remove it: none is defined"
    )


def take(fields: Fields, key: str, read: Callable[[Value, str], T | None], what: str) -> T | None:
    """The value of a key, read by ``read``; ``None`` if the key is missing."""
    return read(fields[key][1], f"{what}: {key}") if key in fields else None


_NO_MAPPING = "write `KEY: VALUE` lines below it"


class FieldReader:
    """Reads the values of one document, and keeps the findings.

    ``what`` names a value in findings: ``stackcook: nodes: web1``. For a wrong value a method
    adds a finding, and returns ``None`` or leaves the value out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self._files: dict[str, tuple[Path, bool]] = {}

    def error(self, at: Position | None, what: str, remedy: str) -> None:
        """Add a finding that must be fixed."""
        self._add(at, what, remedy)

    def lacking(self, at: Position | None, what: str, remedy: str, needed_by: Commands) -> None:
        """Add a finding about what this machine lacks: an error only for ``needed_by``."""
        self._add(at, what, remedy, Severity.WARNING, needed_by)

    def missing(self, at: Position | None, what: str, remedy: str) -> None:
        """Add a finding about a missing file: an error, but not for ``WITHOUT_FILES``."""
        self._add(at, what, remedy, optional_for=WITHOUT_FILES)

    def warning(self, at: Position | None, what: str, remedy: str) -> None:
        """Add a finding about something that works, but is probably not intended."""
        self._add(at, what, remedy, Severity.WARNING)

    def _add(
        self,
        at: Position | None,
        what: str,
        remedy: str,
        severity: Severity = Severity.ERROR,
        needed_by: Commands = (),
        optional_for: Commands = (),
    ) -> None:
        path, place = self.path, at
        if at and at.path:
            path, place = at.path, Position(at.line, at.column)
        finding = Finding(path, place, what, remedy, severity, needed_by, optional_for)
        self.findings.append(finding)

    def fields(
        self, value: Value, what: str, known: Collection[str], remedy: str = _NO_MAPPING
    ) -> Fields:
        """A mapping with no keys but ``known``; null is an empty one.

        A misspelled key is reported, and stands for the key that is likely meant: one mistake is
        one finding. ``remedy`` is for a value that is not a mapping.
        """
        entries = self.mapping(value, what, remedy)
        found = {key.text: (key, body) for key, body in entries if key.text in known}
        for key, body in entries:
            if key.text not in known:
                instead = suggest(key.text, known) if known else "remove it"
                self.error(key.at, f'unknown key "{key.text}" in {what}', instead)
                meant = nearest(key.text, known)
                if meant and not (isinstance(body, Scalar) and body.null):
                    found.setdefault(meant, (key, body))
        return found

    def mapping(
        self, value: Value, what: str, remedy: str = _NO_MAPPING
    ) -> tuple[tuple[Scalar, Value], ...]:
        """A mapping's keys and values; null is an empty one."""
        if isinstance(value, Map):
            return value.entries
        if not (isinstance(value, Scalar) and value.null):
            self.error(value.at, f"{what} is not a mapping", remedy)
        return ()

    def role(self, key: Scalar, what: str) -> str | None:
        """The name of the role that a mapping's key is."""
        match = ROLE.fullmatch(key.text)
        if not match:
            self.error(key.at, f'{what}: invalid role "{key.text}"', "write role[NAME]")
            return None
        return match[1] or match[2]

    def is_first(self, role: str, name: Scalar, what: str, lines: dict[str, int]) -> bool:
        """Whether ``role``, as which ``name`` is read, is not in ``lines`` yet; adds it there."""
        if role in lines:
            twice = f"{what}: duplicate role {role}, first on line {lines[role]}"
            self.error(name.at, twice, "remove one")
            return False
        lines[role] = name.at.line
        return True

    def entries(
        self, value: Value, section: str, *, several: bool = False
    ) -> Iterator[tuple[Scalar, Value]]:
        """A section's names with their bodies: a list of one-key maps, or of bare names.

        With ``several``, a map may have several keys: there, they cannot be a body that lacks
        indentation.
        """
        if isinstance(value, Scalar) and value.null:
            return
        if not isinstance(value, List):
            name = value.entries[0][0].text if isinstance(value, Map) and value.entries else "NAME"
            what = f"{section} is not a list"
            self.error(value.at, what, f"write `- {name}:` for each name")
            return
        for item in value.items:
            keys = item.entries if isinstance(item, Map) else ()
            if (len(keys) == 1 or several and keys) and all(_named(key) for key, _ in keys):
                yield from keys
            elif isinstance(item, Scalar) and _named(item):
                yield item, Scalar("", *item.at, null=True)
            elif len(keys) > 1:
                shown = ", ".join(key.text for key, _ in keys)
                what = f"an entry of {section} has several keys: {shown}"
                first = keys[0][0].text
                remedy = f"indent what belongs to {first}, and begin the next name with `- `"
                self.error(item.at, what, remedy)
            else:
                self.error(item.at, f"an entry of {section} has no name", "write `- NAME:`")

    def text(self, value: Value, what: str) -> str | None:
        """Text that isn't empty."""
        if not isinstance(value, Scalar):
            self.invalid(value, what, "write a single value")
            return None
        if value.text.strip() and not value.null:
            return value.text.strip()
        self.error(value.at, f"{what} has no value", "write a value after the colon")
        return None

    def parsed(self, value: Value, what: str, parse: Callable[[str], T], remedy: str) -> T | None:
        """What ``parse`` makes of a text; its ValueError becomes a finding with ``remedy``."""
        text = self.text(value, what)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            self.invalid(value, what, remedy)
            return None

    def texts(self, value: Value, what: str, example: str = "NAME") -> tuple[Scalar, ...]:
        """The scalars of a list; one scalar stands for a list of one, null for an empty one."""
        if isinstance(value, Scalar):
            return () if value.null else (value,)
        good = []
        for item in value.items if isinstance(value, List) else (value,):
            if isinstance(item, Scalar) and item.text:
                good.append(item)
            else:
                wrong = f"{what} must be a list of {example.lower()}s"
                self.error(item.at, wrong, f"write `- {example}` for each")
        return tuple(good)

    def words(self, value: Value, what: str) -> str:
        """Options: text, or a list of texts, which are joined by blanks; null is none."""
        return " ".join(item.text for item in self.texts(value, what, "OPTION")).strip()

    def boolean(self, value: Value, what: str) -> bool | None:
        """A boolean, in any form that YAML allows."""
        found = BOOLEANS.get(value.text.lower()) if isinstance(value, Scalar) else None
        if found is None:
            self.invalid(value, what, "write true or false")
        return found

    def number(self, value: Value, what: str, least: int, most: int) -> int | None:
        """A whole number from ``least`` to ``most``."""
        text = value.text if isinstance(value, Scalar) else ""
        if re.fullmatch(r"\d{1,9}", text, re.ASCII) and least <= int(text) <= most:
            return int(text)
        self.invalid(value, what, f"write a number from {least} to {most}")
        return None

    def memory(self, value: Value, what: str, least: int) -> int | None:
        """Memory in MiB: a number of MiB, or one with the unit M, G or T."""
        text = value.text.strip() if isinstance(value, Scalar) else ""
        match = MEMORY.fullmatch(text)
        if not match:
            self.invalid(value, what, "write a number of MiB, such as 4096, or use a unit: 4G")
            return None
        mib = int(match[1]) * _MIB[(match[2] or "M").upper()]
        if mib < least:
            remedy = f"write at least {least}" + ("" if match[2] or mib > 64 else f", or {text}G")
            self.error(value.at, f"{what}: {mib} MiB is too little", remedy)
            return None
        return mib

    def duration(self, value: Value, what: str, least: int, most: int) -> int | None:
        """Seconds: a number of them, or one with the unit s, m, min, h or d."""
        match = DURATION.fullmatch(value.text.strip()) if isinstance(value, Scalar) else None
        if not match:
            self.invalid(value, what, "write a number of seconds, or use a unit: 30m")
            return None
        seconds = int(match[1]) * SECONDS[match[2] or "s"]
        if not least <= seconds <= most:
            self.invalid(value, what, f"write {least} to {most} seconds, or use a unit: 30m")
            return None
        return seconds

    def file(
        self, value: Value, what: str, *, needed_by: Commands = (), private: bool = False
    ) -> Path | None:
        """A file: absolute, below ``~``, or relative to the document.

        A file that doesn't exist adds a finding, and is returned all the same. Files outside the
        repository, and private keys wherever they are, may be only on the machine that deploys:
        without them, only the commands ``needed_by`` can't run. A public key in the place of a
        private one is an error.
        """
        text = self.text(value, what)
        if text is None:
            return None
        if private and text.endswith(".pub"):
            remedy = f"use the private key, {text.removesuffix('.pub')}"
            self.error(value.at, f"{what}: {text} is a public key", remedy)
            return self.path.parent / os.path.expanduser(text)
        if text not in self._files:  # a thousand nodes have the same key
            path = self.path.parent / os.path.expanduser(text)
            # unlike Path.is_file, False for whatever can't be one
            self._files[text] = path, os.path.isfile(path)
        path, exists = self._files[text]
        if os.path.isdir(path):
            self.missing(value.at, f"{what}: {text} is a directory", "write the path of a file")
        elif not exists:
            problem = f"{what}: file not found: {text}"
            remedy = "correct the path or create the file"
            if needed_by and (private or not self.in_repository(path)):
                self.lacking(value.at, problem, remedy, needed_by)
            else:
                self.missing(value.at, problem, remedy)
        return path

    def in_repository(self, path: Path) -> bool:
        """Whether the file is below the directory of the document."""
        return Path(os.path.normpath(path)).is_relative_to(self.path.parent)

    def invalid(self, value: Value, what: str, remedy: str) -> None:
        """Add a finding for a value that isn't of the right kind."""
        if isinstance(value, Scalar):
            problem = f'{what}: invalid value "{value.text}"' if value.text else f"{what} is empty"
        else:
            problem = f"{what} is a {'list' if isinstance(value, List) else 'mapping'}"
        self.error(value.at, problem, remedy)


def _named(key: Scalar) -> bool:
    return not key.null and bool(key.text.strip())
