"""A Chef repository in a temporary directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stackcook.errors import Position
from stackcook.manifest.model import CookbookEntry, DataBag, Manifest, Node, Pattern

AT = Position(7, 3)
Make = Callable[..., Manifest]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "stackcook"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes files and returns a manifest that names objects of them.

    ``files`` is path → text; cookbooks, roles and environments are names, data bags are
    ``bag`` or ``bag/item``, nodes are ``name: run list``.
    """

    def make(
        files: dict[str, str],
        *,
        cookbooks: str = "",
        roles: str = "",
        environments: str = "",
        data_bags: str = "",
        nodes: dict[str, str] | None = None,
        environment: str = "_default",
        passwords: dict[str, tuple[str, ...]] | None = None,
    ) -> Manifest:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        bags: dict[str, list[Pattern]] = {}
        for word in data_bags.split():
            bag, _, item = word.partition("/")
            bags.setdefault(bag, []).extend([Pattern(item, AT)] if item else [])
        return Manifest(
            path=tmp_path / "infrastructure.yml",
            name="unit",
            cookbooks=tuple(
                CookbookEntry(name, AT, version or None)
                for name, _, version in (word.partition("=") for word in cookbooks.split())
            ),
            roles=tuple(Pattern(word, AT) for word in roles.split()),
            environments=tuple(Pattern(word, AT) for word in environments.split()),
            data_bags=tuple(DataBag(bag, AT, tuple(items)) for bag, items in bags.items()),
            nodes=tuple(
                Node(name, AT, tuple(run_list.split()), environment)
                for name, run_list in (nodes or {}).items()
            ),
            passwords=passwords or {},
        )

    return make
