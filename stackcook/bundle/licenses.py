"""Licenses of gems, Debian packages and Python libraries, as their own files declare them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_SPDX = {
    name.lower(): name
    for name in (
        "0BSD Apache-2.0 Artistic-1.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSD-4-Clause BSL-1.0"
        " CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 curl EPL-1.0 EPL-2.0 FSFAP FSFUL"
        " FSFULLR FTL HPND IJG ISC JSON MIT MIT-0 MPL-1.1 MPL-2.0 NTP OFL-1.1 OLDAP-2.8 OpenSSL"
        " PHP-3.01 PSF-2.0 Python-2.0 Ruby Unlicense Vim W3C WTFPL X11 Zlib ZPL-2.1"
    ).split()
}
_SPDX |= {
    "apache-2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "artistic": "Artistic-1.0",
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "mit license": "MIT",
    "mit/x11": "MIT",
    "mpl-2": "MPL-2.0",
    "openldap-2.8": "OLDAP-2.8",
    "psf-2": "PSF-2.0",
    "sil-ofl-1.1": "OFL-1.1",
}
"""Names of licenses, in lower case, of Debian's copyright files and of SPDX → the ID in SPDX."""

_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-?v?(\d)(\.\d)?(?:\.0)?(\+|-only|-or-later)?", re.IGNORECASE)
_VERSIONS = {
    "AGPL": {"1.0", "3.0"},
    "GPL": {"1.0", "2.0", "3.0"},
    "LGPL": {"2.0", "2.1", "3.0"},
    "GFDL": {"1.1", "1.2", "1.3"},
}

_NAME = re.compile(r"[\w.+/-]+( with [\w .+/-]+)?", re.IGNORECASE)
"""What is a name of a license, and not the beginning of its text."""


def spdx_id(name: str) -> str:
    """The SPDX ID of a license that Debian or an author calls ``name``; empty if unknown."""
    if match := _GNU.fullmatch(name):
        family, version = match[1].upper(), f"{match[2]}{match[3] or '.0'}"
        later = (match[4] or "").lower() in ("+", "-or-later")
        known = version in _VERSIONS[family]
        return f"{family}-{version}-{'or-later' if later else 'only'}" if known else ""
    return _SPDX.get(name.lower(), "")


def alternatives(declared: str) -> list[list[str]]:
    """``GPL-2+ or Artistic, and Expat`` → ``[[GPL-2+, Artistic], [Expat]]``: all of any of each."""
    groups = re.split(r",? and ", declared, flags=re.IGNORECASE)
    return [[name.strip(" ,()") for name in re.split(r"(?i),? or ", group)] for group in groups]


def debian(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Package → licenses, of lines such as ``PACKAGE/copyright:License: GPL-2+``, without repeats.

    A package whose copyright file is not machine-readable (DEP-5) is missing.
    """
    found: dict[str, dict[str, None]] = {}
    for line in lines:
        package, _, rest = line.partition("/copyright:")
        field, _, value = rest.partition(":")
        value = " ".join(value.split())
        if field == "Format":
            found.setdefault(package, {})
        elif package in found and field == "License" and value:
            names = [name for group in alternatives(value) for name in group]
            if all(map(_NAME.fullmatch, names)):
                found[package][value] = None
    return {package: tuple(licenses) for package, licenses in found.items()}


def gem(specification: str) -> tuple[str, ...]:
    """The licenses of an installed gem, of its gemspec."""
    match = re.search(r"^  s\.licenses = \[(.*)\]$", specification, re.MULTILINE)
    return tuple(re.findall(r'"([^"]+)"', match[1])) if match else ()


PYTHON_FIELDS = ("License-Expression", "License", "Classifier")
"""The fields of a Python distribution's metadata that may have its license."""


def python(fields: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The licenses of a Python distribution: its expression, else a short text, else classifiers.

    ``fields`` are PYTHON_FIELDS with all their values.
    """
    expression, text, classifiers = (fields.get(name, ()) for name in PYTHON_FIELDS)
    for value in (*expression, *text):
        if value.strip() not in ("", "UNKNOWN") and len(value) < 60 and "\n" not in value.strip():
            return (value.strip(),)
    parts = (value.split(" :: ") for value in classifiers)
    return tuple(last for first, *middle, last in parts if first == "License" and middle)
