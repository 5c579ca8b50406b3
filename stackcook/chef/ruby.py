"""Files of Chef's Ruby DSL, evaluated by Ruby: one process for all of them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from stackcook.command import find_program
from stackcook.errors import Finding, InputError, Position

TIMEOUT = 30.0
"""Seconds for all files together."""

_EVALUATE = Path(__file__).with_name("evaluate.rb")
_SWITCHES = ("--disable=did_you_mean,error_highlight", "-Ku")
_NO_GEMS = "--disable=gems"
"""What of Ruby is left out, because loading it takes longer than all the rest."""


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


def evaluate(sources: Sequence[Source]) -> Mapping[Path, Mapping[str, Any] | Finding]:
    """What each file says, by its path: the DSL's values, or what is wrong with the file.

    No source starts no Ruby. Raises UsageError without Ruby, InputError if the files never end.
    """
    if not sources:
        return {}
    results = _run(sources)
    if results is None:
        raise InputError([_stuck(sources)])
    return {
        source.path: _finding(source.path, result) if "error" in result else result["value"]
        for source, result in zip(sources, results)
    }


def _run(sources: Sequence[Source]) -> list[dict[str, Any]] | None:
    """What evaluate.rb answers; ``None`` if one of the files ended it, or kept it from ending."""
    ruby = find_program("ruby")
    files = [{"kind": source.kind.value, "path": str(source.path)} for source in sources]
    configured = any(source.kind is Kind.CONFIG for source in sources)  # may well use a gem
    switches = _SWITCHES if configured else (*_SWITCHES, _NO_GEMS)
    environment = {k: v for k, v in os.environ.items() if k not in ("RUBYOPT", "RUBYLIB")}
    with tempfile.TemporaryFile() as answer:
        descriptor = answer.fileno()
        try:
            subprocess.run(
                (str(ruby), *switches, str(_EVALUATE), str(descriptor)),
                input=json.dumps(files).encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=(descriptor,),
                timeout=TIMEOUT,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            return None
        answer.seek(0)
        answers: list[dict[str, Any]] = json.loads(answer.read())
        return answers


def _finding(path: Path, result: Mapping[str, Any]) -> Finding:
    what = str(result["error"]).replace(f"{path}:", "line ")
    return Finding(path, Position(result["line"], 1), f"Ruby: {what}", "correct the file")


def _stuck(sources: Sequence[Source]) -> Finding:
    names = ", ".join(source.path.name for source in sources)
    return Finding(
        sources[0].path,
        None,
        f"Ruby did not come to an end with these {len(sources)} files: {names}",
        "look for a loop in them",
    )
