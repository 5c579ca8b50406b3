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
from stackcook.command import Command, Completed, find_program, run
from stackcook.errors import Finding, Position, UsageError

TIMEOUT = 30.0
"""Seconds for all files together; if a file exceeds it, the files after it get as many again."""

KNIFE_TIMEOUT = 120.0
"""The same if knife evaluates them, which loads all of Chef first."""

_EVALUATE = Path(__file__).with_name("evaluate.rb")
_SWITCHES = ("--disable=did_you_mean,error_highlight", "-Ku")
_NO_GEMS = "--disable=gems"
"""Parts of Ruby that are not loaded, because loading them takes longer than all the rest."""

_CHEF = re.compile(
    r"\b(Chef|Gem|Mixlib|Ohai)::|\bdefined\?\W*(Chef|Gem|Ohai)\b|\brequire\W+(chef|mixlib|ohai)\b"
)
"""A file that uses Chef's own Ruby, or asks whether it is loaded."""

_SETTING = re.compile(r"\bChef::Config(\[[^\]]+\]|\.\w+)\s*=(?![=~])")
"""What a configuration may do without it."""

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


def evaluate(sources: Sequence[Source], root: Path) -> Mapping[Path, Evaluated | Finding]:
    """What each file sets, by path, or the finding if it can't be evaluated.

    Files that use Chef's own Ruby, such as ``Chef::VERSION``, are evaluated again by knife, which
    takes seconds. ``root`` is the directory in which people run knife. Raises UsageError if there
    are sources but no Ruby.
    """
    configured = any(source.kind is Kind.CONFIG for source in sources)  # which may use a gem
    wanted = [{"kind": each.kind.value, "path": str(each.path.absolute())} for each in sources]
    answers = ask(_EVALUATE, wanted, gems=configured, root=root)
    needing = [number for number, each in enumerate(sources) if _uses_chef(each, answers[number])]
    # All files of a configuration set the same things.
    again = range(len(sources)) if needing and configured else needing
    try:
        better = _ask_chef([wanted[number] for number in again], configured, root)
        for number, answer in zip(again, better):
            answers[number] = answer
    except UsageError as error:
        for number in needing:
            remedy = f"it uses Chef's own Ruby, but {error.what}: {error.remedy}"
            answers[number]["remedy"] = remedy
    return {source.path: _result(source.path, answer) for source, answer in zip(sources, answers)}


def _uses_chef(source: Source, answer: Mapping[str, Any]) -> bool:
    if "syntax" in answer:
        return False
    if answer.get("chef"):
        return True
    try:
        text = source.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return bool(_CHEF.search(_SETTING.sub("", text) if source.kind is Kind.CONFIG else text))


def _ask_chef(
    wanted: Sequence[Mapping[str, str]], configured: bool, root: Path
) -> list[dict[str, Any]]:
    """The answers of ``evaluate.rb`` in a process that has loaded Chef.

    As with knife, the user's configuration counts in all files but the configuration itself,
    unless it is broken. Raises UsageError if knife does not run.
    """
    if not wanted:
        return []
    knife = find_program("knife")
    script = str(_EVALUATE).replace("\\", r"\\").replace("'", r"\'")
    argv = (str(knife), "exec", "-E", f"load '{script}'")
    without = (*argv, "-c", os.devnull)
    if configured:
        return _ask(without, wanted, root, KNIFE_TIMEOUT)
    try:
        return _ask(argv, wanted, root, KNIFE_TIMEOUT)
    except UsageError:
        return _ask(without, wanted, root, KNIFE_TIMEOUT)


def ask(
    script: Path,
    wanted: Sequence[Mapping[str, str]],
    *,
    gems: bool = False,
    root: Path | None = None,
) -> list[dict[str, Any]]:
    """The answers of ``script`` for each file in ``wanted``, given as ``kind`` and ``path``.

    For a file that ends Ruby or exceeds the time limit the answer is an ``error``; the files after
    it are evaluated by a new process, in the directory ``root``. Raises UsageError if files are
    wanted and Ruby does not run.
    """
    if not wanted:
        return []
    switches = _SWITCHES if gems else (*_SWITCHES, _NO_GEMS)
    return _ask((str(find_program("ruby")), *switches, str(script)), wanted, root, TIMEOUT)


def _ask(
    argv: Sequence[str], wanted: Sequence[Mapping[str, str]], root: Path | None, timeout: float
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    end = time.monotonic() + 2 * timeout
    while len(answers) < len(wanted):
        left = end - time.monotonic()
        if left <= 0:
            skipped = {"error": "not evaluated because another file took too long", "line": 1}
            return answers + [skipped] * (len(wanted) - len(answers))
        answers += _run(argv, wanted[len(answers) :], root, min(left, timeout))
        if len(answers) < len(wanted):
            answers.append({"error": "evaluation of this file did not finish", "line": 1})
    return answers


def _run(
    argv: Sequence[str], wanted: Sequence[Mapping[str, str]], root: Path | None, timeout: float
) -> list[dict[str, Any]]:
    """The program's answers until it ended; the line before them only says that it runs."""
    env = {k: v for k, v in os.environ.items() if k not in ("RUBYOPT", "RUBYLIB")}
    try:
        answered = subprocess.run(
            argv,
            input=json.dumps(wanted).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env=env | ({"PWD": str(root)} if root else {}),  # knife looks at PWD
            timeout=timeout,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as error:
        answered = error.stdout or b"ready\n"  # the first file without an answer is the cause
    lines = answered.split(b"\n")[:-1]  # text after the last newline is an incomplete answer
    if b"ready" not in lines:
        remedy = f"check that `{argv[0]} --version` works"
        raise UsageError(f"cannot run {argv[0]}", remedy=remedy)
    try:
        return [json.loads(line) for line in lines[lines.index(b"ready") + 1 :]]
    except ValueError as error:
        quoted = Completed(0, answered.decode(errors="replace")).quoted
        what = f"cannot read the output of {argv[0]} ({quoted})"
        raise UsageError(what, remedy=f"run `{argv[0]} --version` to see if it works") from error


def version() -> str:
    """The output of ``ruby --version``. Raises UsageError without Ruby."""
    command = Command((str(find_program("ruby")), "--version"), apart=True)
    return run(command, timeout=TIMEOUT).output


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
    if "file" in answer:  # another one, which this one reads
        at = Position(answer["line"], answer["column"])
        return Finding(Path(answer["file"]), at, answer["error"], "save it as UTF-8")
    remedy = answer.get("remedy", "correct the file")
    if answer.get("unknown") and "remedy" not in answer:
        remedy = suggestion(answer["unknown"], answer["known"], remedy)
    if "syntax" in answer:
        at, what = syntax_error(answer["syntax"])
    else:
        at = Position(answer["line"], 1)
        what = answer["error"].replace(f"{path.absolute()}:", "line ")
    return Finding(path, at, f"Ruby: {what}", remedy)
