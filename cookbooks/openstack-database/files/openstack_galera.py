#!/usr/bin/python3
"""Tells HAProxy whether this member of the Galera cluster may serve, and recovers the cluster.

    openstack-galera serve ME ADDRESS:PORT MEMBER=ADDRESS...   the service
    openstack-galera bootstrap                                 by hand: begin with this node's data

GET / returns 200 if clients may use MariaDB here, else 503 with the reason. GET /position returns
JSON for the other members: the state here, and how new the data is.

If MariaDB fails to start because no member is in a primary component, the members ask each other.
Only if all of them respond, and none is in a primary component or starting, the one with the newest
data begins a new cluster, and the others join it. What was stopped by hand stays stopped.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

DATA = Path("/var/lib/mysql")
NEW_CLUSTER = Path("/run/mariadb-wsrep-new-cluster")
"""With this file, which galera_new_cluster makes and removes, MariaDB begins a cluster."""
HERE = "/usr/local/lib/openstack/openstack-galera"
"""This program, for messages: it is in no PATH."""
NOWHERE = "00000000-0000-0000-0000-000000000000"
"""The UUID of a node that has no data of a cluster."""

SYNCED = "synced"
PRIMARY = "primary"
NON_PRIMARY = "non-primary"
STARTING = "starting"
WAITING = "waiting"
JOINING = "joining"
FAILED = "failed"
STOPPED = "stopped"
ALONE = "alone"
"""The states of a member. primary: in a primary component, but it may not serve; waiting: it
was killed, and now waits for all that it was connected to then; joining: it receives all data; failed: MariaDB has ended by itself; stopped: by hand, or not started yet; alone:
it runs without Galera."""

ALIVE = (SYNCED, PRIMARY)
BUSY = (STARTING, WAITING, JOINING)
TO_RECOVER = (FAILED, NON_PRIMARY, WAITING)

PAUSE = 1.0
"""Seconds between two looks at MariaDB."""
LATE = 2
"""So many looks in a row without an answer mean that MariaDB hangs; after one it may be busy."""
STALE = 20.0
"""Seconds after which the last look counts no more; one takes 13 seconds at most."""
INTERVAL = 2.0
"""Seconds between two looks at whether there is something to recover."""
HEALING = 60.0
"""Seconds that members of a lost component have to find each other by themselves."""
GROUP = 4567
"""The port at which members connect to each other."""
AGAIN = 60.0
"""Seconds between two attempts to start MariaDB."""

NOTHING, START, BOOTSTRAP, PROMOTE = "nothing", "start", "bootstrap", "promote"
RESTART = "restart"
"""What to do. PROMOTE makes the running, non-primary MariaDB of this node a primary component;
RESTART makes one that waits forget whom it was connected to, so that it fails instead."""

_QUESTION = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status',"
    " 'wsrep_local_state', 'wsrep_cluster_state_uuid', 'wsrep_last_committed',"
    " 'wsrep_cluster_size');"
    " SELECT 'wsrep_on', @@GLOBAL.wsrep_on; SELECT 'read_only', @@GLOBAL.read_only;"
    " SELECT 'options', @@GLOBAL.wsrep_provider_options"
)
_SERVING = {"4", "2"}
"""wsrep_local_state: synced, and donor, which mariadb-backup does not block."""


@dataclass(frozen=True)
class Position:
    """A member's state, why it is so, and the position of its data: the cluster's UUID, and a
    number that each change of the data raises; None where it is not known. ``size`` are the
    members of its component; ``tls`` is whether it encrypts the connections to them."""

    state: str
    reason: str = ""
    uuid: str = NOWHERE
    seqno: int = -1
    size: int = 0
    tls: bool = False

    @property
    def has_data(self) -> bool:
        return self.uuid != NOWHERE


def decide(me: str, found: Mapping[str, Position | None]) -> tuple[str, str]:
    """What this member has to do, and why; ``found`` are all members, in the order of the cluster.

    None: it does not respond. All members that know the same decide the same.
    """
    mine = found[me]
    if mine is None or mine.state not in TO_RECOVER:
        return NOTHING, mine.reason if mine else "it is not known"
    states = {name: position.state for name, position in found.items() if position}
    alive = [name for name, state in states.items() if state in ALIVE]
    if alive:
        if mine.state == FAILED:
            return START, f"{_listed(alive)} in the primary component"
        return NOTHING, f"Galera has to reconnect to {' and '.join(alive)}"
    if silent := [name for name, position in found.items() if position is None]:
        return NOTHING, (
            f"no primary component, and no answer from {' and '.join(silent)}, which may have newer"
            f" data or be in one; start it, or if it is lost for good, run `{HERE} bootstrap` on"
            " the node with the newest data"
        )
    if mine.state == WAITING and JOINING not in states.values():
        return RESTART, "all members respond, but those that MariaDB waits for do not come back"
    if busy := [name for name, state in states.items() if state in BUSY]:
        return NOTHING, f"no primary component yet; MariaDB is starting on {' and '.join(busy)}"
    if alone := [name for name, state in states.items() if state == ALONE]:
        return NOTHING, f"MariaDB runs without Galera on {' and '.join(alone)}"
    having = {name: position for name, position in found.items() if position and position.has_data}
    if not having:
        return NOTHING, "no member has data of the cluster"
    if len({position.uuid for position in having.values()}) > 1:
        return NOTHING, (
            "the members have data of different clusters: "
            + ", ".join(f"{name} {position.uuid}" for name, position in having.items())
            + f"; run `{HERE} bootstrap` on the node whose data is right"
        )
    newest = max(position.seqno for position in having.values())
    best = [name for name, position in having.items() if position.seqno == newest]
    able = [name for name in best if having[name].state in (NON_PRIMARY, FAILED)]
    # one that runs is preferred: the others of its component need no restart
    able.sort(key=lambda name: having[name].state != NON_PRIMARY)
    if not able:
        return NOTHING, f"{best[0]} has the newest data, and was stopped; start MariaDB there"
    if able[0] != me:
        return NOTHING, f"{able[0]} has the newest data ({newest}) and begins the cluster"
    why = f"all members respond, none is in a primary component, and this data is newest ({newest})"
    return (PROMOTE if mine.state == NON_PRIMARY else BOOTSTRAP), why


def _listed(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def of_status(values: Mapping[str, str]) -> Position:
    """The position of a MariaDB that runs, from what it answers."""
    if values.get("wsrep_on", "0").upper() not in ("1", "ON"):
        return Position(ALONE, "MariaDB runs without Galera")
    uuid = values.get("wsrep_cluster_state_uuid") or NOWHERE
    seqno = int(values.get("wsrep_last_committed") or -1)
    size = int(values.get("wsrep_cluster_size") or 0)
    tls = "socket.ssl = YES" in values.get("options", "")
    at = (uuid, seqno, size, tls)
    status = values.get("wsrep_cluster_status", "")
    if status != "Primary":
        return Position(NON_PRIMARY, f"not in a primary component ({status or 'unknown'})", *at)
    state = values.get("wsrep_local_state", "")
    if state not in _SERVING or values.get("wsrep_ready") != "ON":
        return Position(PRIMARY, f"in the primary component, not synced (state {state})", *at)
    if values.get("read_only", "0").upper() not in ("0", "OFF"):
        return Position(PRIMARY, "read only", *at)
    return Position(SYNCED, "", *at)


def saved(text: str) -> tuple[str, int]:
    """UUID and number of a grastate.dat; -1: it was not stopped cleanly."""
    uuid = re.search(r"^uuid:\s*(\S+)", text, re.MULTILINE)
    seqno = re.search(r"^seqno:\s*(-?\d+)", text, re.MULTILINE)
    return uuid[1] if uuid else NOWHERE, int(seqno[1]) if seqno else -1


def recovered(output: str) -> tuple[str, int]:
    """The same of what galera_recovery prints: --wsrep_start_position=UUID:NUMBER."""
    match = re.search(r"--wsrep_start_position=([0-9a-f-]{36}):(-?\d+)", output)
    return (match[1], int(match[2])) if match else (NOWHERE, -1)


def started_at(pid: str) -> tuple[str, int]:
    """The same of a MariaDB that was started with what galera_recovery printed."""
    try:
        return recovered(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    except OSError:
        return NOWHERE, -1  # it has just ended


def run(*argv: str, stdin: str = "", timeout: float = 10.0) -> str:
    """What a program prints; raises OSError or subprocess.SubprocessError if it fails."""
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=True
    )
    return done.stdout


def listens(port: int) -> bool:
    """Whether something on this node listens at a TCP port; a listening socket has state 0A."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    lines = (line for table in tables if table.exists() for line in table.read_text().splitlines())
    rows = (line.split() for line in lines if ":" in line)
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def say(text: str) -> None:
    print(text, flush=True)


class Local:
    """MariaDB on this node."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._looked = -math.inf
        self._answer = Position(STARTING, "not looked at yet")
        self._late = 0
        self._recovered: tuple[str, tuple[str, int]] = ("", (NOWHERE, -1))

    def look(self) -> None:
        """Find out the state. What was found before counts if MariaDB is late with its answer once.

        HAProxy ends all connections to a database that is down.
        """
        try:
            found = self._look()
        except (OSError, subprocess.SubprocessError) as error:
            say(f"the state of MariaDB is not known: {complaint(error)}")
            found = None
        self._late = self._late + 1 if found is None else 0
        if found:
            self._answer = found
        elif self._late >= LATE:
            self._answer = Position(STARTING, "MariaDB does not answer")
        self._looked = time.monotonic()

    def position(self, *, data: bool = False) -> Position:
        """What :meth:`look` found last; with ``data`` also the position of a MariaDB that is down.

        HAProxies ask, which take an answer that comes late for a dead database. So nothing is
        waited for here: on a busy machine, a look takes seconds.
        """
        found = self._answer
        if time.monotonic() - self._looked > STALE:
            return Position(STARTING, "MariaDB was not looked at for too long")
        if data and found.state in (FAILED, STOPPED):
            with self._lock:
                uuid, seqno = self._on_disk()
            return Position(found.state, found.reason, uuid, seqno)
        return found

    def _look(self) -> Position | None:
        """The state; None if MariaDB runs, and does not answer in time."""
        try:
            rows = run("mariadb", "--batch", "--skip-column-names", stdin=_QUESTION, timeout=3.0)
            return of_status(dict(row.split("\t", 1) for row in rows.splitlines() if "\t" in row))
        except (OSError, subprocess.SubprocessError) as error:
            return self._down(error)

    def _down(self, error: Exception) -> Position | None:
        unit = self._unit()
        state = unit.get("ActiveState", "")
        if state in ("activating", "deactivating", "reloading") or unit.get("Job"):
            if (DATA / "sst_in_progress").exists():
                return Position(JOINING, "MariaDB receives all data from another member")
            if (DATA / "gvwstate.dat").exists() and listens(GROUP):
                why = "MariaDB waits for the members it was connected to"
                return Position(WAITING, why, *started_at(unit.get("MainPID", "0")))
            return Position(STARTING, f"MariaDB is {state}")
        if state == "failed":
            return Position(FAILED, "MariaDB has failed; see journalctl -u mariadb")
        if state == "inactive":
            return Position(STOPPED, "MariaDB is stopped; start it: systemctl start mariadb")
        if isinstance(error, subprocess.TimeoutExpired):
            return None
        # it may have too many connections: nothing to start or to begin
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        return Position(STARTING, f"MariaDB does not answer: {lines[-1] if lines else error}")

    def _unit(self) -> dict[str, str]:
        names = "ActiveState,Job,MainPID,StateChangeTimestampMonotonic"
        shown = run("systemctl", "show", f"--property={names}", "mariadb")
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def _on_disk(self) -> tuple[str, int]:
        try:
            uuid, seqno = saved((DATA / "grastate.dat").read_text())
        except OSError:
            return NOWHERE, -1  # it was never a member
        if seqno >= 0 or uuid == NOWHERE:
            return uuid, seqno
        when = self._unit().get("StateChangeTimestampMonotonic", "")
        if self._recovered[0] != when:
            self._recovered = when, recovered(run("galera_recovery", timeout=300.0))
        return self._recovered[1]


def state_now() -> str:
    """The state of MariaDB on this node."""
    local = Local()
    local.look()
    return local.position().state


def bootstrap(state: str = "") -> None:
    """Begin a cluster with this node's data; ``state`` is its state, if it is known.

    Raises OSError, subprocess.SubprocessError.
    """
    if (state or state_now()) == WAITING:
        kill()
    # first: when it ends, it writes to the file that is changed next
    run("systemctl", "stop", "mariadb", timeout=300.0)
    (DATA / "gvwstate.dat").unlink(missing_ok=True)  # whom it was connected to
    path = DATA / "grastate.dat"
    if path.exists():
        text = path.read_text()
        path.write_text(re.sub(r"(?m)^safe_to_bootstrap:.*$", "safe_to_bootstrap: 1", text))
    try:
        run("galera_new_cluster", timeout=500.0)
    finally:
        # it cannot remove it if it was killed, and the next start would begin a second cluster
        NEW_CLUSTER.unlink(missing_ok=True)


def promote() -> None:
    """Make the running component primary. Raises OSError, subprocess.SubprocessError."""
    run("mariadb", stdin="SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")


def start() -> None:
    """Start MariaDB, and do not wait until it has joined."""
    run("systemctl", "start", "--no-block", "mariadb")


def kill() -> None:
    """End a MariaDB that waits, and ignores SIGTERM; data is not written in this state."""
    run("systemctl", "kill", "--signal=SIGKILL", "mariadb")


def restart() -> None:
    """Make MariaDB start again, without those it waits for; by systemd, as it was killed.

    Raises OSError, subprocess.SubprocessError.
    """
    kill()
    (DATA / "gvwstate.dat").unlink(missing_ok=True)  # whom it was connected to


DO: dict[str, Callable[[], None]] = {
    START: start,
    BOOTSTRAP: bootstrap,
    PROMOTE: promote,
    RESTART: restart,
}


def ask(address: str, port: int) -> Position | None:
    """What another member answers; None: nothing that is of use."""
    connection = HTTPConnection(address, port, timeout=10.0)
    try:
        connection.request("GET", "/position")
        return Position(**json.loads(connection.getresponse().read()))
    except (OSError, HTTPException, ValueError, TypeError):
        return None
    finally:
        connection.close()


class Watch:
    """Looks at this member again and again, and recovers it.

    ``peers`` asks another member by its address; ``do`` are the actions. A failure is logged.
    """

    def __init__(
        self,
        me: str,
        members: Mapping[str, str],
        local: Local,
        peers: Callable[[str], Position | None],
        do: Mapping[str, Callable[[], None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason = ""
        """Why this member does not serve, as far as the others have to do with it."""
        self._me, self._members, self._local = me, members, local
        self._peers, self._do, self._clock = peers, do, clock
        self._since: float | None = None
        self._tried: float | None = None

    def look(self) -> None:
        """Look once, and do what is to be done."""
        try:
            self._look()
        except (OSError, subprocess.SubprocessError) as error:
            self._tell(f"failed: {str(getattr(error, 'stderr', None) or error).strip()}")

    def _look(self) -> None:
        if self._local.position().state not in TO_RECOVER:
            self._tell("")
            self._since = None
            return
        now = self._clock()
        mine = self._local.position(data=True)
        self._since = now if self._since is None else self._since
        found = {
            name: mine if name == self._me else self._peers(address)
            for name, address in self._members.items()
        }
        action, why = decide(self._me, found)
        self._tell(why)
        early = action in (PROMOTE, RESTART) and now - self._since < HEALING
        if action == NOTHING or early or (self._tried is not None and now - self._tried < AGAIN):
            return
        self._tried = now
        say(f"{action}: {why}")
        self._do[action]()

    def _tell(self, reason: str) -> None:
        if reason and reason != self.reason:
            say(reason)
        self.reason = reason


def handler(local: Local, watch: Watch) -> type[BaseHTTPRequestHandler]:
    """The HTTP server's part."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def handle(self) -> None:
            with suppress(ConnectionError):  # HAProxy closes the connection after the first line
                super().handle()

        def do_GET(self) -> None:
            if self.path == "/position":
                body = json.dumps(asdict(local.position(data=True)))
                return self._answer(200, "application/json", body)
            if self.path != "/":
                return self._answer(404, "text/plain", "not found")
            mine = local.position()
            reasons = [mine.reason, watch.reason] if mine.state != SYNCED else ["synced"]
            text = "; ".join(reason for reason in reasons if reason)
            return self._answer(200 if mine.state == SYNCED else 503, "text/plain", text)

        do_HEAD = do_OPTIONS = do_GET

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_request(self, *_: object) -> None:
            """Nothing: it is asked every second."""

    return Handler


def keep_looking(local: Local) -> None:
    """Look at MariaDB again and again."""
    while True:
        local.look()
        time.sleep(PAUSE)


def serve(me: str, at: str, members: Mapping[str, str]) -> None:
    """Answer, and watch, until the process is ended."""
    address, _, port = at.rpartition(":")
    local = Local()
    watch = Watch(me, members, local, lambda peer: ask(peer, int(port)), DO)
    server = ThreadingHTTPServer((address, int(port)), handler(local, watch))
    Thread(target=server.serve_forever, daemon=True).start()
    Thread(target=keep_looking, args=(local,), daemon=True).start()
    while True:
        watch.look()
        time.sleep(INTERVAL)


def main(argv: Sequence[str]) -> int:
    """The program; see above."""
    if argv[:1] == ["bootstrap"] and len(argv) == 1:
        bootstrap()
        return 0
    if argv[:1] == ["serve"] and len(argv) > 3:
        serve(argv[1], argv[2], dict(each.split("=", 1) for each in argv[3:]))
    print(__doc__, file=sys.stderr)
    return 2


def complaint(error: OSError | subprocess.SubprocessError) -> str:
    """What failed, in one line."""
    if isinstance(error, subprocess.TimeoutExpired):
        program = " ".join(error.cmd)
        return f"{program} has not ended within {error.timeout:.0f} s; see journalctl -u mariadb"
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        return f"{' '.join(error.cmd)} failed: {lines[-1]}"
    return str(error)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"openstack-galera: {complaint(failure)}")
