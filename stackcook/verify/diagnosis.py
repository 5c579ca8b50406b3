"""Finds the likely cause of a failure in a service's log: its last error, secrets masked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from datetime import datetime, timedelta

from stackcook.redact import Redactor
from stackcook.verify.logs import known
from stackcook.verify.placing import Service

LENGTH = 220
RECENT = timedelta(minutes=10)
"""How long before a fault the error that explains it may have been logged."""

_TIMES = ("ActiveEnterTimestamp", "InactiveEnterTimestamp")
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")
_OSLO = re.compile(
    r"^\S+ (?P<time>[\d:]{8})[.,]?\d* \d+ (?P<level>[A-Z]+) \S+(?: \[[^]]*\])? ?(?P<text>.*)"
)
_OVS = re.compile(r"^\S+T(?P<time>[\d:]{8})\S*Z\|\d+\|(?P<text>[^|]+\|(?P<level>[A-Z]+)\|.*)")
_JOURNAL = re.compile(r"^\S+T(?P<time>[\d:]{8})\S* \S+ [^:]+?(?:\[\d+\])?: (?P<text>.*)")
_ERROR = re.compile(
    r"\b(ERROR|CRITICAL|FATAL|[Ee]rror|[Ff]atal|[Ff]ailed)\b"
    r"|\b([Dd]enied|[Rr]efused|[Cc]annot|[Tt]imed out)\b"
    r"|^[\w.]+(Error|Exception|Failure|Unauthorized|NotFound|Timeout)\b"
)
_EMPTY_WORDS = re.compile(
    r"Failed with result|Main process exited|Failed to start|Scheduled restart|Traceback \(most|"
    r"Consumed .* CPU|^\(Background on this error at: "  # SQLAlchemy's last line
)

HINTS = (
    (r"ACCESS_REFUSED", "the message queue rejects the service's password"),
    (r"(?i)amqp|oslo[._]messaging|rabbit", "the message queue cannot be reached"),
    (r"Access denied for user", "the database rejects the service's password"),
    (r"(?i)mysql|DBConnectionError|mariadb", "the database cannot be reached"),
    (
        r"Unauthorized|HTTP 401|requires authentication|rejected authorization",
        "Keystone rejects the service's password",
    ),
    (r"No space left", "the disk is full"),
    (r"(?i)address already in use", "its port is already in use"),
    (r"ModuleNotFoundError|ImportError", "a package is missing"),
    (r"(?i)ovsdb|ovn[ns]b|664[012]", "the OVN or Open vSwitch database cannot be reached"),
    (r"HypervisorUnavailable|libvirtError|connect.* libvirt", "libvirt does not respond"),
    (r"Permission denied", "a file's owner or mode is wrong"),
)
"""What an error line of these services most often means; the first that matches counts."""


def question(service: Service) -> str:
    """The shell command, to be run as root, that prints what the service last logged."""
    unit = shlex.quote(service.unit)
    tail = f"; tail -q -n 300 -- {shlex.join(service.logs)} 2>/dev/null" if service.logs else ""
    # The files last: what they say is more to the point than what systemd says of the unit.
    times = f"date '+Now=%F %T'; systemctl show -p ActiveState,{','.join(_TIMES)} {unit}"
    return f"export LC_ALL=C; {times}; journalctl -q -u {unit} -n 60 --no-pager -o short-iso{tail}"


def between(service: Service, began: float, ended: float) -> str:
    """The shell command, to be run as root, that prints what the service logged in this time.

    Both are seconds since the epoch, as logs have the node's local time.
    """
    unit, logs = shlex.quote(service.unit), shlex.join(service.logs or ("/dev/null",))
    times = f"since=$(date -d @{began:.0f} '+%F %T') until=$(date -d @{ended:.0f} '+%F %T')"
    journal = f'journalctl -q -u {unit} --since "$since" --until "$until" --no-pager -o short-iso'
    # Lines without a time, as of tracebacks, belong to the line before them.
    program = (
        '/^[0-9]+-[0-9]+-[0-9]+[ T]/ { now = substr($0, 1, 19); sub(/T/, " ", now);'
        " inside = now >= since && now <= until } inside"
    )
    inside = f'awk -v since="$since" -v until="$until" {shlex.quote(program)}'
    files = f"cat -- {logs} 2>/dev/null | {inside}"  # awk ends at a file that does not exist
    return f"export LC_ALL=C; {times}; {{ {journal}; {files}; }} | tail -n 500"


def explain(answer: str, secrets: Collection[str] = ()) -> str:
    """What the last error most likely means, and the error; ``""`` if there was none.

    ``answer`` is what :func:`question` printed. What was logged before the unit's last start, or
    long before it ended, is left out, for a unit that runs long before now; ``secrets`` are
    masked, and so is whatever looks like one.
    """
    line, text = last_error(answer, _since(answer))
    if not text:
        return ""
    hint = next((f"{hint}; " for pattern, hint in HINTS if re.search(pattern, line)), "")
    return f"{hint}last error in its log:  {Redactor(secrets)(text)[:LENGTH]}"


def _since(answer: str) -> str:
    """The time from which on an error may explain why a unit is unwell now."""
    lines = answer.splitlines()[: len(_TIMES) + 2]
    head = dict(line.split("=", 1) for line in lines if "=" in line)
    started, ended = (moment(head.get(key, "")) for key in _TIMES)
    at = ended if head.get("ActiveState") != "active" else ""
    at = at or moment(head.get("Now", ""))
    recent = str(datetime.fromisoformat(at) - RECENT) if at else ""
    return max(started, recent)


def about(answer: str, word: str, secrets: Collection[str] = ()) -> str:
    """The last error among the lines with ``word``, such as an ID; ``""`` if there was none."""
    lines = (line for line in answer.splitlines() if word in line)
    return Redactor(secrets)(last_error("\n".join(lines))[1])[:LENGTH]


def moment(text: str) -> str:
    """``Sun 2026-11-22 20:51:01 UTC`` as ``2026-11-22 20:51:01``; ``""`` if there is none."""
    found = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)
    return found.group() if found else ""


def last_error(log: str, since: str = "") -> tuple[str, str]:
    """The last line that says what went wrong, and what it says: time and text alone."""
    found, now = ("", ""), ""
    for line in log.splitlines():
        stamp = _TIME.match(line)
        now = f"{stamp.group(1)} {stamp.group(2)}" if stamp else now
        text = _error_text(line)
        if text and now >= since:
            found = line, text
    return found


def _error_text(line: str) -> str:
    """What an error line says; ``""`` if it is not an error, or says nothing."""
    match = next((m for m in (form.match(line) for form in (_OSLO, _OVS, _JOURNAL)) if m), None)
    said = match.groupdict() if match else {"text": line}
    text = said["text"].strip()
    if "level" in said:
        is_error = said["level"] in ("ERROR", "CRITICAL", "EMER", "ERR", "WARN")
    else:
        is_error = bool(_ERROR.search(text)) and not re.search(r" (INFO|DEBUG|WARNING) ", text)
    if not is_error or not text or _EMPTY_WORDS.search(text) or text.startswith(("File ", "^")):
        return ""
    if known.reason(line):
        return ""
    return f"{said.get('time', '')} {text}".strip()
