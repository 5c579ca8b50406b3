"""Logging: to ``.stackcook/logs/stackcook.log`` and, with ``-v``, to stderr; without secrets."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from stackcook.files import private_directory
from stackcook.redact import Redactor

MAX_BYTES = 10 << 20
BACKUPS = 3
"""Files of ``MAX_BYTES`` that are kept beside the current one."""

SHOWN = 200
"""Characters of a command that are logged."""

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Formatter(logging.Formatter):
    """A redacted line, with a time in UTC."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self._redact = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class _File(RotatingFileHandler):
    """Written only once the deployment's directory exists; mode 0600, also after a rotation."""

    def __init__(self, path: Path, note: Callable[[str], None]) -> None:
        super().__init__(
            path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True
        )
        self._path = path
        self._note = note
        self.rotator = self._rotate
        self.addFilter(lambda record: self.stream is not None or path.parent.parent.is_dir())

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is None:
            try:
                private_directory(self._path.parent)
                _create(self._path)
            except OSError:
                self.handleError(record)
                return
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Stop writing the file, with one warning; the command continues without it."""
        logging.getLogger("stackcook").removeHandler(self)
        self._note(f"{self._path}: warning: cannot write the log ({sys.exc_info()[1]})")

    @staticmethod
    def _rotate(source: str, target: str) -> None:
        os.replace(source, target)
        _create(Path(source))


class _People(logging.Handler):
    """Prints each record with ``note``; a warning says itself that it is one."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note
        self._warning = _Formatter("%(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        self._note(self._warning.format(record) if is_warning else self.format(record))


def start(state: Path, verbosity: int, note: Callable[[str], None]) -> Callable[[], None]:
    """Log to ``state``/logs/stackcook.log, and to ``note`` by the number of ``-v``.

    Nothing is written while ``state`` does not exist. Returns a function that ends the logging.
    """
    logger = logging.getLogger("stackcook")
    file, people = _File(state / "logs" / "stackcook.log", note), _People(note)
    file.setFormatter(_Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    people.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    people.setLevel(_LEVELS[min(verbosity, 2)])
    before = logger.level
    logger.setLevel(logging.DEBUG)
    handlers = (file, people)
    for handler in handlers:
        logger.addHandler(handler)

    def stop() -> None:
        logger.setLevel(before)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()

    return stop


def shown(command: str) -> str:
    """A command line for a log: on one line, shortened, without secrets."""
    text = " ".join(Redactor().command(command).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
