"""Files of Chef's Ruby DSL, evaluated by Ruby: one process for all of them."""

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
"""Seconds for all files together; if one of them never ends, as many again for those after it."""

_EVALUATE = Path(__file__).with_name("evaluate.rb")
_SWITCHES = ("--disable=did_you_mean,error_highlight", "-Ku")
_NO_GEMS = "--disable=gems"
"""What of Ruby is left out, because loading it takes longer than all the rest."""

_MESSAGE = re.compile(r".*?:(\d+): (?:syntax error, )?([^\n]*)\n?([^\n]*)\n?([^\n]*)")
# As Ruby says it since 3.4: the line, and marks with the reason below.
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
class Said:
    """What a file says: its fields, and the line of each (``name``, ``dependencies apt``)."""

    values: Mapping[str, Any]
    lines: Mapping[str, int | None]


def evaluate(sources: Sequence[Source]) -> Mapping[Path, Mapping[str, Any] | Finding]:
    """What each file says, by its path: the DSL's values, or what is wrong with the file.

    No source starts no Ruby. Raises UsageError without Ruby.
    """
    return {
        path: said.values if isinstance(said, Said) else said
        for path, said in listen(sources).items()
    }


def listen(sources: Sequence[Source]) -> Mapping[Path, Said | Finding]:
    """As :func:`evaluate`, with the lines on which the files say it."""
    configured = any(source.kind is Kind.CONFIG for source in sources)  # may well use a gem
    wanted = [{"kind": source.kind.value, "path": str(source.path)} for source in sources]
    answers = ask(_EVALUATE, wanted, gems=configured)
    return {source.path: _said(source.path, answer) for source, answer in zip(sources, answers)}


def ask(
    script: Path, wanted: Sequence[Mapping[str, str]], *, gems: bool = False
) -> list[dict[str, Any]]:
    """What ``script`` answers to each that is ``wanted``, a file's ``kind`` and ``path``.

    A file that ends Ruby, or keeps it from ending, is answered by an ``error`` here; those after
    it get a process of their own. Nothing wanted starts no Ruby. Raises UsageError without one that
    runs.
    """
    answers: list[dict[str, Any]] = []
    end = time.monotonic() + 2 * TIMEOUT
    while len(answers) < len(wanted):
        left = end - time.monotonic()
        if left <= 0:
            skipped = {"error": "not looked at, for another file took too long", "line": 1}
            return answers + [skipped] * (len(wanted) - len(answers))
        answers += _run(script, wanted[len(answers) :], gems, min(left, TIMEOUT))
        if len(answers) < len(wanted):
            answers.append({"error": "does not come to an end with this file", "line": 1})
    return answers


def _run(
    script: Path, wanted: Sequence[Mapping[str, str]], gems: bool, timeout: float
) -> list[dict[str, Any]]:
    """The script's answers, as many as it came to give; its first line only says that it runs."""
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
        answered = error.stdout or b"ready\n"  # the first file without an answer is to blame
    lines = answered.split(b"\n")[:-1]  # what follows the last newline is no whole answer
    if not lines:
        raise UsageError(f"{ruby} does not run", remedy=f"`{ruby} --version` may say why")
    return [json.loads(line) for line in lines[1:]]


def version() -> str:
    """Which Ruby it is, in its own words. Raises UsageError without Ruby."""
    return run(Command((str(find_program("ruby")), "--version")), timeout=TIMEOUT).output


def syntax_error(message: str) -> tuple[Position, str]:
    """Place and substance of Ruby's own words for a file's first syntax error."""
    if marked := _MARKED.search(message):
        return Position(int(marked[1]), len(marked[2]) + 1), marked[3]
    match = _MESSAGE.match(message)
    if not match:
        return Position(1, 1), message.split("\n")[0]
    marks = re.search(r"[\^~]", match[4])
    column = marks.start() + 1 if marks and not match[3].startswith("...") else 1
    return Position(int(match[1]), column), match[2]


def _said(path: Path, answer: Mapping[str, Any]) -> Said | Finding:
    if "value" in answer:
        return Said(answer["value"], answer["lines"])
    remedy = "correct the file"
    if answer.get("unknown"):
        remedy = suggestion(answer["unknown"], answer["known"], remedy)
    if "syntax" in answer:
        at, what = syntax_error(answer["syntax"])
    else:
        at, what = Position(answer["line"], 1), answer["error"].replace(f"{path}:", "line ")
    return Finding(path, at, f"Ruby: {what}", remedy)
