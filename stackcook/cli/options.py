"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from stackcook.cli.context import node_names


def limit_option(more: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--limit``; ``more`` is added to its help."""
    return click.option(
        "--limit",
        multiple=True,
        metavar="NODE|'role[NAME]'",
        shell_complete=node_names,
        help=f"Only this node, or nodes with this role; repeatable. {more}".rstrip(),
    )


def only_option() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--only``; pass its values to ``parse_sections``."""
    return click.option(
        "--only",
        multiple=True,
        metavar="SECTION",
        shell_complete=_sections,
        help="Only this section of the manifest; repeatable, or separate with commas.",
    )


def _sections(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Sections for shell completion."""
    from stackcook.chef.repository.repository import SECTIONS

    names = (name.replace(" ", "-") for name in SECTIONS)
    return [name for name in names if name.startswith(begun)]
