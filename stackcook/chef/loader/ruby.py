"""Files in Chef's Ruby DSL, evaluated by Ruby: one process for all of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from stackcook.chef.loader.findings import suggestion
from stackcook.command import Command, find_program, run
from stackcook.errors import Finding, Position, UsageError

TIMEOUT = 30.0
"""Seconds for all files together; if a file exceeds it, the files after it get as many again."""

_EVALUATE = Path(__file__).with_name("evaluate.rb")
_SWITCHES = ("--disable=did_you_mean,error_highlight", "-Ku")
_NO_GEMS = "--disable=gems"
"""Parts of Ruby that are not loaded, because loading them takes longer than all the rest."""

_MESSAGE = re.compile(r".*?:(\d+): (?:syntax error, )?([^\n]*)\n?([^\n]*)\n?([^\n]*)")
# The format since Ruby 3.4: the line, with markers and the reason below.
_MARKED = re.compile(r"^> *(\d+) \|[^\n]*\n *\| ( *)[\^~]+ ([^\n]*)", re.MULTILINE)


class Kind(Enum):
    """Which DSL a file is written in."""

    METADATA = "metadata"
    ROLE = "role"
    ENVIRONMENT = "environment"
    CONFIG = "config"


@dataclass(frozen=True)
class Source:
    """A Ruby file to evaluate."""

    kind: Kind
    path: Path


@dataclass(frozen=True)
class Evaluated:
    """The fields that a file sets, and the line of each (``name``, ``dependencies apt``)."""

    values: Mapping[str, Any]
    lines: Mapping[str, int | None]


def evaluate(sources: Sequence[Source]) -> Mapping[Path, Evaluated | Finding]:
    """What each file sets, by path, or the finding if it can't be evaluated.

    Raises UsageError if there are sources but no Ruby.
    """
    configured = any(source.kind is Kind.CONFIG for source in sources)  # which may use a gem
    wanted = [{"kind": source.kind.value, "path": str(source.path)} for source in sources]
    answers = ask(_EVALUATE, wanted, gems=configured)
    return {source.path: _result(source.path, answer) for source, answer in zip(sources, answers)}


def ask(
    script: Path, wanted: Sequence[Mapping[str, str]], *, gems: bool = False
) -> list[dict[str, Any]]:
    """The answers of ``script`` for each file in ``wanted``, given as ``kind`` and ``path``.

    For a file that ends Ruby or exceeds the time limit the answer is an ``error``; the files after
    it are evaluated by a new process. Raises UsageError if files are wanted and Ruby does not run.
    """
    answers: list[dict[str, Any]] = []
    end = time.monotonic() + 2 * TIMEOUT
    while len(answers) < len(wanted):
        left = end - time.monotonic()
        if left <= 0:
            skipped = {"error": "not evaluated because another file took too long", "line": 1}
            return answers + [skipped] * (len(wanted) - len(answers))
        answers += _run(script, wanted[len(answers) :], gems, min(left, TIMEOUT))
        if len(answers) < len(wanted):
            answers.append({"error": "evaluation of this file did not finish", "line": 1})
    return answers


def _run(
    script: Path, wanted: Sequence[Mapping[str, str]], gems: bool, timeout: float
) -> list[dict[str, Any]]:
    """The script's answers until it ended; its first line only says that it runs."""
    ruby = find_program("ruby")
    switches = _SWITCHES if gems else (*_SWITCHES, _NO_GEMS)
    try:
        answered = subprocess.run(
            (str(ruby), *switches, str(script)),
            input=json.dumps(wanted).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k not in ("RUBYOPT", "RUBYLIB")},
            timeout=timeout,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as error:
        answered = error.stdout or b"ready\n"  # the first file without an answer is the cause
    lines = answered.split(b"\n")[:-1]  # text after the last newline is an incomplete answer
    if not lines:
        raise UsageError(f"cannot run {ruby}", remedy=f"check that `{ruby} --version` works")
    return [json.loads(line) for line in lines[1:]]


def version() -> str:
    """The output of ``ruby --version``. Raises UsageError without Ruby."""
    return run(Command((str(find_program("ruby")), "--version")), timeout=TIMEOUT).output


def syntax_error(message: str) -> tuple[Position, str]:
    """Position and text of the first syntax error in Ruby's ``message``."""
    if marked := _MARKED.search(message):
        return Position(int(marked[1]), len(marked[2]) + 1), marked[3]
    match = _MESSAGE.match(message)
    if not match:
        return Position(1, 1), message.split("\n")[0]
    marks = re.search(r"[\^~]", match[4])
    column = marks.start() + 1 if marks and not match[3].startswith("...") else 1
    return Position(int(match[1]), column), match[2]


def _result(path: Path, answer: Mapping[str, Any]) -> Evaluated | Finding:
    if "value" in answer:
        return Evaluated(answer["value"], answer["lines"])
    remedy = "correct the file"
    if answer.get("unknown"):
        remedy = suggestion(answer["unknown"], answer["known"], remedy)
    if "syntax" in answer:
        at, what = syntax_error(answer["syntax"])
    else:
        at, what = Position(answer["line"], 1), answer["error"].replace(f"{path}:", "line ")
    return Finding(path, at, f"Ruby: {what}", remedy)
