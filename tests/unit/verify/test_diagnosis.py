"""From a log to its last real error; each case holds a log as services write it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from stackcook.verify.diagnosis import about, between, explain, last_error, question
from stackcook.verify.placing import Service

OSLO = """\
2026-11-22 20:51:02.100 812 INFO nova.service [-] Starting scheduler node
2026-11-22 20:51:03.200 812 ERROR nova [None req-1 - - - -] Unhandled error: nova.E: no cell
2026-11-22 20:51:03.200 812 ERROR nova Traceback (most recent call last):
2026-11-22 20:51:03.200 812 ERROR nova   File "/usr/bin/nova-scheduler", line 8, in <module>
2026-11-22 20:51:03.200 812 ERROR nova     raise DBConnectionError()
2026-11-22 20:51:03.200 812 ERROR nova oslo_db.exception.DBConnectionError: (2003, "no MySQL")
2026-11-22 20:51:03.200 812 ERROR nova [-]
2026-11-22 20:51:04.300 812 INFO nova.service [-] error-free afterwards
"""
JOURNAL = """\
2026-11-22T20:51:02+00:00 controller systemd[1]: Started neutron-api.service.
2026-11-22T20:51:03+00:00 controller neutron-api[99]: ModuleNotFoundError: No module named 'x'
2026-11-22T20:51:03+00:00 controller systemd[1]: x.service: Failed with result 'exit-code'.
"""
SQLALCHEMY = """\
2026-11-29 10:56:06.3 9 ERROR keystone oslo_db.exception.DBError: (1045, "Access denied for user")
2026-11-29 10:56:06.3 9 ERROR keystone (Background on this error at: https://sqlalche.me/e/20/e3q8)
"""
LOGS = [
    (SQLALCHEMY, '10:56:06 oslo_db.exception.DBError: (1045, "Access denied for user")'),
    (OSLO, '20:51:03 oslo_db.exception.DBConnectionError: (2003, "no MySQL")'),
    (JOURNAL, "20:51:03 ModuleNotFoundError: No module named 'x'"),
    ("2026-11-22 20:51:03 0 [ERROR] Can't start server: Bind on TCP/IP port\n", "Can't start"),
    ("[Sun Nov 22 20:51:03 2026] [wsgi:error] [pid 1] ImportError: no horizon\n", "no horizon"),
    ("2026-11-22 20:51:03 1 WARNING nova.x [-] failed, will retry\n", ""),
    (
        "2026-11-22T20:51:03.387Z|00061|stream|WARN|10.0.116.10: Connection refused\n",
        "20:51:03 stream|WARN|10.0.116.10: Connection refused",
    ),
    ("2026-11-22T20:51:03.387Z|00061|stream|INFO|tcp:x: connection failed\n", ""),
    ("", ""),
]


@pytest.mark.parametrize(("log", "told"), LOGS)
def test_the_last_real_error_is_found(log: str, told: str) -> None:
    _, text = last_error(log)
    assert (told in text) if told else text == ""


def test_a_unit_with_two_logs_is_asked_for_both(tmp_path: Path) -> None:
    first, second = tmp_path / "uwsgi it's.log", tmp_path / "own.log"
    first.write_text("*** Starting uWSGI ***\n")
    second.write_text(OSLO)
    service = Service("nova-api", logs=(str(first), str(tmp_path / "missing"), str(second)))
    last, middle = (
        subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout
        for command in (question(service), between(service, 0.0, time.time()))
    )
    assert last.endswith("*** Starting uWSGI ***\n" + OSLO)
    assert middle.endswith(OSLO)


def test_errors_before_the_last_start_are_left_out() -> None:
    assert explain("ActiveEnterTimestamp=Sun 2026-11-22 21:00:00 UTC\n" + OSLO) == ""
    assert "no MySQL" in explain("ActiveEnterTimestamp=\n" + OSLO)


def state(active: str, now: str) -> str:
    """What systemd says of a unit that started at 20:00, and perhaps ended at 20:55."""
    ended = "Sun 2026-11-22 20:55:00 UTC" if active != "active" else ""
    return (
        f"Now=2026-11-22 {now}\nActiveState={active}\n"
        f"ActiveEnterTimestamp=Sun 2026-11-22 20:00:00 UTC\nInactiveEnterTimestamp={ended}\n"
    )


@pytest.mark.parametrize(
    ("active", "now", "explains"),
    [
        ("active", "20:52:00", True),
        ("active", "21:02:00", False),
        ("inactive", "23:00:00", True),
        ("activating", "20:56:00", True),
    ],
)
def test_only_errors_near_the_fault_explain_it(active: str, now: str, explains: bool) -> None:
    assert bool(explain(state(active, now) + OSLO)) == explains


HARMLESS = [
    "2026-11-22T20:51:03+00:00 compute1 libvirtd[9]: internal error: Child process (/sbin/dmidecode"
    " -q -t 0,1,2,3,4,11,17) unexpected exit status 1: Can't read memory from /dev/mem",
    "2026-11-22T20:51:03.387Z|00004|vif_plug_provider|WARN|failed to initialize representor VIF"
    " plug provider class: No such file or directory",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_a_known_message_is_no_cause(line: str) -> None:
    assert explain(f"\n{line}\n") == ""


def test_the_cause_is_named() -> None:
    assert explain("\n" + OSLO).startswith("the database cannot be reached; ")
    refused = "2026-11-22 20:51:03.2 8 ERROR oslo.messaging._drivers [-] ECONNREFUSED"
    assert explain("\n" + refused).startswith("the message queue cannot be reached; ")
    assert explain("\n" + JOURNAL).startswith("a package is missing; ")


def test_the_last_error_about_something_is_found() -> None:
    lead = "2026-11-28 12:10:48.981 1316 ERROR nova.compute.manager [instance: 6b8d]"
    log = f"""ActiveEnterTimestamp=
{lead} Traceback (most recent call last):
{lead}   File "/usr/lib/python3/dist-packages/nova/network/neutron.py", line 296, in _ensure
{lead}     raise exception.PortBindingFailed(port_id=port['id'])
{lead} nova.exception.PortBindingFailed: Binding failed for port 2e36 of known-one
{lead}
2026-11-28 12:10:54.907 1316 INFO nova.compute.manager [None req-1] [instance: 6b8d] Took 4 s
2026-11-28 12:11:48.981 1316 ERROR nova.compute.manager [instance: 7777] another"""
    text = "12:10:48 nova.exception.PortBindingFailed: Binding failed for port 2e36 of ****"
    assert about(log, "6b8d", ["known-one"]) == text
    assert about(log, "9999") == ""


@pytest.mark.parametrize("text", ["X-Auth-Token: s3cret", "a known one: known-one."])
def test_secrets_are_masked(text: str) -> None:
    told = explain(f"\n2026-11-22 20:51:03.2 8 ERROR nova [-] {text}", ["known-one"])
    assert "****" in told and "s3cret" not in told and "known-one" not in told
