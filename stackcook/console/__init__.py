"""The only printer. Results go to stdout, everything else to stderr.

Plain lines go past rich: no command waits for its import to say one.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from stackcook.errors import Finding, InputError, Severity, StackcookError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType

    from stackcook.console.board import Board
    from stackcook.run.events import Event, Listener

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_CONTROLS = dict.fromkeys(map(ord, "\a\b\v\f\r"))
"""What would let a line write over another one, as rich leaves it out."""


class Console:
    """Prints results, notes and errors: for people, or as one JSON document on stdout.

    ``color`` forces colours on or off; ``None`` leaves it to the terminal and ``NO_COLOR``.
    """

    def __init__(self, *, json: bool = False, color: bool | None = None) -> None:
        self.json = json
        self._color = color
        self._stdout = sys.stdout
        self._stderr = sys.stderr
        self._live_view = False

    @cached_property
    def _out(self) -> RichConsole:
        return self._rich(self._stdout)

    @cached_property
    def _err(self) -> RichConsole:
        return self._rich(self._stderr)

    def _rich(self, stream: TextIO) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(
            file=stream,
            force_terminal=self._color or None,
            no_color=None if self._color is None else not self._color,
            highlight=False,
            emoji=False,  # `name:key:` is a text of the user's, no picture
            soft_wrap=True,  # a line stays a line, so that editors and grep find it
        )

    def result(self, text: RenderableType, data: Any) -> None:
        """Print what a command has found out: ``text`` for people, ``data`` as JSON."""
        if self.json:
            self.document(data)
        elif isinstance(text, str):
            self.write(text)
        else:
            from rich.text import Text

            self._out.print(text, soft_wrap=isinstance(text, Text))

    def document(self, data: Any) -> None:
        """Print a JSON document on stdout."""
        print(json.dumps(data, indent=2), file=self._stdout)

    def findings(self, findings: Iterable[Finding], last: str) -> None:
        """Print each finding in a line of stdout, then the line ``last``.

        Goes past rich, which takes its time over ten thousand lines.
        """
        from rich.style import Style

        styles = {}
        if self._out.color_system and not self._out.no_color:
            styles = {severity: Style(color=color) for severity, color in _COLORS.items()}
        for finding in findings:
            place, severity, rest = str(finding).partition(f": {finding.severity.value}: ")
            if style := styles.get(finding.severity):
                severity = style.render(severity)
            self._stdout.write(f"{place}{severity}{rest}\n")
        self.write(last)

    def note(self, text: str) -> None:
        """Print a line for people, on stderr."""
        if self._live_view:
            self._err.print(text, markup=False)  # above the view
        else:
            print(text.translate(_CONTROLS), file=self._stderr, flush=True)

    def error(self, error: StackcookError) -> None:
        """Print why the command failed, one line for each thing that is wrong."""
        if self.json:
            self.document({"error": error_data(error)})
        else:
            self.note(str(error))

    def write(self, text: str) -> None:
        """Print a line of a result as it is, on stdout."""
        print(text.translate(_CONTROLS), file=self._stdout, flush=True)

    @contextmanager
    def run(self) -> Iterator[Listener]:
        """Show a run while it goes on, with the listener that this yields; then how it ended.

        On a terminal there is one live line a node, elsewhere a line when a step ends.
        """
        from stackcook.console.board import Board

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
        from rich.live import Live

        console = self._err

        class View:
            def __rich__(self) -> RenderableType:
                return board.table(time.time(), most=max(2, console.height - 1))

        def listen(event: Event) -> None:
            line = board.take(event)
            if line and not getattr(event, "node", ""):  # a node's news is in its own line
                self.note(line)

        with Live(View(), console=self._err, refresh_per_second=4):
            self._live_view = True
            try:
                yield listen
            finally:
                self._live_view = False


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
