"""Which proxy leads to a host: chosen as knife does, from the environment and its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from stackcook.addresses import bracketed


class Proxy(NamedTuple):
    """A proxy's URL, and ``USER:PASSWORD`` for it, empty without a user."""

    url: str
    login: str = ""


def find_proxy(
    scheme: str, host: str, settings: Mapping[str, str], environ: Mapping[str, str]
) -> Proxy | None:
    """The proxy for requests to ``host``; None for a direct connection.

    ``settings`` are knife's: ``http_proxy``, ``http_proxy_user``, ``no_proxy`` and so on. A proxy
    that only the environment names is not used for private addresses. Raises ValueError if its
    URL is not valid.
    """
    name = f"{scheme}_proxy"
    own = name not in environ and name in settings
    text = _setting(name, settings, environ).strip()
    excluded = _setting("no_proxy", settings, environ)
    if not text or _excluded(host, excluded) or (not own and _is_private(host)):
        return None
    parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[^\s/]+", parts.netloc):
        raise ValueError("not the URL of an HTTP proxy")
    # knife speaks HTTP to every proxy; `https` only means another default port.
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    user, password = (
        (settings.get(f"{name}_{part}", "") if own else "")
        or unquote(given or "")
        or settings.get(f"{parts.scheme}_proxy_{part}", "")
        for part, given in (("user", parts.username), ("pass", parts.password))
    )
    return Proxy(f"http://{bracketed(parts.hostname)}:{port}", f"{user}:{password}" if user else "")


def _setting(name: str, settings: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The environment's, even if empty, else knife's; knife ignores variables in capitals."""
    for place, key in ((environ, name), (settings, name), (environ, name.upper())):
        if key in place:
            return place[key]
    return ""


def _excluded(host: str, no_proxy: str) -> bool:
    patterns = re.split(r"\s*,\s*", no_proxy)
    while patterns and not patterns[-1]:  # Ruby's split leaves these out
        patterns.pop()
    return any(_matches(host.lower(), pattern.lower()) for pattern in patterns)


def _matches(host: str, pattern: str) -> bool:
    """Any pattern is the end of a name; ``**.example.com`` is ``example.com`` and names in it."""
    if pattern.startswith("**."):
        return f".{host}".endswith(pattern[2:])
    return host.endswith(pattern.removeprefix("*"))


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False  # a name
