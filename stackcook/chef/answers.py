"""What the Chef server's answers mean; each failure becomes one clear sentence."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

_SKEW = 600.0
"""Seconds that clocks may differ before we say so; servers refuse from 900 on."""


class NotFound(ChefServerError):
    """The Chef server has no such object."""


class Conflict(ChefServerError):
    """The object is there already, or is frozen."""


def parse(server: ChefServer, response: requests.Response) -> Any:
    """The JSON of an answer. Raises ChefServerError for what no Chef server would send."""
    judge(server, response)
    try:
        return response.json()
    except ValueError as error:
        kind = response.headers.get("Content-Type", "nothing").split(";")[0]
        what = f"an answer of type {kind}" if response.content else "an empty answer"
        raise ChefServerError(
            f"{_request(response)} got {what}, which no Chef server gives",
            where=server.url,
            remedy="correct the URL of the Chef server; many end in /organizations/NAME",
        ) from error


def judge(server: ChefServer, response: requests.Response) -> None:
    """Raise what a failed answer means: NotFound, Conflict or another ChefServerError."""
    status = response.status_code
    if status < 300:
        return
    cause, remedy = _meaning(server, response)
    said = _message(response)
    raise {404: NotFound, 409: Conflict}.get(status, ChefServerError)(
        f"{cause} ({_request(response)}: HTTP {status}{': ' + said if said else ''})",
        where=server.url,
        remedy=remedy,
    )


def unreachable(server: ChefServer, error: requests.exceptions.RequestException) -> ChefServerError:
    """The error for a request that got no answer."""
    remedy = "is it running, and is the URL right?"
    if isinstance(error, requests.exceptions.SSLError):
        what, remedy = "its certificate is not trusted", "set REQUESTS_CA_BUNDLE to its CA file"
    elif isinstance(error, requests.exceptions.Timeout):
        what = "no answer in time"
    else:
        what = f"can't be reached ({_innermost(error)})"
    return ChefServerError(f"the Chef server: {what}", where=server.url, remedy=remedy)


def _meaning(server: ChefServer, response: requests.Response) -> tuple[str, str]:
    """Cause and remedy."""
    status = response.status_code
    if status == 401:
        skew = _skew(response)
        if abs(skew) > _SKEW:
            minutes = f"{abs(skew) / 60:.0f} min {'ahead of' if skew > 0 else 'behind'}"
            return f"this clock is {minutes} the server's", "set this machine's clock"
        user, key = server.user, server.key
        return f"the server does not accept {user}'s signature", f"is {key} {user}'s key?"
    if status < 400:
        there = response.headers.get("Location", "another place")
        return f"the server sends us to {there}", "correct the URL of the Chef server"
    if status >= 500:
        return "the Chef server failed", "look into its log, then try again"
    return _MEANINGS.get(status) or ("the Chef server refused the request", "look into its log")


_MEANINGS = {
    404: ("there is no such object on the Chef server", "upload it first"),
    403: ("the user may not do this", "let the server's administrator give the permission"),
    405: ("the Chef server does not know this operation", "is this the URL of a Chef server?"),
    406: ("the Chef server speaks no version of the API that stackcook does", "use Chef 12 to 15"),
    409: ("the object is there already, or frozen", "give the cookbook a new version"),
    413: ("the object is too big for the Chef server", "make it smaller, or raise the limit"),
}


def _request(response: requests.Response) -> str:
    return f"{response.request.method} {response.request.path_url}"


def _innermost(error: BaseException) -> str:
    """The system's own words for what happened."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        reason = getattr(cause, "reason", None)
        cause = reason if isinstance(reason, BaseException) else cause.__context__
    return type(error).__name__


def _message(response: requests.Response) -> str:
    """What the server says is wrong, on one line of at most 200 characters."""
    try:
        said = response.json().get("error", "")
    except (ValueError, AttributeError):
        return ""
    text = "; ".join(map(str, said)) if isinstance(said, list) else str(said)
    return " ".join(text.split())[:200]


def _skew(response: requests.Response) -> float:
    """Seconds that this machine's clock is ahead of the server's; 0 where that is not known."""
    try:
        theirs = parsedate_to_datetime(response.headers["Date"])
        return (datetime.now(timezone.utc) - theirs).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
