"""``stackcook bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from stackcook.cli.context import OUTPUT, Context
from stackcook.cli.help import Command
from stackcook.errors import counted
from stackcook.operations.bundle import write


@click.command(
    cls=Command,
    examples="""
    # here, with internet access
    stackcook bundle cloud.tar
    # there, without
    stackcook deploy --bundle cloud.tar
    """,
)
@click.argument("file", type=OUTPUT)
@click.option(
    "--release",
    "releases",
    metavar="CODENAME",
    multiple=True,
    default=("trixie",),
    show_default=True,
    help="Debian release of the hosts; repeatable.",
)
@click.pass_obj
def command(context: Context, file: Path, releases: tuple[str, ...]) -> None:
    """Write FILE with all that `deploy --bundle FILE` needs, without the internet.

    It has the Chef client, the Debian packages that the nodes' recipes name and all that these
    need, the Chef repository with the cookbooks of Berkshelf and librarian-chef, the Vagrant box of
    LXC machines, checksums, and a list of all software (SPDX). Keys and secrets are not in it.
    """
    manifest = context.load()
    done = write(manifest, file, tuple(dict.fromkeys(releases)), context.console.note)
    for name in done.unknown:
        context.console.note(f"not in the bundle: {name}; no mirror has this package")
    contents = f"{counted(done.packages, 'package')}, {counted(done.cookbooks, 'cookbook')}"
    shown = f"{file}: {contents}{', the box' if done.box else ''}, {done.size >> 20} MB"
    context.console.result(
        shown,
        {
            "path": str(file),
            "size": done.size,
            "packages": done.packages,
            "cookbooks": done.cookbooks,
            "box": done.box,
            "unknown": list(done.unknown),
        },
    )
