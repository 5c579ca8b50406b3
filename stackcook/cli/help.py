"""``stackcook help``, and how each command's ``--help`` looks.

Kept free of other imports of stackcook's: every ``--help`` needs this file.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from stackcook.cli.context import Context
from stackcook.errors import ExitCode, UsageError
from stackcook.nearest import nearest

EXIT_CODES = {
    ExitCode.DONE: "success",
    ExitCode.BUG: "internal error",
    ExitCode.USAGE: "wrong usage, or the command cannot run: nothing is deployed here, a program is"
    " missing, another command is running, or you declined to confirm",
    ExitCode.INPUT: "invalid manifest or Chef repository",
    ExitCode.NODES: "nodes failed",
    ExitCode.VERIFY: "verification failed",
    ExitCode.CHEF_SERVER: "Chef server error",
    ExitCode.MACHINES: "machines or network failed",
    ExitCode.WITHIN_BUDGET: "success, except for failed nodes within the failure budget, or for"
    " some of the zones",
    ExitCode.INTERRUPTED: "interrupted",
}
"""What each exit code means to the caller."""

_EXIT_CODES = "exit-codes"


class Formatter(click.HelpFormatter):
    """Breaks lines only at blanks, so that options, paths and URLs stay whole."""

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        paragraphs = (_wrapped(each, self.width, indent) for each in text.split("\n\n"))
        self.write("\n\n".join(paragraphs) + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        col_max = min(col_max, self.width * 2 // 5)  # the explanations need the rest
        longest = max(len(term) for term, _ in rows)
        indent = " " * (self.current_indent + min(longest, col_max) + col_spacing)
        for term, text in rows:
            line = " " * self.current_indent + term
            if len(line) > len(indent) - col_spacing:
                self.write(f"{line}\n")
                line = ""
            # the term stands where the first line is indented
            self.write(line + _wrapped(text, self.width, indent)[len(line) :] + "\n")


def _wrapped(text: str, width: int, indent: str) -> str:
    """One paragraph as lines; those of one that begins with a line ``\\b`` stay as they are."""
    if text.startswith("\b\n"):
        return textwrap.indent(text[2:], indent)
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class HelpContext(click.Context):
    """The context of a command whose help is written by :class:`Formatter`."""

    formatter_class = Formatter


class Command(click.Command):
    """A command with ``examples`` at the end of its help; their lines are not wrapped."""

    context_class = HelpContext

    def __init__(self, *arguments: Any, examples: str = "", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.examples = inspect.cleandoc(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if correct := _before(ctx, error.option_name):
                error.message += f"; write it before the command: `{correct}`"
                error.possibilities = None
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_text(f"\b\n{self.examples}")
        super().format_epilog(ctx, formatter)


def _before(ctx: click.Context, option: str) -> str:
    """The command line with an option of `stackcook` itself, or empty if it has none such."""
    root = ctx.find_root()
    for parameter in root.command.params:
        if option in (*parameter.opts, *parameter.secondary_opts) and ctx is not root:
            flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
            value = "" if flag else f" {parameter.make_metavar()}"
            return f"stackcook {option}{value} {ctx.command_path.partition(' ')[2]}"
    return ""


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


def _topics(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Topics for shell completion."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    words = (*root.command.list_commands(root), _EXIT_CODES)
    return [word for word in words if word.startswith(begun)]


@click.command(
    cls=Command,
    examples="""
    stackcook help deploy
    # what the exit status of a command means
    stackcook help exit-codes
    """,
)
@click.argument("topic", nargs=-1, metavar="[COMMAND|exit-codes]", shell_complete=_topics)
@click.pass_context
def command(ctx: click.Context, topic: tuple[str, ...]) -> None:
    """Show the help of a command, or what the exit codes mean.

    Without COMMAND, list all commands. `stackcook COMMAND --help` shows the same.
    """
    root = ctx.find_root()
    context: Context = ctx.obj
    text = _exit_codes(root) if topic == (_EXIT_CODES,) else _help(root, topic)
    context.console.result(text, {"topic": " ".join(topic) or None, "text": text})


def _help(ctx: click.Context, words: Sequence[str]) -> str:
    """The help of the command that the words name; raises UsageError if there is none."""
    for word in words:
        above = ctx.command
        known = above.list_commands(ctx) if isinstance(above, click.Group) else []
        below = above.get_command(ctx, word) if isinstance(above, click.Group) else None
        if below is None:
            near = nearest(word, known if ctx.parent else [*known, _EXIT_CODES])
            remedy = f"did you mean {near}?" if near else "run `stackcook help` to list all"
            raise UsageError(f"no help on {' '.join(words)}", remedy=remedy)
        ctx = below.context_class(below, parent=ctx, info_name=word)
    return ctx.get_help()


def _exit_codes(ctx: click.Context) -> str:
    formatter = ctx.make_formatter()
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(int(code)), text) for code, text in EXIT_CODES.items()])
    return formatter.getvalue().rstrip("\n")
