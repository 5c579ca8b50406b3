"""From lines of logs to what must not be in them; the lines are those of real nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from stackcook.verify.logs import known, scan
from stackcook.verify.logs.scan import Event, Group, Line


def found(text: str, source: str = "/var/log/nova/nova-api.log") -> list[tuple[str, str]]:
    """Kind and text of each event in a file's lines."""
    events = scan.events(scan.file_lines(source, text.splitlines(), 0))
    return [(event.kind, event.text) for event in events]


def said_by_systemd(*texts: str, unit: str = "nova-scheduler") -> list[Event]:
    lines = [Line(unit, float(at), text, systemd=True) for at, text in enumerate(texts)]
    return list(scan.events(lines))


OSLO = "2026-11-28 12:10:48.981 1316 {} nova.compute.manager {}"
CRITICAL = [
    OSLO.format("CRITICAL", "[-] Unhandled error: nova.exception.X"),
    "2026-11-28T12:10:48.387Z|00061|ovsdb|EMER|no more memory",
    "[Sat Nov 28 12:10:48.123456 2026] [core:crit] [pid 9:tid 9] AH00136: no listening sockets",
    "2026-11-28 12:10:48.981000+00:00 [critical] <0.1.0> Feature flags: unknown",
]
GOOD = [
    OSLO.format("INFO", "[req-1] the level CRITICAL is a word here"),
    OSLO.format("ERROR", "[-] an error, but no crash"),
    "2026-11-28T12:10:48.387Z|00061|stream|WARN|10.0.116.10: Connection refused",
    "[Sat Nov 28 12:10:48.123456 2026] [wsgi:error] [pid 9:tid 9] a message of Horizon",
    "Sat Nov 28 12:10:48 2026 - ...The work of process 99 is done. Seeya!",
]


@pytest.mark.parametrize("line", CRITICAL)
def test_critical_lines_are_found(line: str) -> None:
    assert [kind for kind, _ in found(line)] == ["critical"]


@pytest.mark.parametrize("line", GOOD)
def test_other_lines_are_not(line: str) -> None:
    assert found(line) == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("DAMN ! worker 2 (pid: 812) died, killed by signal 9 :( trying respawn ...", "uWSGI"),
        ("Sat Nov 28 12:10:48 2026 - *** HARAKIRI ON WORKER 1 (pid: 812, try: 1) ***", "uWSGI"),
        ("!!! uWSGI process 812 got Segmentation Fault !!!", "uWSGI worker died"),
        ("Out of memory: Killed process 812 (mariadbd) total-vm:2kB", "out of memory"),
        ("Memory cgroup out of memory: Killed process 812 (nova-api)", "out of memory"),
        ("qemu-system-x86[812]: segfault at 0 ip 0000 sp 0000 error 4", "crash"),
    ],
)
def test_processes_that_died_are_found(line: str, kind: str) -> None:
    assert [each[:5] for each, _ in found(line)] == [kind[:5]]


def test_a_traceback_is_one_event_with_its_last_error() -> None:
    head = "2026-11-28 12:10:48.981 1316 ERROR nova.compute.manager [instance: 6b8d]"
    other = "2026-11-28 12:10:48.982 1317 INFO nova.compute.resource_tracker [-] 2 VCPUs"
    assert (
        found(
            f"""\
{head} Traceback (most recent call last):
{head}   File "/usr/lib/python3/dist-packages/nova/network/neutron.py", line 296, in _ensure
{other}
{head}     raise exception.PortBindingFailed(port_id=port['id'])
{head} nova.exception.PortBindingFailed: Binding failed for port 2e36
{head}
{head} During handling of the above exception, another exception occurred:
{head}
{head} Traceback (most recent call last):
{head}   File "/usr/lib/python3/dist-packages/nova/compute/manager.py", line 2, in _build
{head} nova.exception.RescheduledException: Build of instance 6b8d was re-scheduled
{other}"""
        )
        == [
            (
                "traceback",
                "nova.exception.RescheduledException: Build of instance 6b8d was re-scheduled",
            )
        ]
    )


def test_tracebacks_that_follow_each_other_are_two() -> None:
    text = "Traceback (most recent call last):\n  File x\nKeyError: '{}'\n"
    assert found(text.format("a") + text.format("b")) == [
        ("traceback", "KeyError: 'a'"),
        ("traceback", "KeyError: 'b'"),
    ]


def test_of_an_ignored_exception_it_is_said_where_it_was() -> None:
    lead = "Exception ignored in: <function _after_fork at 0x7ff677f0efc0>"
    text = f"{lead}\nTraceback (most recent call last):\n  File x\nAssertionError: \n"
    assert found(2 * text) == 2 * [("traceback", f"{lead}: AssertionError: ")]
    assert known.reason(f"nova-compute: {found(text)[0][1]}")


APACHE = "[Sat Nov 28 12:10:48.123456 2026] [wsgi:error] [pid 9:tid 9] [remote 10.0.116.1:1]"


@pytest.mark.parametrize("prefix", ["", f"{APACHE} "])
def test_a_traceback_may_be_the_end_of_a_log(prefix: str) -> None:
    text = "Traceback (most recent call last):\n  File x\nImportError: no module named horizon"
    lines = "\n".join(prefix + line for line in text.splitlines())
    assert found(lines) == [("traceback", "ImportError: no module named horizon")]


def test_a_crash_and_its_restart_are_one_event() -> None:
    assert said_by_systemd(
        "nova-scheduler.service: Main process exited, code=exited, status=1/FAILURE",
        "nova-scheduler.service: Failed with result 'exit-code'.",
        "nova-scheduler.service: Scheduled restart job, restart counter is at 3.",
    ) == [Event("restart", "nova-scheduler", "Failed with result 'exit-code'", 1.0)]


def test_what_systemd_does_not_restart_has_failed() -> None:
    (event,) = said_by_systemd("mariadb.service: Failed with result 'signal'.", unit="mariadb")
    assert event == Event("failed unit", "mariadb", "Failed with result 'signal'", 0.0)


def test_what_systemd_gave_up_and_what_ran_out_of_memory_is_found() -> None:
    kinds = [
        event.kind
        for event in said_by_systemd(
            "x.service: A process of this unit has been killed by the OOM killer.",
            "x.service: Start request repeated too quickly.",
        )
    ]
    assert kinds == ["out of memory", "crash loop"]


def test_lines_before_the_deploy_are_left_out() -> None:
    since = datetime(2026, 11, 28, 12, 0).timestamp()
    lines = [
        "a line without a time, of an earlier start",
        "2026-11-28 11:59:59.000 1 CRITICAL nova [-] old",
        "  which goes on",
        "2026-11-28 12:00:00.000 1 CRITICAL nova [-] new",
    ]
    (line,) = scan.file_lines("nova.log", lines, since)
    assert line == Line("nova.log", since, lines[-1])


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T12:10:48.387Z|00061|x",
        "2026-11-28 13:10:48.981000+01:00 [error] <0.1.0> x",
    ],
)
def test_a_time_with_a_zone_is_read(text: str) -> None:
    assert scan.moment(text) == datetime(2026, 11, 28, 12, 10, 48, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28 12:10:48.981 1316 INFO x",
        "[Sat Nov 28 12:10:48.123456 2026] [wsgi:error] x",
        "[pid: 9|app: 0|req: 1/1] 10.0.116.10 () {30 vars} [Sat Nov 28 12:10:48 2026] GET /",
    ],
)
def test_a_time_without_one_is_the_nodes_own(text: str) -> None:
    assert scan.moment(text) == datetime(2026, 11, 28, 12, 10, 48).timestamp()


def test_the_journal_is_read() -> None:
    base = {"__REALTIME_TIMESTAMP": "1795867848000000"}
    entries = [
        {**base, "SYSLOG_IDENTIFIER": "nova-api", "_SYSTEMD_UNIT": "nova-api.service"}
        | {"MESSAGE": "Traceback (most recent call last):\n  File x"},
        {**base, "SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "init.scope"}
        | {"UNIT": "nova-api.service", "MESSAGE": "nova-api.service: Failed with result 'x'."},
        {**base, "SYSLOG_IDENTIFIER": "kernel", "MESSAGE": list(b"caf\xff")},
        {**base, "SYSLOG_IDENTIFIER": "sudo", "MESSAGE": "COMMAND=grep CRITICAL"},
        {**base, "SYSLOG_IDENTIFIER": "x", "MESSAGE": None},
    ]
    lines = list(scan.journal_lines(map(json.dumps, entries)))
    assert [(line.source, line.text, line.systemd) for line in lines] == [
        ("nova-api", "Traceback (most recent call last):", False),
        ("nova-api", "  File x", False),
        ("nova-api", "nova-api.service: Failed with result 'x'.", True),
        ("kernel", "caf\ufffd", False),
    ]
    assert {line.time for line in lines} == {1795867848.0}


def test_events_that_differ_only_in_ids_and_numbers_are_one_group() -> None:
    text = "instance {} has {} ports"
    events = [
        Event("critical", "a", text.format("e2003d25-dbdf-4b3e-835b-1fd4bd27f3d5", 3), 20.0),
        Event("critical", "a", text.format("0a003d25-dbdf-4b3e-835b-1fd4bd27f3d5", 12), 10.0),
        Event("critical", "b", text.format("x", 3), 5.0),
    ]
    assert scan.grouped(events) == [
        Group("critical", "b", text.format("x", 3), 5.0, 1),
        Group("critical", "a", events[1].text, 10.0, 2),
    ]


def test_the_program_runs_without_stackcook(tmp_path: Path) -> None:
    """As on a node, where it comes by stdin; the journal is a script of this test."""
    entry = {"__REALTIME_TIMESTAMP": "1795867848000000", "SYSLOG_IDENTIFIER": "systemd"}
    entry |= {"UNIT": "x.service", "MESSAGE": "x.service: Failed with result timeout."}
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(f"#!/bin/sh\necho '{json.dumps(entry)}'\n")
    journalctl.chmod(0o755)
    program = Path(scan.__file__).read_text().replace('"/var/log/*/*.log"', f'"{tmp_path}/*.log"')
    (tmp_path / "a.log").write_text("2026-11-28 12:10:48.9 1 CRITICAL nova [-] boom\n")
    done = subprocess.run(
        [sys.executable, "-I", "-", "0"],
        input=program,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert (answer["more"], answer["lines"]) == (0, 2)
    assert {tuple(group[:2]) for group in answer["groups"]} == {
        ("failed unit", "x"),
        ("critical", f"{tmp_path}/a.log"),
    }
