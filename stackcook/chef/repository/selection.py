"""Sections of the manifest by name: which part of the repository a command is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from stackcook.chef.repository.repository import Repository
from stackcook.errors import UsageError
from stackcook.nearest import nearest

SECTIONS = ("cookbooks", "environments", "roles", "data bags", "nodes", "clusters", "knife")
"""The manifest's sections, as people write them."""


def parse_sections(words: Iterable[str]) -> tuple[str, ...]:
    """The sections that ``--only`` names: ``data-bags,roles``; all of them if it names none.

    Raises UsageError for a word that is none.
    """
    wanted = [part.strip() for word in words for part in word.split(",") if part.strip()]
    named = {part: part.lower().replace("_", " ").replace("-", " ") for part in wanted}
    for part, name in named.items():
        if name not in SECTIONS:
            near = nearest(name, SECTIONS)
            remedy = f'did you mean "{near}"?' if near else f"it may be {', '.join(SECTIONS)}"
            raise UsageError(f'"{part}" is no section', where="--only", remedy=remedy)
    return tuple(name for name in SECTIONS if not named or name in named.values())


def select(repository: Repository, sections: Collection[str]) -> Repository:
    """The part of the repository that belongs to ``sections``; a policy is one of cookbooks."""
    return replace(
        repository,
        cookbooks=repository.cookbooks if "cookbooks" in sections else (),
        policy=repository.policy if "cookbooks" in sections else None,
        environments=repository.environments if "environments" in sections else {},
        roles=repository.roles if "roles" in sections else {},
        data_bags=repository.data_bags if "data bags" in sections else (),
    )
