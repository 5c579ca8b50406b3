"""All commands of stackcook, for tests that go through them."""

from __future__ import annotations

from collections.abc import Iterator

import click


def every(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands in a group and in the groups below it, such as ``node`` and ``node remove``."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if not command.hidden:
            name = f"{above} {word}".strip()
            yield name, command
            if isinstance(command, click.Group):
                yield from every(command, name)


def examples(group: click.Group) -> Iterator[tuple[str, str]]:
    """Each command with each line of its examples, without the program's name and ``> FILE``."""
    for name, command in every(group):
        for line in getattr(command, "examples").replace("\\\n", "").splitlines():
            if not line.startswith("#"):
                program, _, words = line.partition(" ")
                assert program == "stackcook", f"{name}: {line}"
                yield name, words.partition(" > ")[0]


def parsed(group: click.Group, arguments: list[str]) -> None:
    """Parse the command line without running it; raises click's errors for what does not exist."""
    context = group.make_context("stackcook", arguments)
    command: click.Command = group
    while isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)
