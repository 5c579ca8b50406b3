"""Removes secrets from all output: known ones, and anything that looks like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "****"

SHORTEST = 4
"""Minimum length of a known secret; masking a shorter one would hit parts of ordinary words."""

_CACHED = 20_000
"""Texts whose redacted form is kept."""

_WORD = (
    r"(?:password|passwd|passphrase|(?<![a-z])pass(?![a-z])|secret|token"
    r"|private[_-]?key|access[_-]?key|api[_-]?key)"
)
_QUOTED = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
_VALUE = rf"(?:\\\"[^\"\n]*?\\\"|{_QUOTED}|[^\s,;&'\"\\}}]+)"
_REST = rf"(?:{_QUOTED}|[^\n,}}]+)"

_KEY = (
    r"(?s)-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:.*?-----END (?P=kind)-----|(?:\s|\\n|[\d:]{8}Z |[A-Za-z0-9+/=])*)"
)
# Texts, which `re` compiles when first used and keeps: most commands show nothing that needs them.
_PATTERNS = (
    (_KEY, MASK),
    # A key's or the data bag secret's own lines, wherever its head is.
    (r"(?m)^((?:[\d:]{8}Z )?\s*)[A-Za-z0-9+/]{48,}={0,2}[ \t]*$", rf"\1{MASK}"),
    (r"(https?://)[^\s/@]+(@)", rf"\1{MASK}\2"),  # a token may be the user as well
    (r"(://[^\s:/@]{0,200}:)[^\s@]{1,200}(@)", rf"\1{MASK}\2"),
    # password=x, "password": "x", :password => 'x'; not recipe[secret::x]
    (
        rf"(?i)({_WORD}(?!-file)[\w-]*\\?['\"]?\s*(?:=>|=|:(?!:))\s*)(?:Bearer |Basic )?{_VALUE}",
        rf"\1{MASK}",
    ),
    (rf"(?i)(?<!\S)(--?[\w-]{{0,40}}{_WORD}(?!-file)[\w-]*\s+){_VALUE}", rf"\1{MASK}"),
    # knife's -P (a password) and its plugins' -K (a cloud's key), mysql's -p
    (rf"(?<![^\s'\"])(-[PK]\s*)(?![\s-]){_VALUE}", rf"\1{MASK}"),
    (r"(\b(?:mysql|mariadb)\w*\b[^\n]{0,300}?\s-p)[^\s]+", rf"\1{MASK}"),
    (r"(?i)(authorization['\"]?\s*[=:]\s*['\"]?(?:bearer|basic)\s+)\S+", rf"\1{MASK}"),
    (r"gAAAA[\w=-]{20,}", MASK),  # Keystone's tokens
)
_HINT = r"(?i)pass|secret|token|key|-p|-k|://|authorization|gaaaa|[a-z0-9+/]{48}"
"""Matches any text that a pattern below could match: a quick test that most texts fail."""

_ARGUMENT = (
    rf"(?<!\S)(-[PK]\s*|(?i:--?[\w-]{{0,40}}{_WORD}(?!-file)[\w-]*)(?:=|\s+))"
    r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+"""
)
"""An option of a command line, and the shell's word that is its value."""

_QUOTED_ARGUMENT = (
    rf"(?<!\S)'(-[PK]|(?i:--?[\w-]{{0,40}}{_WORD}(?!-file)[\w-]*)=)"
    r"""[^']*'(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")*"""
)
"""The same in one word with quotes around all of it, as :func:`shlex.join` writes it."""

_FIELD = (
    rf"(?i)(?P<key>(?P<lead> *(?:- +)*)['\"]?[\w.-]{{0,60}}{_WORD}(?!s\b)[\w-]*['\"]?\s*:)"
    r"(?:\s+(?P<value>.*))?$"
)
"""A field of a manifest on a line of its own; ``db_passwords`` are names."""

_IN_BRACES = rf"(?i)([{{,]\s*['\"]?[\w.-]{{0,60}}{_WORD}(?!s\b)[\w-]*['\"]?\s*:\s+)({_REST})"
_OPTION = (
    r"(?:(?<![^\s'\"])-[PK]\s*(?![\s-])"
    rf"|(?i:--?[\w-]{{0,40}}{_WORD}(?!-file)[\w-]*[=\s]\s*))({_VALUE})"
)


class Redactor:
    """Masks ``secrets``, however they are encoded, and anything that looks like a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        self._cache: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The text without secrets. Results are cached: a run has many equal texts."""
        found = self._cache.get(text)
        if found is None:
            found = self.known(text)
            if re.search(_HINT, found):
                for pattern, masked in _PATTERNS:
                    found = re.sub(pattern, masked, found)
            if len(text) < 1000 and len(self._cache) < _CACHED:
                self._cache[text] = found
        return found

    def value(self, value: object) -> object:
        """A value of a table: without secrets, if it is a text."""
        return self(value) if isinstance(value, str) else value

    def known(self, text: str) -> str:
        """The text without the known secrets only: for JSON and HTML, which must stay valid."""
        return self._known.sub(MASK, text) if self._known else text

    def command(self, text: str) -> str:
        """A command line without secrets; a value in it is one word of the shell."""
        text = re.sub(_QUOTED_ARGUMENT, rf"\1{MASK}", text)
        return self(re.sub(_ARGUMENT, rf"\1{MASK}", text))

    def manifest(self, text: str) -> str:
        """A manifest without secrets; a value in it extends to the end of its line, or beyond."""
        lines, _ = _fields(text)
        return self(re.sub(_IN_BRACES, rf"\1{MASK}", "\n".join(lines)))


def in_manifest(text: str) -> set[str]:
    """The values in a manifest that look like secrets by their key or by their option."""
    _, values = _fields(text)
    values |= {match[1] for match in re.finditer(_OPTION, text)}
    values |= {match[2] for match in re.finditer(_IN_BRACES, text)}
    return {_bare(value) for value in values} - {""}


def _fields(text: str) -> tuple[list[str], set[str]]:
    """A manifest's lines without the values of its secret fields, and these values."""
    shown: list[str] = []
    values: set[str] = set()
    column: int | None = None  # of a secret field: what is further right belongs to it
    for line in text.splitlines():
        if column is not None and len(line) - len(line.lstrip()) > column:
            values.add(line)
            continue
        field = re.match(_FIELD, line)
        column = len(field["lead"]) if field else column if not line.strip() else None
        if field:
            values.add(re.split(r"\s#", field["value"] or "")[0])
        shown.append(f"{field['key']} {MASK}" if field else line)
    return [*shown, ""] if text.endswith("\n") else shown, values


def _bare(value: str) -> str:
    """The value without its quotes."""
    value = value.strip()
    for mark in ('\\"', '"', "'"):
        if len(value) >= 2 * len(mark) and value.startswith(mark) and value.endswith(mark):
            return value[len(mark) : -len(mark)]
    return value


def _forms(secret: str) -> Iterable[str]:
    """The secret as texts hold it: as it is, each line of it, in a URL, in JSON."""
    yield from (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
    yield from (line.strip() for line in secret.splitlines())
