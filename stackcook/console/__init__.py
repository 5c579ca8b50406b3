"""All output. Results go to stdout, everything else to stderr.

With ``--json`` stdout gets one document when the command ends, see ``output.schema.json``.

Plain lines do not use rich: importing it takes time.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

from stackcook.console.hints import named, named_text, program
from stackcook.console.wrap import columns, wrapped, wrapped_text
from stackcook.errors import Finding, InputError, Severity, StackcookError, UsageError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType

    from stackcook.console.board import Board
    from stackcook.run.events import Event, Listener
    from stackcook.run.forecast import Past

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
VERSION = 1
"""Of the JSON output; changed when a field is removed, or means something else."""

_CONTROLS = dict.fromkeys(map(ord, "\a\b\v\f\r"))
"""Control characters that could overwrite other lines; rich removes the same ones."""


class _Forgiving:
    """A stream for progress and messages: what cannot be written there is dropped.

    The work must not stop because a disk is full, or because the program that reads the messages
    has ended, and there is no other place for an error message.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Console:
    """Prints results, notes and errors: for people, or as one JSON document on stdout.

    ``color`` forces colours on or off; ``None`` leaves it to the terminal and ``NO_COLOR``.
    ``options`` chose the cloud; a command that works on another one replaces them. They are added
    to each `` `stackcook COMMAND` `` that is printed for people, and in the remedies of JSON.
    """

    def __init__(
        self, *, json: bool = False, color: bool | None = None, options: Sequence[str] = ()
    ) -> None:
        self.json = json
        self.options = options
        self._color = color
        self._stdout = sys.stdout
        self._stderr = cast(TextIO, _Forgiving(sys.stderr))
        self._live_view = False
        self._data: Any = None
        self._errors: list[Mapping[str, Any]] = []

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
            emoji=False,  # `name:key:` in a user's text is no emoji
            soft_wrap=True,  # do not wrap lines, so that editors and grep find them
        )

    @property
    def width(self) -> int:
        """Columns of the terminal; elsewhere ``COLUMNS`` of the environment, or 80."""
        return self._out.width

    def result(self, text: RenderableType, data: Any) -> None:
        """Print the result of a command as ``text``; :meth:`finish` prints ``data`` as JSON."""
        if self.json:
            self._data = data
        elif isinstance(text, str):
            self.write(text)
        else:
            from rich.text import Text

            if isinstance(text, Text):
                text = named_text(text, self.options)
            self._out.print(text, soft_wrap=isinstance(text, Text))

    def take_data(self) -> Any:
        """The data of the last result, for the command to combine; None without ``--json``."""
        data, self._data = self._data, None
        return data

    def finish(self, command: str, exit_code: int) -> None:
        """With ``--json``, print the document: the command's data, and why it failed, if it did."""
        if self.json:
            self.document(
                {
                    "version": VERSION,
                    "command": command or None,
                    "exit_code": int(exit_code),
                    "data": self._data,
                    "errors": self._errors,
                }
            )

    def document(self, data: Any) -> None:
        """Print a JSON document in a format of its own on stdout, in ASCII."""
        with _explained():
            print(json.dumps(data, indent=2), file=self._stdout, flush=True)

    def findings(self, findings: Iterable[Finding], last: str) -> None:
        """Print one line per finding, then ``last``. Without rich, which is slow for many lines."""
        from rich.style import Style

        styles = {}
        if self._out.color_system and not self._out.no_color:
            styles = {severity: Style(color=color) for severity, color in _COLORS.items()}
        width = columns(self._stdout)
        for finding in findings:
            severity = finding.severity.value
            line = wrapped(self.named(str(finding)), width)
            if style := styles.get(finding.severity):
                place, word, rest = re.split(rf"(:\s+{severity}:\s)", line, maxsplit=1)
                line = f"{place}{style.render(word)}{rest}"
            with _explained():
                self._stdout.write(f"{line}\n")
        self.write(last)

    def note(self, text: str) -> None:
        """Print a line on stderr; on a terminal, broken only between words."""
        text = wrapped(self.named(text), columns(self._stderr))
        if self._live_view:
            self._err.print(text, markup=False)  # above the view
        else:
            print(text.translate(_CONTROLS), file=self._stderr, flush=True)

    def error(self, error: StackcookError) -> None:
        """Print why the command failed, one line per problem; :meth:`finish` prints it as JSON."""
        if self.json:
            for found in errors_data(error):
                remedy = found["remedy"] and self.named(found["remedy"])
                self._errors.append({**found, "remedy": remedy})
        else:
            self.note(str(error))

    def named(self, text: str) -> str:
        """The text, with the options that chose the cloud in each `` `stackcook COMMAND` ``."""
        return named(text, self.options)

    def write(self, text: str) -> None:
        """Print a line of a result on stdout."""
        with _explained():
            print(text.translate(_CONTROLS), file=self._stdout, flush=True)

    @contextmanager
    def run(self, past: Iterable[Past] = (), *, again: str = "") -> Iterator[Listener]:
        """Show the events that the yielded listener gets, and finally a summary.

        A terminal has one live line per node, and the time left if one of the ``past`` runs had the
        same steps; otherwise each finished step prints a line. ``again`` is what to run after a
        failure, if it is not the command of the run.
        """
        from stackcook.console.board import Board
        from stackcook.run.forecast import Forecast

        board = Board(Forecast(past), program(self.options), again)
        try:
            with self._live(board) if self._err.is_terminal else self._plain(board) as listener:
                yield listener
        except KeyboardInterrupt:
            self._end(board)
            raise
        self._end(board)

    def _end(self, board: Board) -> None:
        if problems := board.problems():
            problems = named_text(problems, self.options)
            self._err.print(wrapped_text(problems, columns(self._stderr)))
        if board.done:
            summary = wrapped_text(board.summary(), columns(self._stdout))
            self.result(summary, board.data())

    @contextmanager
    def live(self, view: Callable[[], RenderableType]) -> Iterator[None]:
        """On a terminal, show meanwhile what ``view`` returns, four times a second."""
        if not self._err.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(get_renderable=view, console=self._err, refresh_per_second=4, transient=True):
            self._live_view = True
            try:
                yield
            finally:
                self._live_view = False

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
            if line and not getattr(event, "node", ""):  # events of a node are shown in its row
                self.note(line)

        with Live(View(), console=self._err, refresh_per_second=4) as live:
            self._live_view = True
            try:
                yield listen
            except KeyboardInterrupt:
                live.transient = True  # the summary says what the rows can't: they did not end
                raise
            finally:
                self._live_view = False


def errors_data(error: StackcookError) -> list[Mapping[str, Any]]:
    """An error as data for JSON: one for each finding of invalid input, else one."""
    if isinstance(error, InputError):
        return [finding_data(finding) for finding in error.findings]
    return [problem(error.what, error.remedy, where=error.where)]


def finding_data(finding: Finding) -> Mapping[str, Any]:
    """A finding as data for JSON."""
    at = finding.position
    return problem(
        finding.what,
        finding.remedy,
        where=str(finding.path),
        line=at.line if at else None,
        column=at.column if at else None,
        severity=finding.severity,
    )


def problem(
    what: str,
    remedy: str,
    *,
    where: str = "",
    line: int | None = None,
    column: int | None = None,
    severity: Severity = Severity.ERROR,
) -> Mapping[str, Any]:
    """An error or a finding as data for JSON; null for what is unknown."""
    return {
        "where": where or None,
        "line": line,
        "column": column,
        "severity": severity.value,
        "what": what,
        "remedy": remedy or None,
    }


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors of writing to stdout into UsageError; a closed pipe is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"the output cannot be written ({error.strerror or error})"
        remedy = "free some space, or write it to another file"
        raise UsageError(what, remedy=remedy) from error
