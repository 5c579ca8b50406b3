"""Commands in messages get the options that chose the cloud: pasted, they work on the same one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_OF_NO_CLOUD = "doctor|down|help|init|ps|setup"
"""Commands that read no manifest."""

_COMMAND = re.compile(rf"`stackcook (?!(?:{_OF_NO_CLOUD})\b)(?=[a-z])")
"""The begin of a command that names no cloud yet."""


def program(options: Sequence[str]) -> str:
    """``stackcook``, or such as ``stackcook --cloud ci-42``."""
    return shlex.join(("stackcook", *options))


def named(text: str, options: Sequence[str]) -> str:
    """``text`` with the options in each `` `stackcook COMMAND` ``."""
    return _COMMAND.sub(lambda _: f"`{program(options)} ", text)


def named_text(text: Text, options: Sequence[str]) -> Text:
    """The same for a text with styles."""
    parts: list[Text] = []
    begin = 0
    for match in _COMMAND.finditer(text.plain) if options else ():
        blank = text[match.end() - 1]
        more = blank.blank_copy(f"{shlex.join(options)} ")
        more.spans = [span._replace(end=len(more)) for span in blank.spans]
        parts += [text[begin : match.end()], more]
        begin = match.end()
    return text.blank_copy().join((*parts, text[begin:]))
