"""HTTP as verification speaks it: short timeouts, no proxy, one cause for each way to fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stackcook.errors import VerifyError

if TYPE_CHECKING:
    from requests import Response, Session

TIMEOUT = 8.0
"""Seconds that an answer may take."""


def new_session() -> Session:
    """A session that goes straight to the node, past the proxies and .netrc of the user."""
    import requests  # slow to load, and needed only where there is a cloud

    session = requests.Session()
    session.trust_env = False
    return session


def request(
    method: str,
    url: str,
    *,
    session: Session | None = None,
    headers: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    json: Any = None,
    timeout: float = TIMEOUT,
) -> Response:
    """The answer, whatever its status; redirects are not followed.

    Raises VerifyError with the cause if there is none. The bodies sent are never in it.
    """
    try:
        return (session or new_session()).request(
            method,
            url,
            headers=dict(headers or {}),
            data=data,
            json=json,
            timeout=(min(4.0, timeout), timeout),
            allow_redirects=False,
        )
    except OSError as error:  # as all that requests raises
        raise VerifyError(f"{url} does not answer: {cause_of(error, timeout)}") from error


def cause_of(error: Exception, timeout: float) -> str:
    """Why a connection did not work, in a few words."""
    text = f"{error} {error.__cause__ or ''}"
    if "refused" in text:
        return "connection refused, nothing listens there"
    if isinstance(error, TimeoutError) or "timed out" in text:
        return f"no word within {timeout:.0f} s"
    if "No route to host" in text or "Network is unreachable" in text:
        return "no route there, is the machine up?"
    if "Connection aborted" in text or "reset" in text:
        return "it hung up without an answer"
    return text.strip().splitlines()[0][:200]
