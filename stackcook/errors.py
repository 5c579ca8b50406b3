"""The error tree, the findings and the exit codes.

Every expected failure is a :class:`StackcookError`: one line that says where it happened, what
happened and what to do. Anything else that reaches ``cli`` is an internal error, the only one that
shows a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import NamedTuple


class ExitCode(IntEnum):
    """What the process's exit status means; the numbers are part of the interface."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INPUT = 3
    NODES = 4
    VERIFY = 5
    CHEF_SERVER = 6
    MACHINES = 7
    WITHIN_BUDGET = 8
    INTERRUPTED = 130


class Severity(Enum):
    """How bad a finding is; only errors make ``check`` fail."""

    ERROR = "error"
    WARNING = "warning"


class Position(NamedTuple):
    """A place in a text: line and column, both counted from 1.

    ``path`` is the file if it isn't the one that is being read. A tuple, as a large manifest has a
    hundred thousand of them.
    """

    line: int
    column: int
    path: Path | None = None


MOST_ERRORS = 3
"""How many failed steps the message of a RunError names."""


@dataclass(frozen=True)
class Finding:
    """A problem of the input: where it is, what it is, and how to fix it.

    ``needed_by`` is for a warning about what this machine lacks, such as an SSH key: for these
    commands it is an error. ``optional_for`` is for an error about a file that is missing: for
    these commands it is a warning.
    """

    path: Path
    position: Position | None
    what: str
    remedy: str
    severity: Severity = Severity.ERROR
    needed_by: tuple[str, ...] = ()
    optional_for: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``file:line:column: severity: what; remedy``, one line that editors jump to.

        The path is shown relative to the current directory when it lies below it.
        """
        here = Path.cwd()
        where = str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)
        if self.position:
            where += f":{self.position.line}:{self.position.column}"
        return one_line(f"{where}: {self.severity.value}: {self.what}; {self.remedy}")


def one_line(text: str) -> str:
    """The text as one line of a message: white space collapsed, unprintable characters as ``?``."""
    folded = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in folded)


def counted(number: int, noun: str) -> str:
    """``1 node``, ``2 nodes``, ``10,000 nodes``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


class StackcookError(Exception):
    """An expected failure.

    ``where`` is a node, a file or a URL; ``what`` says what went wrong with its cause; ``remedy``
    is what to do about it. ``str()`` gives all three as one line. ``transient`` says that the same
    work may succeed if it is tried again.
    """

    exit_code = ExitCode.BUG
    transient = False

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.where = where
        self.what = what
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        line = f"{line}; {self.remedy}" if self.remedy else line
        return one_line(line)


class UsageError(StackcookError):
    """A command that can't be carried out as it was given (or while another one runs)."""

    exit_code = ExitCode.USAGE


class Interrupted(StackcookError):
    """The user pressed Ctrl-C."""

    exit_code = ExitCode.INTERRUPTED


class InputError(StackcookError):
    """The manifest or the Chef repository is wrong; carries every finding."""

    exit_code = ExitCode.INPUT

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def __str__(self) -> str:
        return self.what


class NodeError(StackcookError):
    """A step failed on a node; ``where`` is the node's name."""

    exit_code = ExitCode.NODES


class Transient(NodeError):
    """A step failed with a cause that is often temporary; it may succeed if it is retried."""

    transient = True


class VerifyError(StackcookError):
    """The cloud doesn't work."""

    exit_code = ExitCode.VERIFY


class RunError(StackcookError):
    """A deploy or a destroy of ``cloud`` failed; ``exit_code`` is that of the command.

    ``nodes`` are those on which a step failed, ``errors`` has a line for each failed step, and
    ``logs`` is the directory of the nodes' logs. ``manifest`` is the manifest of the cloud, also of
    an ephemeral one: deploy it to resume, or open and destroy it.
    """

    def __init__(
        self,
        command: str,
        exit_code: ExitCode,
        nodes: Sequence[str],
        errors: Sequence[str],
        logs: Path,
        manifest: Path,
        cloud: str,
    ) -> None:
        self.exit_code = exit_code
        self.cloud = cloud
        self.nodes, self.errors = tuple(nodes), tuple(errors)
        self.logs, self.manifest = logs, manifest
        some = "; ".join(self.errors[:MOST_ERRORS])
        left = len(self.errors) - MOST_ERRORS
        more = f"; and {counted(left, 'more error')}" if left > 0 else ""
        remedy = f"the logs are in {logs}"
        super().__init__(f"failed: {some}{more}", where=f"{command} of {cloud}", remedy=remedy)


class ChefServerError(StackcookError):
    """The Chef server refused, or can't be reached; ``where`` is its URL."""

    exit_code = ExitCode.CHEF_SERVER
    transient = True


class MachineError(StackcookError):
    """A machine or the lab's network could not be created or removed."""

    exit_code = ExitCode.MACHINES
