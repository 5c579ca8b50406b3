"""The arguments of ssh(1) that lead to a node as stackcook reaches it, for other programs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from stackcook.errors import UsageError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host


def to_node(host: Host, node: Node, known_hosts: Path) -> list[str]:
    """The arguments that lead to ``node``, up to the name or address after ``--``.

    Raises UsageError if a key of the manifest is missing.
    """
    target = str(node.ssh_place or node.name) if host.known_hosts else host.address
    return [*arguments(host, _given_keys(host, node), known_hosts), "--", target]


def arguments(host: Host, keys: Sequence[Path], known_hosts: Path) -> list[str]:
    """The arguments before the name of the host.

    ssh reads its own configuration, too, so that what stackcook doesn't know is as usual there. Of
    the user's keys and known hosts, it gets none for machines that stackcook has made.
    """
    options = {
        "HostName": host.address.replace("%", "%%"),  # the % of fe80::1%eth0 is no token
        "UserKnownHostsFile": " ".join(f'"{file}"' for file in (known_hosts, *host.known_hosts)),
        "StrictHostKeyChecking": host.host_keys.value,
        "LogLevel": "ERROR",
    }
    if host.gateway:
        gateway = host.gateway
        target = gateway.name.removeprefix("gateway ")
        there = [*arguments(gateway, gateway.keys, known_hosts), "--", target]
        options["ProxyCommand"] = proxy_command("[%h]:%p", there)  # -J has no place for its key
    if not host.known_hosts:
        options |= {"GlobalKnownHostsFile": "/dev/null", "IdentitiesOnly": "yes"}
    words = ["-p", str(host.port), "-l", host.user]
    for option, value in options.items():
        words += ["-o", f"{option}={value}"]
    for key in keys:
        words += ["-i", str(key)]
    return words


def proxy_command(to: str, through: Sequence[str]) -> str:
    """The ProxyCommand that connects to ``to`` from the host that the arguments ``through`` reach.

    ``to`` is HOST:PORT, and may have tokens.
    """
    # ssh replaces the tokens of a command; those of a gateway's own gateway come later
    quoted = (word.replace("%", "%%") for word in through)
    return shlex.join(["ssh", "-W", to, *quoted])


def _given_keys(host: Host, node: Node) -> tuple[Path, ...]:
    """The keys for ssh(1), which finds its configuration in another place if HOME is not the user's
    own directory; raises UsageError if one of the manifest is missing."""
    if host.known_hosts and not node.key:
        return tuple(key for key in host.keys if key.is_file())
    for key in host.keys:
        if not key.is_file() and not host.password:
            remedy = f"set `key` in `stackcook: nodes: {node.name}`"
            raise UsageError(f"SSH key not found: {key}", where=node.name, remedy=remedy)
    return host.keys
