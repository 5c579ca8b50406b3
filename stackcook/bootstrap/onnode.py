"""Steps on a node over SSH, as root: with a time limit, an end for interrupts, and a clear word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.bootstrap.base import Say
from stackcook.bootstrap.objects import ChefObjects, names
from stackcook.bootstrap.options import Options, options_of
from stackcook.bootstrap.output import ChefOutput
from stackcook.command import Completed
from stackcook.errors import NodeError, Transient
from stackcook.manifest.model import ChefServer, Node
from stackcook.parallel import parallel_map
from stackcook.remote.base import Connect, Host, Remote, TimedOut, sudo
from stackcook.remote.pool import Pool
from stackcook.remote.ssh import connect
from stackcook.retry import output_is_transient

PID = "/run/stackcook.pid"
"""On a node: the process of the step that is under way."""

# chef-client heeds INT, and ends the programs that it has started; TERM it keeps for later. A
# shell is ended by it, while the program that it waits for goes on to its end: no dpkg is cut off.
_END = f'test -s {PID} && kill -INT "$(cat {PID})"'


End = Callable[[], None]
"""Ends something that has begun; from another thread."""


class Underway:
    """Takes note of what begins and is over, on any number of nodes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[End] = []
        self._over = False

    @contextmanager
    def noting(self) -> Iterator[Callable[[End], None]]:
        """Yields what takes the end of something that has begun; it is over after the block."""
        mine: list[End] = []

        def note(end: End) -> None:
            with self._lock:
                mine.append(end)
                self._ends.append(end)
                over = self._over
            if over:  # it began while the others were being ended
                end()

        try:
            yield note
        finally:
            with self._lock:
                self._ends = [end for end in self._ends if end not in mine]

    def end(self) -> None:
        """End everything, and what begins from now on."""
        with self._lock:
            self._over = True
            ends = tuple(self._ends)
        parallel_map(lambda end: end(), ends, workers=32)  # a dead node must not keep the others


@dataclass(frozen=True)
class BootstrapContext:
    """What both bootstraps work with. ``state`` is ``.stackcook``, beside the manifest.

    ``secret`` is the file whose content decrypts data bag items, where a node's options name no
    other. ``server`` is as nodes reach it, ``underway`` what an interrupt ends. ``grace`` are the
    seconds that a step which is ended has to end what it has begun itself.
    """

    client: ChefObjects
    server: ChefServer
    state: Path
    secret: Path | None = None
    opener: Connect = field(default_factory=lambda: Pool(connect))
    underway: Underway = field(default_factory=Underway)
    grace: float = 10.0
    _there: list[frozenset[str]] = field(default_factory=list)

    @property
    def there(self) -> frozenset[str]:
        """The nodes and clients that the server had at first, as paths: most of new ones aren't.

        Whoever asks before there is an answer asks the server: a lock around that would have all
        nodes wait for a dead one, one after the other.
        """
        if not self._there:
            self._there.append(names(self.client))
        return self._there[0]

    @property
    def known_hosts(self) -> Path:
        """Where SSH host keys are recorded on first contact."""
        return self.state / "known_hosts"

    def options(self, node: Node) -> Options:
        """The node's options of ``knife bootstrap``."""
        return options_of(node, self.state.parent)

    def secret_of(self, node: Node) -> str | None:
        """What decrypts data bag items on ``node``. Raises NodeError if it can't be read."""
        secret = self.options(node).secret(node.name, self.secret)
        return secret.reveal() if secret else None

    def open(self, node: Node, host: Host) -> Remote:
        """A connection to the node, by its options' password or gateway if they give one."""
        return self.opener(self.options(node).reach(host), self.known_hosts)


def carry_out(
    context: BootstrapContext,
    node: Node,
    host: Host,
    script: str,
    *,
    step: str,
    timeout: float,
    read: Say,
) -> Completed:
    """Run a shell script as root, to its end or that of ``timeout`` seconds.

    ``read`` gets each line. Raises NodeError if the time is over, Transient if the connection
    breaks. When the time is over, or at an interrupt, the script is ended on the node, too. It may
    hold secrets: it goes by standard input, whole before it begins, and what it runs has none.
    """
    last = ["none"]

    def note_and_read(line: str) -> None:
        last[:] = [line.strip() or last[0]]
        read(line)

    whole = f"{{\necho $$ >{PID}\n{script}\n}} </dev/null\n"
    with context.open(node, host) as remote, context.underway.noting() as note:
        over = threading.Event()
        note(lambda: _end(remote, over, context.grace))
        try:
            shell = sudo("exec sh -s")
            return remote.run(shell, stdin=whole, on_line=note_and_read, timeout=timeout)
        except TimedOut as error:
            _end(remote, over, 0)
            raise NodeError(
                f"{step} did not end within {timeout:g} s (its last line: {last[0]})",
                where=node.name,
                remedy="look at what it waits for on the node",
            ) from error
        finally:
            over.set()


def _end(remote: Remote, over: threading.Event, grace: float) -> None:
    """End the command of a step and, when it has had its time, the connection."""
    try:
        remote.run(sudo(_END), timeout=5)
        over.wait(grace)
    except NodeError:
        pass  # there is no way to the node: what runs there ends when it finds that out
    remote.close()


def failed(node: Node, output: ChefOutput, cause: str = "") -> NodeError:
    """What a step has failed of, by its output; Transient if that may pass by itself."""
    kind = Transient if output_is_transient(output.evidence) else NodeError
    remedy = f"see more with `stackcook logs {node.name}`"
    return kind(cause or output.error(), where=node.name, remedy=remedy)
