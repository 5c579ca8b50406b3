"""The options of knife's bootstrap that its other commands need: how to log in, and the name."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FLAGS = {
    "-i": ("--identity-file", "--ssh-identity-file"),
    "-G": ("--ssh-gateway",),
    "-P": ("--ssh-password", "--connection-password"),
    "-p": ("--ssh-port", "--connection-port"),
    "-x": ("--ssh-user", "--connection-user", "-U"),
    "-E": ("--environment",),
    "-N": ("--node-name",),
    "--sudo": (),
    "--no-host-key-verify": (),
}
_SHORT = {spelling: flag for flag, others in _FLAGS.items() for spelling in (flag, *others)}
_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
_FLAG = re.compile(r"(--[\w-]+)(?:=(.*))?|(-\w)(.*)", re.DOTALL)


def known(options: str) -> Iterator[tuple[str, str]]:
    """Each option that matters here, in its short spelling, and its value as written.

    Values keep their quotes; ``--sudo`` and ``--no-host-key-verify`` have none.
    """
    words = iter(_WORD.findall(options))
    for word in words:
        match = _FLAG.fullmatch(word)
        flag = _SHORT.get(match[1] or match[3]) if match else None
        if match and flag:
            takes_value = not flag.startswith("--")
            yield flag, (match[2] or match[4] or next(words, "")) if takes_value else ""


def value(options: str, wanted: str) -> str:
    """The value of the last ``wanted``, which counts for knife; empty if there is none."""
    return next((value for flag, value in [*known(options)][::-1] if flag == wanted), "")
