"""Turns the Chef server's responses into values, and failures into clear errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from stackcook.chef.rest.transport import Answer
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

_SKEW = 600.0
"""Seconds by which clocks may differ before an error mentions it; servers refuse from 900 on."""


class Refused(ChefServerError):
    """The Chef server refused the request, with the HTTP ``status``."""

    status = 0

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Only a server that failed may recover."""
        return self.status >= 500


class NotFound(Refused):
    """The Chef server has no such object."""


class Conflict(Refused):
    """The object already exists, or is frozen."""


class UnexpectedAnswer(ChefServerError):
    """A response that is not a Chef server's: empty, a web page, or JSON of another shape."""

    transient = False


def parse(server: ChefServer, answer: Answer) -> Any:
    """The JSON of a response. Raises ChefServerError for a failure or anything but JSON."""
    judge(server, answer)
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise _strange(server, answer) from error


def accepted(server: ChefServer, answer: Answer) -> None:
    """Check that a file was accepted. Raises ChefServerError, also for a web page."""
    judge(server, answer)
    if "html" in answer.headers.get("Content-Type", ""):
        raise _strange(server, answer)


def _strange(server: ChefServer, answer: Answer) -> UnexpectedAnswer:
    kind = answer.headers.get("Content-Type", "").split(";")[0] or "no content type"
    if not answer.body:
        what = "empty"
    else:
        what = "broken JSON" if "json" in kind else f"not JSON ({kind})"
    return UnexpectedAnswer(
        f"the response to {_request(answer)} is {what}",
        where=server.url,
        remedy="check the URL of the Chef server; most end in /organizations/NAME",
    )


def strange(server: ChefServer, request: str) -> UnexpectedAnswer:
    """The error for a response to ``request`` that is JSON, but not what Chef servers send."""
    return UnexpectedAnswer(
        f"the response to {request} does not come from a Chef server",
        where=server.url,
        remedy="check its URL, and any proxy or gateway in front of it",
    )


def confirmed(server: ChefServer, request: str, answer: Any, name: str) -> None:
    """Check that a write's response is about the object ``name``. Raises UnexpectedAnswer."""
    said = answer if isinstance(answer, dict) else {}
    raw = said.get("raw_data")
    named = [said.get(field) for field in ("name", "cookbook_name", "id")]
    named += [raw.get("id") if isinstance(raw, dict) else None, str(said.get("uri")).split("/")[-1]]
    if name not in named:
        raise strange(server, request)


def judge(server: ChefServer, answer: Answer) -> None:
    """Raise what a failed request means: NotFound, Conflict or another ChefServerError."""
    status = answer.status
    if 200 <= status < 300:
        return
    cause, remedy = _meaning(server, answer)
    said = message(answer)
    error = {404: NotFound, 409: Conflict}.get(status, Refused)(
        f"{cause} ({_request(answer)}: HTTP {status}{': ' + said if said else ''})",
        where=server.url,
        remedy=remedy,
    )
    error.status = status
    raise error


def message(answer: Answer) -> str:
    """The error that the server reports, on one line of at most 200 characters."""
    try:
        said = json.loads(answer.body)["error"]
    except (ValueError, TypeError, KeyError):
        return ""
    reasons = said if isinstance(said, list) else [said]
    # A reason with details is a map with a `message`.
    texts = [each.get("message", each) if isinstance(each, dict) else each for each in reasons]
    text = "; ".join(map(str, texts))
    return " ".join(text.split())[:200]


def patience(headers: Mapping[str, str], *, most: float) -> float:
    """Seconds that ``Retry-After`` asks for, at most ``most``; 0 without that header."""
    said = headers.get("Retry-After", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
            seconds = (until - datetime.now(timezone.utc)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(max(seconds, 0.0), most)


def _meaning(server: ChefServer, answer: Answer) -> tuple[str, str]:
    """Cause and remedy."""
    status = answer.status
    # In the words of Chef Infra Server.
    if status in (400, 401) and "authentication protocol version" in message(answer):
        cause = "the Chef server does not support signatures of version 1.3 (SHA-256)"
        return cause, "upgrade it: stackcook supports no other version"
    if status == 401:
        off = skew(answer.headers)
        if abs(off) > _SKEW:
            minutes = f"{abs(off) / 60:.0f} min {'ahead of' if off > 0 else 'behind'}"
            return f"this machine's clock is {minutes} the server's", "correct this machine's clock"
        user, key = server.user, server.key
        return (
            f"the Chef server rejected {user}'s signature",
            f"check that {key} is the private key of {user}",
        )
    if status < 400:
        there = answer.headers.get("Location", "another URL")
        return f"the server redirects to {there}", "correct the URL of the Chef server"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return "the Chef server failed", "check its log, then try again"
    cause = "the Chef server refused the request"
    return cause, "correct what it rejects" if message(answer) else "check the server's log"


_MEANINGS = {
    403: ("permission denied", "ask the Chef server's administrator for this permission"),
    404: ("there is no such object on the Chef server", "upload it first"),
    405: ("the Chef server does not support this operation", "check the URL of the Chef server"),
    406: (
        "the Chef server supports no API version that stackcook supports",
        "use Chef Infra Server 12 to 15",
    ),
    407: ("the proxy requires a user name and a password", "add them to the proxy's URL"),
    409: (
        "the object already exists, or the cookbook version is frozen",
        "give the cookbook a new version",
    ),
    413: ("the object is too large for the Chef server", "make it smaller, or raise the limit"),
    429: ("the Chef server has received too many requests", "try again later"),
    503: ("the Chef server is overloaded, or not ready", "check its log, then try again"),
    504: (
        "the gateway got no response from the Chef server",
        "check that the Chef server is running",
    ),
}


def _request(answer: Answer) -> str:
    return f"{answer.method} {answer.path}"


def skew(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that this machine's clock is ahead of the server's; 0 where that is not known.

    ``now`` is when the response came, if not just now.
    """
    try:
        theirs = parsedate_to_datetime(headers["Date"])
        return ((now or datetime.now(timezone.utc)) - theirs).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
