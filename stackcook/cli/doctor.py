"""``stackcook doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from stackcook.cli.context import Context
from stackcook.doctor import Diagnosis, diagnose
from stackcook.errors import ExitCode
from stackcook.report.format import columns


@click.command()
@click.pass_obj
def command(context: Context) -> ExitCode:
    """List the programs that stackcook needs, and how to install missing ones.

    With your own hosts (`machines: ssh`), Vagrant and LXC are not needed.
    Exits 2 if something is missing.
    """
    found = diagnose()
    rows = [(one.name, one.purpose, one.found or f"missing: {one.remedy}") for one in found]
    missing = [diagnosis for diagnosis in found if not diagnosis.found]
    context.console.result(
        f"{columns(rows)}\n{_summary(missing)}",
        {"missing": len(missing), "tools": [asdict(diagnosis) for diagnosis in found]},
    )
    return ExitCode.USAGE if missing else ExitCode.DONE


def _summary(missing: list[Diagnosis]) -> str:
    if not missing:
        return "nothing is missing"
    return f"missing: {', '.join(one.name for one in missing)}; `make setup` installs most of them"
