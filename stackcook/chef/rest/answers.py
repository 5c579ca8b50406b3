"""What the Chef server's answers mean; each failure becomes one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from stackcook.chef.rest.exchange import Answer, NoAnswer
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

_SKEW = 600.0
"""Seconds that clocks may differ before we say so; servers refuse from 900 on."""


class Refused(ChefServerError):
    """The Chef server said no, with the HTTP ``status``."""

    status = 0

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """A server that failed may recover; one that refuses does not change its mind."""
        return self.status >= 500


class NotFound(Refused):
    """The Chef server has no such object."""


class Conflict(Refused):
    """The object is there already, or is frozen."""


class UnexpectedAnswer(ChefServerError):
    """An answer that no Chef server gives: empty, a web page, or JSON of another shape."""

    transient = False


def parse(server: ChefServer, answer: Answer) -> Any:
    """The JSON of an answer. Raises ChefServerError for what no Chef server would send."""
    judge(server, answer)
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise _strange(server, answer) from error


def accepted(server: ChefServer, answer: Answer) -> None:
    """See that a file was taken. Raises ChefServerError: for a web page, too."""
    judge(server, answer)
    if "html" in answer.headers.get("Content-Type", ""):
        raise _strange(server, answer)


def _strange(server: ChefServer, answer: Answer) -> UnexpectedAnswer:
    kind = answer.headers.get("Content-Type", "").split(";")[0] or "nothing"
    if not answer.body:
        what = "an empty answer"
    else:
        what = "broken JSON" if "json" in kind else f"an answer of type {kind}"
    return UnexpectedAnswer(
        f"{_request(answer)} got {what}, which no Chef server gives",
        where=server.url,
        remedy="correct the URL of the Chef server; many end in /organizations/NAME",
    )


def strange(server: ChefServer, request: str) -> UnexpectedAnswer:
    """The error for an answer to ``request`` that is JSON, but not what a Chef server says."""
    return UnexpectedAnswer(
        f"{request} got an answer that no Chef server gives",
        where=server.url,
        remedy="correct its URL, or look at what lies between and may change answers",
    )


def confirmed(server: ChefServer, request: str, answer: Any, name: str) -> None:
    """See that the answer to a write is about the object ``name``. Raises UnexpectedAnswer."""
    said = answer if isinstance(answer, dict) else {}
    raw = said.get("raw_data")
    named = [said.get(field) for field in ("name", "cookbook_name", "id")]
    named += [raw.get("id") if isinstance(raw, dict) else None, str(said.get("uri")).split("/")[-1]]
    if name not in named:
        raise strange(server, request)


def judge(server: ChefServer, answer: Answer) -> None:
    """Raise what a failed answer means: NotFound, Conflict or another ChefServerError."""
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


def unreachable(server: ChefServer, error: NoAnswer) -> ChefServerError:
    """The error for a request that got no answer."""
    remedy = error.remedy or "is it running, and is the URL right?"
    return ChefServerError(f"the Chef server: {error}", where=server.url, remedy=remedy)


def message(answer: Answer) -> str:
    """What the server says is wrong, on one line of at most 200 characters."""
    try:
        said = json.loads(answer.body).get("error", "")
    except (ValueError, AttributeError):
        return ""
    text = "; ".join(map(str, said)) if isinstance(said, list) else str(said)
    return " ".join(text.split())[:200]


def wants_older_signatures(answer: Answer) -> bool:
    """Whether the server does not know the version of the authentication protocol."""
    # A Chef Infra Server's own words for it.
    return answer.status in (400, 401) and "authentication protocol version" in message(answer)


def patience(headers: Mapping[str, str], *, most: float) -> float:
    """Seconds that ``Retry-After`` asks for, at most ``most``; 0 where it says nothing."""
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
    if status == 401:
        off = skew(answer.headers)
        if abs(off) > _SKEW:
            minutes = f"{abs(off) / 60:.0f} min {'ahead of' if off > 0 else 'behind'}"
            return f"this clock is {minutes} the server's", "set this machine's clock"
        user, key = server.user, server.key
        return f"the server does not accept {user}'s signature", f"is {key} {user}'s key?"
    if status < 400:
        there = answer.headers.get("Location", "another place")
        return f"the server sends us to {there}", "correct the URL of the Chef server"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return "the Chef server failed", "look into its log, then try again"
    return "the Chef server refused the request", "look into its log"


_MEANINGS = {
    404: ("there is no such object on the Chef server", "upload it first"),
    403: ("the user may not do this", "let the server's administrator give the permission"),
    405: ("the Chef server does not know this operation", "is this the URL of a Chef server?"),
    406: ("the Chef server speaks no version of the API that stackcook does", "use Chef 12 to 15"),
    407: ("the proxy wants a name and a password", "put them into the proxy's URL"),
    409: ("the object is there already, or frozen", "give the cookbook a new version"),
    413: ("the object is too big for the Chef server", "make it smaller, or raise the limit"),
    429: ("the Chef server has too much to do", "try again later"),
    503: (
        "the Chef server has no time, or is not ready",
        "try again later; see its status and log",
    ),
    504: ("what lies before the Chef server got no answer from it", "is the Chef server running?"),
}


def _request(answer: Answer) -> str:
    return f"{answer.method} {answer.path}"


def skew(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that this machine's clock is ahead of the server's; 0 where that is not known.

    ``now`` is when the answer came, if not just now.
    """
    try:
        theirs = parsedate_to_datetime(headers["Date"])
        return ((now or datetime.now(timezone.utc)) - theirs).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
