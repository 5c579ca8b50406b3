"""``stackcook setup``."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import click

from stackcook.cache import programs
from stackcook.cli.context import Context
from stackcook.cli.help import Command
from stackcook.cli.terminal import agreed
from stackcook.command import Secret, run
from stackcook.errors import UsageError, counted
from stackcook.setup import Missing, install, missing, needs_password


@click.command(
    cls=Command,
    examples="""
    # asks first
    stackcook setup
    # show what is missing
    stackcook setup --dry-run
    # in scripts
    stackcook setup --yes
    """,
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Show what would be installed, and install nothing.")
@click.pass_obj
def command(context: Context, yes: bool, dry_run: bool) -> None:
    """Install the programs that stackcook uses: Debian packages, the Chef client and knife.

    Packages are installed with apt-get, with sudo unless you are root. The gems of the Chef client
    and knife go to your cache directory, in locked versions. Lists what is missing, and asks.
    """
    found = missing(run)
    if found.unavailable:
        context.console.note(f"no source of apt has {', '.join(found.unavailable)}")
    if not found:
        context.console.result(_nothing(found), _data(found))
        return
    text = _text(found, context.console.width)
    if dry_run:
        context.console.result(text, _data(found))
        return
    if not yes:
        context.console.note(text)
        if not agreed("Install them?"):
            raise UsageError("nothing was installed")
    install(found, context.console.note, run, password=_password(context, found))
    # If apt's package lists were missing or old, it is only known now what no source has.
    unavailable = missing(run).unavailable
    packages = tuple(name for name in found.packages if name not in unavailable)
    done = replace(found, packages=packages, unavailable=unavailable)
    text = f"installed {_counted(done)}" if done else _nothing(done)
    context.console.result(text, {**_data(done), "installed": bool(done)})


def _data(found: Missing) -> dict[str, object]:
    return {
        "packages": found.packages,
        "gems": found.gems,
        "unavailable": found.unavailable,
        "installed": False,
    }


def _nothing(found: Missing) -> str:
    rest = " that apt has" if found.unavailable else ""
    return f"nothing to install: all programs{rest} are there"


def _password(context: Context, found: Missing) -> Secret | None:
    """The password for sudo, if it asks for one."""
    if not found.packages or not needs_password(run):
        return None
    if context.user is None:
        what = "sudo asks for a password, and there is no terminal to ask at"
        raise UsageError(what, remedy="run `stackcook setup` in a terminal or as root")
    return context.user.secret("sudo password")


def _counted(found: Missing) -> str:
    parts = {"Debian package": len(found.packages), "Ruby gem": found.gems}
    return " and ".join(counted(number, noun) for noun, number in parts.items() if number)


def _text(found: Missing, width: int) -> str:
    lines = [f"missing: {_counted(found)}"]
    if found.packages:
        lines.append(
            textwrap.fill(
                f"packages: {' '.join(found.packages)}",
                width,
                initial_indent="  ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    if found.gems:
        lines.append("  gems: the Chef client, knife and what they need, which takes one to three")
        lines.append(f"    minutes; the programs go to {programs()}")
    return "\n".join(lines)
