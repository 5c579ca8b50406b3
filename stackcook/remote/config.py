"""OpenSSH's client configuration, of the user and of the system, as ssh itself reads it."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.command import Command, find_program, run
from stackcook.errors import UsageError

SYSTEM = Path("/etc/ssh/ssh_config")

TIMEOUT = 60.0
"""Seconds for ssh, which may run commands of ``Match exec`` and resolve names."""

_AT_LINE = re.compile(r"(.+?):? line (\d+): (.+)")

Settings = Mapping[str, Sequence[str]]
"""Keyword in lower case → its values: one each time that it is printed."""


@dataclass(frozen=True)
class Config:
    """The configuration of the user whose directory is ``home``, and of the system."""

    home: Path = field(default_factory=lambda: Path("~").expanduser())
    system: Path = SYSTEM
    _found: dict[tuple[str, ...], Settings] = field(default_factory=dict, init=False, compare=False)
    """What was looked up already: ssh takes 30 ms of CPU each time."""

    @property
    def file(self) -> Path:
        """The user's own."""
        return self.home / ".ssh" / "config"

    def lookup(self, name: str, options: Mapping[str, object], default_user: str = "") -> Settings:
        """All that ``ssh -o OPTION=VALUE… NAME`` would use, also what ssh has by default.

        Files are named by paths that may begin with ``~``. ``default_user`` is for hosts whose user
        the configuration leaves open. Raises UsageError with ssh's message.
        """
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        asked = (default_user, *words, "--", name)
        if asked not in self._found:
            self._found[asked] = self._ask(*asked)
        return self._found[asked]

    def _ask(self, default_user: str, *arguments: str) -> Settings:
        with tempfile.NamedTemporaryFile("w", prefix="stackcook-ssh-") as file:
            file.write(self._text(default_user))
            file.flush()
            argv = (str(find_program("ssh")), "-G", "-T", "-F", file.name, *arguments)
            done = run(Command(argv, apart=True), timeout=TIMEOUT)
        if done.status:
            said = done.errors.strip().partition("\n")[0]
            at = _AT_LINE.match(said)
            where, what = (f"{at[1]}:{at[2]}", at[3]) if at else (str(self.file), said)
            remedy = f"correct it; `ssh -G {shlex.quote(arguments[-1])}` checks it"
            raise UsageError(what.rstrip("."), where=where, remedy=remedy)
        found: dict[str, list[str]] = {}
        for line in done.output.splitlines():
            keyword, _, value = line.partition(" ")
            found.setdefault(keyword, []).append(value)
        return found

    def _text(self, default_user: str) -> str:
        """A file that includes both and ends with our defaults: ssh takes the first value.

        So a ``User`` in a block ``Match final``, which ssh reads last, does not count.
        """
        lines = [f'Include "{self.file}"', f'Include "{self.system}"']
        names = (f'"{self.file.with_name(name)}"' for name in ("known_hosts", "known_hosts2"))
        lines.append(f"UserKnownHostsFile {' '.join(names)}")
        lines += [f'User "{default_user}"'] if default_user else []
        return "".join(f"{line}\n" for line in lines)
