"""The only printer. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.style import Style
from rich.text import Text

from stackcook.console.board import Board
from stackcook.deploy.events import Event, Listener
from stackcook.errors import Finding, InputError, Severity, StackcookError

_COLORS = {Severity.ERROR: Style(color="red"), Severity.WARNING: Style(color="yellow")}


class Console:
    """Prints results, notes and errors: for people, or as one JSON document on stdout.

    ``color`` forces colours on or off; ``None`` leaves it to the terminal and ``NO_COLOR``.
    """

    def __init__(self, *, json: bool = False, color: bool | None = None) -> None:
        self.json = json
        self._out = self._rich(sys.stdout, color)
        self._err = self._rich(sys.stderr, color)

    @staticmethod
    def _rich(stream: Any, color: bool | None) -> RichConsole:
        return RichConsole(
            file=stream,
            force_terminal=color or None,
            no_color=None if color is None else not color,
            highlight=False,
            emoji=False,  # `name:key:` is a text of the user's, no picture
            soft_wrap=True,  # a line stays a line, so that editors and grep find it
        )

    def result(self, text: RenderableType, data: Any) -> None:
        """Print what a command has found out: ``text`` for people, ``data`` as JSON."""
        if self.json:
            self.document(data)
        elif isinstance(text, str):
            self._out.print(text, markup=False)
        elif isinstance(text, Text):
            self._out.print(text)
        else:
            self._out.print(text, soft_wrap=False)

    def document(self, data: Any) -> None:
        """Print a JSON document on stdout."""
        print(json.dumps(data, indent=2), file=self._out.file)

    def findings(self, findings: Iterable[Finding], last: str) -> None:
        """Print each finding in a line of stdout, then the line ``last``.

        Goes past rich, which takes its time over ten thousand lines.
        """
        for finding in findings:
            place, severity, rest = str(finding).partition(f": {finding.severity.value}: ")
            if self._out.color_system and not self._out.no_color:
                severity = _COLORS[finding.severity].render(severity)
            self._out.file.write(f"{place}{severity}{rest}\n")
        self.write(last)

    def note(self, text: str) -> None:
        """Print a line for people, on stderr."""
        self._err.print(text, markup=False)

    def error(self, error: StackcookError) -> None:
        """Print why the command failed, one line for each thing that is wrong."""
        if self.json:
            self.result("", {"error": error_data(error)})
        else:
            self._err.print(str(error), markup=False)

    def write(self, text: str) -> None:
        """Print a line of a result as it is, on stdout."""
        self._out.print(text, markup=False)

    @contextmanager
    def run(self) -> Iterator[Listener]:
        """Show a run while it goes on, with the listener that this yields; then how it ended.

        On a terminal there is one live line a node, elsewhere a line when a step ends.
        """
        board = Board()
        with self._live(board) if self._err.is_terminal else self._plain(board) as listener:
            yield listener
        if problems := board.problems():
            self._err.print(problems)
        if board.done:
            self.result(board.summary(), board.data())

    @contextmanager
    def _plain(self, board: Board) -> Iterator[Listener]:
        lock, over = threading.Lock(), threading.Event()

        def listen(event: Event) -> None:
            with lock:
                if line := board.take(event):
                    self.note(line)

        def remind() -> None:
            while not over.wait(1.0):
                with lock:
                    for line in board.due(time.time()):
                        self.note(line)

        reminder = threading.Thread(target=remind, daemon=True)
        reminder.start()
        try:
            yield listen
        finally:
            over.set()
            reminder.join()

    @contextmanager
    def _live(self, board: Board) -> Iterator[Listener]:
        class View:
            def __rich__(self) -> RenderableType:
                return board.table(time.time())

        def listen(event: Event) -> None:
            line = board.take(event)
            if line and not getattr(event, "node", ""):  # a node's news is in its own line
                self.note(line)

        with Live(View(), console=self._err, refresh_per_second=4):
            yield listen


def error_data(error: StackcookError) -> Mapping[str, Any]:
    """An error as JSON holds it; ``findings`` only for bad input."""
    data: dict[str, Any] = {"exit_code": int(error.exit_code)}
    if isinstance(error, InputError):
        return {**data, "findings": [finding_data(finding) for finding in error.findings]}
    return {**data, "where": error.where, "what": error.what, "remedy": error.remedy}


def finding_data(finding: Finding) -> Mapping[str, Any]:
    """A finding as JSON holds it; ``line`` and ``column`` are null where there is no place."""
    return {
        "path": str(finding.path),
        "line": finding.position.line if finding.position else None,
        "column": finding.position.column if finding.position else None,
        "severity": finding.severity.value,
        "what": finding.what,
        "remedy": finding.remedy,
    }
