"""IP addresses of both versions, host names, and either in front of a port."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address

_BRACKETED = re.compile(r"\[([^][]+)\](?::(\d+))?", re.ASCII)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"({_LABEL}\.)*(?!\d+$){_LABEL}", re.ASCII | re.IGNORECASE)
_PLAIN = re.compile(r"([^][:]+)(?::(\d+))?", re.ASCII)


def bracketed(host: object) -> str:
    """The host as it is written in a URL, or before a port: an IPv6 address in brackets."""
    text = str(host)
    return f"[{text}]" if ":" in text else text


def address_or_name(text: str) -> IPAddress | str:
    """An IP address, or a host name. Raises ValueError for anything else.

    A name whose last part is a number, such as 10.0.0.256, is an address with a mistake.
    """
    if _NAME.fullmatch(text):
        return text
    return ip_address(text)


def host_and_port(text: str) -> tuple[str, int | None]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[ADDRESS]``, ``[ADDRESS]:PORT`` or ``IPV6``.

    ``ssh -G`` prints IPv4 addresses in brackets, too. Raises ValueError for anything else.
    """
    match = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if not match:
        return str(IPv6Address(text)), None
    port = int(match[2]) if match[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port number")
    return (str(ip_address(match[1])) if text.startswith("[") else match[1]), port
