"""Whether what a node's output says has failed often passes by itself. Pure; knows no node."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PASSING = (
    # apt and dpkg are at work for somebody else, or were a moment ago
    r"Could not get lock /var/(lib|cache)/",
    r"Unable to (acquire|lock) (the )?(dpkg|apt|directory /var/|the administration directory)",
    r"dpkg frontend lock (is|was) locked|is another process using it\?",
    r"dpkg was interrupted, you must manually run",
    # a mirror, or the way to it, hiccups
    r"Temporary failure (resolving|in name resolution)",
    r"(Failed to fetch|Cannot initiate the connection) .*"
    r"(Connection (timed out|failed|reset|refused)|timed out|unreachable)",
    r"Could not connect to \S+:\d+ \(",
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
    r"(Failed to fetch|bad response) .* (429|5\d\d)\b",
    r"Error reading from server|Remote end closed connection|Undetermined Error",
    # gem
    r"(Unable to download data from|could not fetch|Gem::RemoteFetcher::FetchError)"
    r".*(timed? ?out|[Tt]imeout|[Rr]eset|refused|resolv|too many connection|EOFError|SSL_read)",
    r"Net::(Open|Read)Timeout",
    # the Chef server, seen by chef-client
    r"(Connection refused|Connection reset by peer|Timeout) connecting to https?://",
    r"Error connecting to https?://\S+ - .*"
    r"(Connection (refused|reset|timed out)|unreachable|execution expired|Temporary failure)",
    r"Net::HTTPFatalError: 50[0234]\b|The Chef Infra Server is temporarily unavailable",
    r"Received an EOF on transport socket",
    # SSH, as knife tells it
    r"Net::SSH::(ConnectionTimeout|Disconnect)|closed by remote host",
    r"Train::\S+.*(Connection (refused|reset|timed out)|timeout|not responding|banner)",
)
_LASTING = re.compile(
    r"No space left on device|HTTPClientException|fingerprint|Authentication failed|"
    r"Permission denied|command not found"
)
_PASSES = re.compile("|".join(f"(?:{pattern})" for pattern in _PASSING))


def passes(lines: Iterable[str]) -> bool:
    """Whether one of the ``lines``, which tell of a failure, tells of one that often passes.

    What never does is a wrong key, a refusal (401, 403), a missing package, a full disk, and all
    that a recipe itself has wrong: a connection that *it* makes is its own business.
    """
    told = tuple(lines)
    return not any(map(_LASTING.search, told)) and any(map(_PASSES.search, told))
