"""Asks the user at the terminal; a question goes to stderr, so that stdout stays for results."""

from __future__ import annotations

import sys

import click

from stackcook.command import Secret
from stackcook.errors import UsageError


class Terminal:
    """A :class:`stackcook.remote.ready.User`. An empty answer is one."""

    def secret(self, question: str) -> Secret:
        """A text that is typed without being shown."""
        answer = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
        return Secret(answer)

    def agrees(self, question: str) -> bool:
        """The answer to a question: yes or no."""
        return click.confirm(question, err=True)


def agreed(question: str, word: str = "", *, remedy: str = "add --yes") -> bool:
    """Whether the user says yes, or types ``word`` if there is one.

    Raises UsageError with ``remedy`` without a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for confirmation without a terminal", remedy=remedy)
    if not word:
        return click.confirm(question, err=True)
    asked = f"{question}\nType {word} to continue"
    answer: str = click.prompt(asked, default="", show_default=False, err=True)
    return answer == word
