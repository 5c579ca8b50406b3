"""The program that tells whether a member of the database cluster may serve, and recovers it."""

from __future__ import annotations

import importlib.util
import json
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE
from threading import Event, Thread
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "cookbooks/openstack-database/files/openstack_galera.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("openstack_galera", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


galera = load()
Position = galera.Position

A = "aaaaaaaa-0000-0000-0000-000000000001"
B = "bbbbbbbb-0000-0000-0000-000000000002"


def at(state: str, seqno: int = 7, uuid: str = A) -> Any:
    return Position(state, "why", uuid, seqno)


def cluster(*positions: Any) -> dict[str, Any]:
    return {f"c{number}": position for number, position in enumerate(positions, 1)}


RESTARTS = ["restart", "restart"]


def actions(*positions: Any) -> list[str]:
    """What each member does, if all know the same."""
    found = cluster(*positions)
    return [galera.decide(name, found)[0] for name in found]


@pytest.mark.parametrize(
    "positions, wanted",
    [
        # all were stopped cleanly, or killed: the newest data, and of the same the first one
        ((at("failed", 5), at("failed", 9), at("failed", 7)), ["nothing", "bootstrap", "nothing"]),
        ((at("failed"), at("failed"), at("failed")), ["bootstrap", "nothing", "nothing"]),
        # a primary component: who is not in it joins, but what was stopped stays
        ((at("synced"), at("failed", 99), at("stopped")), ["nothing", "start", "nothing"]),
        ((at("primary"), at("failed"), None), ["nothing", "start", "nothing"]),
        # one that does not respond may have a primary component
        ((at("failed"), at("failed"), None), ["nothing"] * 3),
        ((at("non-primary"), None, None), ["nothing"] * 3),
        # one that starts may still get there by itself
        ((at("failed"), at("starting"), at("failed")), ["nothing"] * 3),
        ((at("failed"), at("joining"), at("failed")), ["nothing"] * 3),
        # two were killed, and the third one was made anew: it is not the one they wait for
        ((at("failed", -1, galera.NOWHERE), at("waiting"), at("waiting")), ["nothing", *RESTARTS]),
        ((None, at("waiting"), at("waiting")), ["nothing"] * 3),
        ((at("joining"), at("waiting"), at("failed")), ["nothing"] * 3),
        # the newest data is on one that was stopped by hand
        ((at("failed", 5), at("stopped", 9), at("failed", 5)), ["nothing"] * 3),
        ((at("stopped"), at("failed"), at("failed")), ["nothing", "bootstrap", "nothing"]),
        # two were lost, and made anew: they have no data
        (
            (at("failed", -1, galera.NOWHERE), at("non-primary"), at("failed", -1, galera.NOWHERE)),
            ["nothing", "promote", "nothing"],
        ),
        # one that runs need not restart
        ((at("failed"), at("non-primary"), at("failed")), ["nothing", "promote", "nothing"]),
        ((at("failed", 8), at("non-primary", 7), at("failed")), ["bootstrap", *["nothing"] * 2]),
        # it is not known which data is right
        ((at("failed"), at("failed", 9, B), at("failed")), ["nothing"] * 3),
        ((at("failed"), at("alone"), at("failed")), ["nothing"] * 3),
        ((at("failed", -1, galera.NOWHERE), at("failed", -1, galera.NOWHERE)), ["nothing"] * 2),
    ],
)
def test_what_the_members_do(positions: tuple[Any, ...], wanted: list[str]) -> None:
    assert actions(*positions) == wanted


def test_the_reason_names_who_does_not_respond_and_what_to_do() -> None:
    why = galera.decide("c1", cluster(at("failed"), at("failed"), None))[1]
    assert "no answer from c3" in why
    assert "`/usr/local/lib/openstack/openstack-galera bootstrap`" in why


def test_the_reason_names_who_has_newer_data() -> None:
    why = galera.decide("c1", cluster(at("failed"), at("stopped", 9), at("failed")))[1]
    assert "c2 has the newest data" in why and "start MariaDB there" in why


STATUS = {
    "wsrep_on": "1",
    "wsrep_ready": "ON",
    "wsrep_cluster_status": "Primary",
    "wsrep_local_state": "4",
    "wsrep_cluster_state_uuid": A,
    "wsrep_last_committed": "12",
    "wsrep_cluster_size": "3",
    "read_only": "0",
}


@pytest.mark.parametrize(
    "differs, state",
    [
        ({}, "synced"),
        ({"wsrep_local_state": "2"}, "synced"),  # gives its data to another one, and serves
        ({"wsrep_local_state": "1"}, "primary"),
        ({"wsrep_ready": "OFF"}, "primary"),
        ({"read_only": "1"}, "primary"),
        ({"wsrep_cluster_status": "non-Primary"}, "non-primary"),
        ({"wsrep_on": "0"}, "alone"),
    ],
)
def test_the_state_of_a_running_mariadb(differs: dict[str, str], state: str) -> None:
    found = galera.of_status({**STATUS, **differs})
    assert found.state == state
    assert bool(found.reason) == (state != "synced")
    if state != "alone":
        assert (found.uuid, found.seqno, found.size) == (A, 12, 3)


def test_the_position_on_disk() -> None:
    text = f"# GALERA saved state\nversion: 2.1\nuuid:    {A}\nseqno:   -1\nsafe_to_bootstrap: 0\n"
    assert galera.saved(text) == (A, -1)
    assert galera.recovered(f"--wsrep_start_position={A}:212\n") == (A, 212)
    assert galera.recovered("\n") == (galera.NOWHERE, -1)


class Member:
    """A member with a watch, its clock, and what it did."""

    def __init__(self, *positions: Any) -> None:
        self.found = cluster(*positions)
        self.now = 0.0
        self.did: list[str] = []
        do = {name: lambda name=name: self.did.append(name) for name in galera.DO}
        members = {name: name for name in self.found}
        self.watch = galera.Watch("c1", members, self, self.found.get, do, lambda: self.now)

    def position(self, *, data: bool = False) -> Any:
        return self.found["c1"]

    def look(self, at: float) -> list[str]:
        self.now = at
        self.watch.look()
        return self.did


def test_a_member_without_a_cluster_is_started_again_but_not_all_the_time() -> None:
    member = Member(at("failed"), at("synced"), at("synced"))
    assert member.look(0) == ["start"]
    assert member.look(30) == ["start"]
    assert member.look(70) == ["start", "start"]


def test_what_runs_may_first_heal_by_itself() -> None:
    member = Member(at("non-primary"), at("non-primary"), at("failed"))
    assert member.look(0) == []
    assert member.look(50) == []
    assert member.look(61) == ["promote"]


def test_what_waits_for_members_that_are_lost_is_restarted_after_a_while() -> None:
    member = Member(at("waiting"), at("waiting"), at("stopped"))
    assert member.look(0) == []
    assert member.look(61) == ["restart"]


def test_the_time_to_heal_begins_anew_after_it_has_healed() -> None:
    member = Member(at("non-primary"), at("non-primary"), at("failed"))
    member.look(0)
    member.found["c1"] = at("synced")
    member.look(50)
    assert member.watch.reason == ""
    member.found["c1"] = at("non-primary")
    assert member.look(70) == []


def test_a_failed_action_is_told_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    member = Member(at("failed"), at("failed"), at("failed"))

    def fail() -> None:
        member.did.append("bootstrap")
        raise OSError("no such program")

    member.watch._do = {"bootstrap": fail}
    member.look(0)
    assert "no such program" in capsys.readouterr().out
    assert member.look(61) == ["bootstrap", "bootstrap"]


class Machine:
    """The programs that ``bootstrap`` runs; they note the files of MariaDB that are there."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.flag = root / "wsrep-new-cluster"
        self.log = root / "log"
        programs = root / "bin"
        programs.mkdir()
        for name in ("systemctl", "galera_new_cluster"):
            program = programs / name
            program.write_text(f'#!/bin/sh\necho {name} "$@" >> {self.log}\n')
            program.chmod(0o755)
        self.begins = programs / "galera_new_cluster"
        self.stops = programs / "systemctl"
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr(galera, "DATA", root)
        monkeypatch.setattr(galera, "NEW_CLUSTER", self.flag)

    @property
    def did(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_mariadb_that_waits_is_killed_as_it_would_not_stop(machine: Machine) -> None:
    gvwstate = machine.root / "gvwstate.dat"
    gvwstate.write_text("my_uuid: a\n")
    galera.bootstrap("waiting")
    assert machine.did == [
        "systemctl kill --signal=SIGKILL mariadb",
        "systemctl stop mariadb",
        "galera_new_cluster",
    ]
    assert not gvwstate.exists()


def test_it_may_begin_though_it_was_not_the_last_to_stop(machine: Machine) -> None:
    grastate = machine.root / "grastate.dat"
    # MariaDB writes this file when it ends
    with machine.stops.open("a") as script:
        script.write(f"echo 'safe_to_bootstrap: 0' > {grastate}\n")
    galera.bootstrap("non-primary")
    assert grastate.read_text() == "safe_to_bootstrap: 1\n"
    assert machine.did == ["systemctl stop mariadb", "galera_new_cluster"]


def test_a_beginning_that_is_cut_off_leaves_nothing_that_begins_another_one(
    machine: Machine,
) -> None:
    with machine.begins.open("a") as script:
        script.write(f"touch {machine.flag}\nkill -9 $$\n")
    with pytest.raises(subprocess.CalledProcessError):
        galera.bootstrap("failed")
    assert not machine.flag.exists()


def test_one_that_waits_says_how_new_its_data_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody could tell on which node to begin, if one is lost for good."""
    position = f"--wsrep_start_position={A}:212"
    with (
        socket.create_server(("127.0.0.1", 0)) as group,
        subprocess.Popen(("sh", "-c", 'read line; echo "$0"', position), stdin=PIPE) as mariadb,
    ):
        monkeypatch.setattr(galera, "GROUP", group.getsockname()[1])
        with machine.stops.open("a") as script:
            script.write(f"echo ActiveState=activating; echo MainPID={mariadb.pid}\n")
        (machine.root / "gvwstate.dat").touch()
        local = galera.Local()
        local.look()
        found = local.position(data=True)
        mariadb.communicate()
    assert (found.state, found.uuid, found.seqno) == ("waiting", A, 212)


def test_a_slow_look_delays_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy takes an answer that comes late for a dead database, and ends all connections."""
    local, goes_on, begun = galera.Local(), Event(), Event()
    assert local.position().state == "starting", "nothing is known yet"
    monkeypatch.setattr(local, "_look", lambda: at("synced"))
    local.look()

    def slow() -> Position:
        begun.set()
        goes_on.wait(60)
        return at("non-primary")

    monkeypatch.setattr(local, "_look", slow)
    looking = Thread(target=local.look)
    looking.start()
    begun.wait(60)
    assert local.position().state == "synced"
    goes_on.set()
    looking.join(60)
    assert local.position().state == "non-primary"
    monkeypatch.setattr(galera, "STALE", -1.0)
    assert local.position().state == "starting", "nobody looks any more"


def test_one_late_answer_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy MariaDB is late once; one that hangs is late always."""
    local, answers = galera.Local(), iter((at("synced"), None, at("synced"), None, None))
    monkeypatch.setattr(local, "_look", lambda: next(answers))
    found = []
    for _ in range(5):
        local.look()
        found.append(local.position().state)
    assert found == ["synced", "synced", "synced", "synced", "starting"]


def test_a_mariadb_that_runs_and_does_not_answer_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(program: str, *arguments: str, **_: object) -> str:
        if program == "mariadb":
            raise subprocess.TimeoutExpired(program, 3.0)
        return "ActiveState=active\n"

    monkeypatch.setattr(galera, "run", run)
    assert galera.Local()._look() is None


def test_a_systemd_that_does_not_answer_ends_no_looking(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as while it starts anew. The thread must go on, or the database is down for good."""
    local = galera.Local()
    monkeypatch.setattr(local, "_look", lambda: at("synced"))
    local.look()
    monkeypatch.undo()

    def run(*argv: str, **_: object) -> str:
        raise subprocess.CalledProcessError(1, argv, stderr="Connection reset by peer\n")

    monkeypatch.setattr(galera, "run", run)
    local.look()
    assert local.position().state == "synced"
    local.look()
    assert local.position().state == "starting"
    assert "systemctl show" in capsys.readouterr().out


def test_what_fails_is_told_in_one_line() -> None:
    argv = ("systemctl", "stop", "mariadb")
    assert galera.complaint(subprocess.TimeoutExpired(argv, 300.0)) == (
        "systemctl stop mariadb has not ended within 300 s; see journalctl -u mariadb"
    )
    failed = subprocess.CalledProcessError(1, argv, stderr="Hint:\nno such unit\n")
    assert galera.complaint(failed) == "systemctl stop mariadb failed: no such unit"


@pytest.fixture
def server() -> Iterator[tuple[Member, str]]:
    member = Member(at("synced"), None, None)
    handler = galera.handler(member, member.watch)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield member, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_synced_member_may_serve(server: tuple[Member, str]) -> None:
    with urllib.request.urlopen(f"{server[1]}/") as answer:
        assert (answer.status, answer.read()) == (200, b"synced\n")


def test_who_closes_the_connection_leaves_no_traceback(
    server: tuple[Member, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """HAProxy does, each second."""
    host, port = server[1].removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port))) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with urllib.request.urlopen(f"{server[1]}/") as answer:
        assert answer.status == 200
    assert "Traceback" not in capsys.readouterr().err


def test_any_other_one_may_not_and_says_why(server: tuple[Member, str]) -> None:
    member, url = server
    member.found["c1"] = at("non-primary")
    member.look(0)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/")
    assert caught.value.code == 503
    text = caught.value.read().decode()
    assert text.startswith("why; no primary component, and no answer from c2 and c3")


def test_the_other_members_are_told_the_position(server: tuple[Member, str]) -> None:
    member, url = server
    member.found["c1"] = at("failed", 212)
    with urllib.request.urlopen(f"{url}/position") as answer:
        assert Position(**json.load(answer)) == at("failed", 212)
    port = int(url.rpartition(":")[2])
    assert galera.ask("127.0.0.1", port) == at("failed", 212)


def test_a_member_that_does_not_respond_is_unknown() -> None:
    assert galera.ask("127.0.0.1", 1) is None
