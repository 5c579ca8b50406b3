"""The manifest's section ``knife``: commands for real knife, run last."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from stackcook.command import Command, CommandError, Run, find_program, run
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer, Manifest

TIMEOUT = 3600.0
"""Seconds for one command."""


def server_arguments(server: ChefServer) -> tuple[str, ...]:
    """What leads knife to ``server``, whatever its own configuration says besides."""
    return ("--server-url", server.url, "-u", server.user, "-k", str(server.key))


def run_section(
    manifest: Manifest, server: ChefServer, say: Callable[[str], None], runner: Run = run
) -> int:
    """Run the section's commands in order; returns how many.

    knife looks for its own configuration from the manifest's directory upward. Raises
    ChefServerError at the first command that fails: those after it may build on it.
    """
    count = 0
    for name, words in _commands(manifest):
        shown = f"knife {name}"  # without its arguments: they may have a password
        say(shown)
        argv = (str(find_program("knife")), *words, *server_arguments(server))
        remedy = "correct it in the section `knife`"
        try:
            done = runner(Command(argv, cwd=manifest.root), on_line=say, timeout=TIMEOUT)
        except CommandError as error:
            raise ChefServerError(error.what, where=shown, remedy=remedy) from error
        if done.status:
            what = f"it ended with {done.status}: {done.last}"
            raise ChefServerError(what, where=shown, remedy=remedy)
        count += 1
    return count


def _commands(manifest: Manifest) -> Iterator[tuple[str, tuple[str, ...]]]:
    for command in manifest.knife:
        for arguments in command.arguments or ("",):
            yield command.name, (*command.name.split(), *shlex.split(arguments))
