"""Asks the user at the terminal; a question goes to stderr, so that stdout stays for results."""

from __future__ import annotations

import click

from stackcook.command import Secret


class Terminal:
    """A :class:`stackcook.remote.ready.User`. An empty answer is one."""

    def secret(self, question: str) -> Secret:
        """A text that is typed without being shown."""
        answer = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
        return Secret(answer)

    def agrees(self, question: str) -> bool:
        """The answer to a question: yes or no."""
        return click.confirm(question, err=True)
