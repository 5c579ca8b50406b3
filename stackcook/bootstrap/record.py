"""Records the state of a host before the first change, and gives the host back by this record.

The record is on the host, and a copy of it in ``.stackcook/hosts/NODE.tar.gz`` on this machine. It
has an archive of ``/etc``, so both are readable for their owner only.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackcook.bootstrap.onnode import NodeTask
from stackcook.errors import NodeError
from stackcook.files import private_directory, replacing
from stackcook.remote.base import as_root

_HERE = Path(__file__).parent

_GZIP = b"\x1f\x8b"
"""How a file of gzip begins (RFC 1952)."""


@dataclass(frozen=True)
class Keep:
    """What stays on hosts that are given back."""

    data: bool = False
    packages: bool = False


@dataclass(frozen=True)
class GivenBack:
    """What the host said: what stays there by intention, and what could not be removed."""

    kept: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join(("given back", *(f"kept {what}" for what in self.kept)))


def path_of(state: Path, node: str) -> Path:
    """The copy of a node's record on this machine."""
    return state / "hosts" / f"{node}.tar.gz"


def record(task: NodeTask) -> str:
    """Record the host's state, unless it is recorded; keep a copy on this machine.

    Raises NodeError if the host can't be recorded, or has not answered with its record.
    """
    script = f"{_script('state')}{_script('record')}"
    done = task.run_script(script, lambda _: None, apart=True)
    lines = done.output.splitlines()
    if done.status or not lines:
        why = done.last if done.output or done.errors else f"status {done.status}"
        remedy = "it needs tar, gzip and find, and room in /var/lib"
        raise NodeError(
            f"the host's state cannot be recorded ({why})", where=task.node.name, remedy=remedy
        )
    said, *archive = lines
    if archive:
        try:
            data = base64.b64decode("".join(archive), validate=True)
        except binascii.Error:
            data = b""
        if not data.startswith(_GZIP):
            what = f"the host's record cannot be read ({lines[0][:80]})"
            remedy = "remove what prints text at a login there, such as a line of ~/.bashrc"
            raise NodeError(what, where=task.node.name, remedy=remedy)
        path = path_of(task.context.state, task.node.name)
        private_directory(path.parent)
        with replacing(path) as file:
            file.write(data)
    return said


def note_changes(task: NodeTask, moment: str) -> None:
    """Note at the ``begin`` and ``end`` of a step what it changes; see changes.sh.

    Raises NodeError if that fails: what it has changed could not be removed later.
    """
    with task.context.open(task.host) as remote:
        done = as_root(remote, f"set -e\n{notes(moment)}", timeout=60)
    if done.status:
        what = f"what the step changes cannot be noted ({done.last})"
        raise NodeError(what, where=task.node.name, remedy="it needs room in /var/lib/stackcook")


def notes(arguments: str) -> str:
    """The shell commands that call ``note`` of changes.sh."""
    return f"{_script('state')}{_script('changes')}note {arguments}"


def give_back(task: NodeTask, units: Sequence[str], keep: Keep) -> str:
    """Remove what came after the record and restore ``/etc``; says what stays.

    ``units`` are those of the cloud, for a host without a record. Raises NodeError that lists what
    could not be removed; the record stays then, for a second try.
    """
    path = path_of(task.context.state, task.node.name)
    lines: list[str] = []

    def read(line: str) -> None:
        lines.append(line)
        task.say(line)

    archive = path.read_bytes() if path.exists() else b""
    place = (task.context.server.url, task.node.name)
    done = task.run_script(script(place, units, keep, archive), read)
    found = result(lines)
    errors = found.errors
    if done.status:
        errors = (*errors, f"the script ended with status {done.status} ({done.last})")
    if errors:
        remedy = f"run `stackcook logs {task.node.name} --failed`; correct it, then try again"
        raise NodeError("; ".join(errors), where=task.node.name, remedy=remedy)
    path.unlink(missing_ok=True)
    return str(found)


def script(place: tuple[str, str], units: Sequence[str], keep: Keep, archive: bytes) -> str:
    """The shell script; ``archive`` is put back where the host has lost its record.

    ``place`` is the URL of the Chef server, and the node's name there: a host that belongs to
    another one is not touched.
    """
    lines = [
        f"server={shlex.quote(place[0])} node={shlex.quote(place[1])}",
        f"units={shlex.quote(' '.join(units))}",
        f"keep_data={'1' if keep.data else ''} keep_packages={'1' if keep.packages else ''}",
        _script("state"),
        f"{_script('changes')}note end",
    ]
    if archive:
        text = base64.encodebytes(archive).decode()
        lines += [
            "if ! test -d $record && test -e /etc/chef/stackcook.json; then",
            "mkdir -p -m 700 $home && base64 -d <<'ARCHIVE' | tar -C $home -xz",
            f"{text}ARCHIVE",
            "fi",
        ]
    return "\n".join((*lines, _script("giveback")))


def result(lines: Sequence[str]) -> GivenBack:
    """What the script's output says."""

    def after(prefix: str) -> tuple[str, ...]:
        return tuple(line.removeprefix(prefix) for line in lines if line.startswith(prefix))

    return GivenBack(after("kept: "), after("error: "))


def _script(name: str) -> str:
    return (_HERE / f"{name}.sh").read_text()
