"""Licenses, as gems, Debian packages and Python libraries declare them."""

from __future__ import annotations

import pytest

from stackcook.bundle import licenses


@pytest.mark.parametrize(
    "name, found",
    [
        ("Expat", "MIT"),
        ("MIT", "MIT"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL-4", ""),
        ("GPL-2+ with OpenSSL exception", ""),
        ("permissive", ""),
    ],
)
def test_the_spdx_id_of_a_name(name: str, found: str) -> None:
    assert licenses.spdx_id(name) == found


COPYRIGHTS = """\
ruby/copyright:Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
ruby/copyright:License: BSD-2-clause or Ruby
ruby/copyright:License:   Expat
ruby/copyright:License: Expat
ruby/copyright:License:
ruby/copyright:License: Permission is hereby granted, free of charge, to any person
tmux/copyright:License: what is in the file LICENSE
xz/copyright:Format: 1.0
"""


def test_copyright_files_of_debian() -> None:
    assert licenses.debian(COPYRIGHTS.splitlines()) == {
        "ruby": ("BSD-2-clause or Ruby", "Expat"),
        "xz": (),
    }


def test_alternatives() -> None:
    found = licenses.alternatives("GPL-2+ or Artistic, and Expat")
    assert found == [["GPL-2+", "Artistic"], ["Expat"]]
    assert licenses.alternatives("MIT OR Apache-2.0") == [["MIT", "Apache-2.0"]]


def test_a_gem() -> None:
    line = '  s.licenses = ["Ruby".freeze, "BSD-2-Clause".freeze]'
    assert licenses.gem(f"Gem::Specification.new\n{line}\n") == ("Ruby", "BSD-2-Clause")
    assert licenses.gem("Gem::Specification.new\n") == ()


@pytest.mark.parametrize(
    "fields, found",
    [
        ({"License-Expression": ["MIT"], "License": ["other"]}, ("MIT",)),
        ({"License": ["BSD-3-Clause"]}, ("BSD-3-Clause",)),
        ({"License": ["UNKNOWN"]}, ()),
        (
            {
                "License": ["Copyright\n\nPermission is granted"],
                "Classifier": ["Topic :: System", "License :: OSI Approved :: MIT License"],
            },
            ("MIT License",),
        ),
    ],
)
def test_a_python_library(fields: dict[str, list[str]], found: tuple[str, ...]) -> None:
    assert licenses.python(fields) == found
