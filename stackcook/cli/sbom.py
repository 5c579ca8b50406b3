"""``stackcook sbom``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from stackcook.bundle import sbom
from stackcook.bundle.sbom import Component
from stackcook.cli.context import Context, format_option, login_options
from stackcook.cli.help import Command
from stackcook.command import run
from stackcook.errors import counted
from stackcook.operations.sbom import components
from stackcook.operations.site import Site
from stackcook.report.format import columns

_SHOWN = 3
"""Licenses of a component in the table."""


@click.command(
    cls=Command,
    examples="""
    # a table of all software and its licenses
    stackcook sbom
    # for scanners
    stackcook sbom --format cyclonedx > sbom.cdx.json
    stackcook sbom --format spdx > sbom.spdx.json
    # also the packages of the deployed nodes
    stackcook sbom --nodes
    """,
)
@format_option("text", "cyclonedx", "spdx", "json")
@click.option("--nodes", is_flag=True, help="Add the Debian packages of the deployed nodes.")
@login_options
@click.pass_obj
def command(context: Context, form: str | None, nodes: bool) -> None:
    """List all software that stackcook and a deploy install, with versions and licenses.

    That is: Python libraries, the gems of the Chef client and knife, and the Debian packages of
    this machine that stackcook uses, with all that they need. Formats: CycloneDX 1.5, SPDX 2.3.
    """
    form = context.form(form)
    printed: tuple[str, ...] = ()
    if nodes:
        site = Site(context.load_deployed(), context.access)
        site.make_ready(context.user)
        site.machines.prepare()  # without its network, packets would take the default route
        printed = site.software()
    found = components(run, printed)
    if form == "spdx":
        text = sbom.spdx("stackcook", found)
    elif form == "cyclonedx":
        text = sbom.cyclonedx("stackcook", found)
    else:
        text = _table(found)
    context.console.result(text.rstrip("\n"), {"components": [*map(_data, found)]})


def _data(component: Component) -> Mapping[str, Any]:
    return {
        "kind": component.kind,
        "name": component.name,
        "version": component.version,
        "purl": component.url,
        "licenses": component.licenses,
    }


def _table(found: Sequence[Component]) -> str:
    rows = [(each.kind, each.name, each.version, _licenses(each)) for each in found]
    return f"{columns(rows)}\n{_summary(found)}"


def _licenses(component: Component) -> str:
    shown = component.licenses[:_SHOWN]
    more = len(component.licenses) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "") or "unknown"


def _summary(found: Sequence[Component]) -> str:
    kinds = Counter(each.kind for each in found)
    parts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    unknown = sum(not each.licenses for each in found)
    return f"{counted(len(found), 'component')} ({parts}); {unknown} of them of unknown license"
