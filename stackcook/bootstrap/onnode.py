"""Runs scripts on a node over SSH as root, with a time limit; an interrupt ends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.firewall import Firewall
from stackcook.bootstrap.objects import names
from stackcook.bootstrap.options import Options, options_of
from stackcook.bootstrap.output import ChefOutput
from stackcook.bootstrap.prebuilt import Prebuilt
from stackcook.bundle.archive import Bundle
from stackcook.chef.rest.client import ChefClient
from stackcook.command import Completed, Runner, Say, run
from stackcook.errors import NodeError, Transient
from stackcook.manifest.model import ChefServer, ClientPackage, Node, Timer
from stackcook.parallel import parallel_map
from stackcook.remote.base import Connect, Host, Remote, TimedOut, as_root
from stackcook.remote.pool import Pool
from stackcook.remote.ssh import connect
from stackcook.retry import output_is_transient

PID = "/run/stackcook.pid"
"""On a node: the process id of the step that runs."""

# INT ends chef-client and the programs that it started; TERM waits for the end of the converge. INT
# also ends a shell, but not the program that it waits for: no dpkg is cut off.
_END = f'test -s {PID} && kill -INT "$(cat {PID})"'


End = Callable[[], None]
"""Ends a step that runs; called from another thread."""


class Underway:
    """The running steps of all nodes, so that an interrupt can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[End] = []
        self._over = False

    @contextmanager
    def noting(self) -> Iterator[Callable[[End], None]]:
        """Yields a function that registers how to end a step; the step is over after the block."""
        mine: list[End] = []

        def note(end: End) -> None:
            with self._lock:
                mine.append(end)
                self._ends.append(end)
                over = self._over
            if over:  # it began after the interrupt
                end()

        try:
            yield note
        finally:
            with self._lock:
                self._ends = [end for end in self._ends if end not in mine]

    def end(self) -> None:
        """End all steps that run, and those that begin later."""
        with self._lock:
            self._over = True
            ends = tuple(self._ends)
        parallel_map(lambda end: end(), ends, workers=32)  # a dead node must not keep the others


@dataclass(frozen=True)
class BootstrapContext:
    """What the steps of all nodes work with. ``state`` is ``.stackcook``, beside the manifest.

    ``secret`` is the file that decrypts data bag items, unless a node's options name another.
    ``openstack`` are attributes below that name, which every node gets; those in a zone, which is
    their environment, get ``zones`` instead; ``firewall`` adds its own.
    ``package`` is the user's own package of the Chef client, ``prebuilt`` ours;
    ``bundle`` has it, and all other Debian packages. ``timer`` runs chef-client on all nodes but
    those ``in_turn``: of these controllers, only one may converge at a time.
    ``server`` is as nodes reach it, ``underway`` what an interrupt ends. ``grace`` is how many
    seconds an ended step has to end its own programs. ``opener`` may give a connection that is open
    already, ``login`` never does. ``clock`` and ``pause`` are in seconds.
    """

    client: ChefClient
    server: ChefServer
    state: Path
    secret: Path | None = None
    openstack: Mapping[str, Any] = field(default_factory=dict)
    zones: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    opener: Connect = field(default_factory=lambda: Pool(connect))
    runner: Runner = run
    underway: Underway = field(default_factory=Underway)
    grace: float = 10.0
    package: ClientPackage | None = None
    timer: Timer | None = None
    in_turn: Collection[str] = ()
    bundle: Bundle | None = None
    firewall: Firewall | None = None
    prebuilt: Prebuilt = field(default_factory=Prebuilt)
    login: Connect = connect
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _there: list[frozenset[str]] = field(default_factory=list)

    @property
    def there(self) -> frozenset[str]:
        """The paths of the nodes and clients on the server when it was first asked; not updated.

        Threads that come before the first answer ask as well: with a lock, all nodes would wait for
        a dead server one after the other.
        """
        if not self._there:
            self._there.append(names(self.client))
        return self._there[0]

    @property
    def known_hosts(self) -> Path:
        """The file of SSH host keys, recorded at the first connection."""
        return self.state / "known_hosts"

    def options(self, node: Node) -> Options:
        """The node's options of ``knife bootstrap``."""
        return options_of(node, self.state.parent)

    def secret_of(self, node: Node) -> str | None:
        """The secret of data bag items on ``node``. Raises NodeError if it can't be read."""
        secret = self.options(node).secret(node.name, self.secret)
        return secret.reveal() if secret else None

    def open(self, host: Host) -> Remote:
        """A connection to a node."""
        return self.opener(host, self.known_hosts)


@dataclass(frozen=True)
class NodeTask:
    """One step on one node, while it runs.

    It may take ``timeout`` seconds; ``say`` gets each line that the node prints.
    """

    context: BootstrapContext
    step: str
    node: Node
    host: Host
    deploy: Deploy
    timeout: float
    say: Say

    def run_script(self, script: str, read: Say, *, apart: bool = False) -> Completed:
        """Run a shell script on the node as root, for at most ``timeout`` seconds.

        ``read`` gets each line of output; with ``apart``, those of stdout only, as in
        :meth:`Remote.run`. Raises NodeError after the timeout, Transient if the
        connection breaks. After a timeout or an interrupt, the script is ended on the node, too. It
        may contain secrets: the shell reads all of it from standard input first, and its programs
        get none.
        """
        last = "none"

        def note_and_read(line: str) -> None:
            nonlocal last
            last = line.strip() or last
            read(line)

        context = self.context
        whole = f"{{\necho $$ >{PID}\n{script}\n}} </dev/null\n"
        with context.open(self.host) as remote, context.underway.noting() as note:
            over = threading.Event()
            note(lambda: _end(remote, over, context.grace))
            try:
                return as_root(
                    remote,
                    "exec sh -s",
                    stdin=whole,
                    on_line=note_and_read,
                    timeout=self.timeout,
                    apart=apart,
                )
            except TimedOut as error:
                _end(remote, over, 0)
                raise NodeError(
                    f"{self.step} did not finish within {self.timeout:g} s (last line: {last})",
                    where=self.node.name,
                    remedy=f"run `stackcook ssh {self.node.name}` to see what it is waiting for",
                ) from error
            finally:
                over.set()


def _end(remote: Remote, over: threading.Event, grace: float) -> None:
    """End the command of a step and, after ``grace`` seconds, the connection."""
    try:
        as_root(remote, _END, timeout=5)
        over.wait(grace)
    except NodeError:
        pass  # unreachable: what runs there ends with its connection
    remote.close()


def failed(node: Node, output: ChefOutput, cause: str = "") -> NodeError:
    """The error of a failed step, by its output; Transient if a retry may help."""
    kind = Transient if output_is_transient(output.evidence) else NodeError
    remedy = f"run `stackcook logs {node.name} --failed` to see more"
    return kind(cause or output.error(), where=node.name, remedy=remedy)
