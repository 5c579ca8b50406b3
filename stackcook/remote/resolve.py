"""How ssh would reach a host: what is asked for, and else what OpenSSH's configuration says."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackcook.addresses import host_and_port
from stackcook.errors import UsageError
from stackcook.remote.base import Access, Host, HostKeys
from stackcook.remote.config import Config, Settings

_CHECKING = {
    "true": HostKeys.YES,
    "ask": HostKeys.ASK,
    "accept-new": HostKeys.NEW,
    "false": HostKeys.NO,
}
"""What ``ssh -G`` prints for ``StrictHostKeyChecking``."""


@dataclass(frozen=True)
class Wanted:
    """A host as it is asked for; what is empty is left to the configuration.

    ``target`` is the word after ``ssh``: an alias of the configuration, a host name, or an address.
    """

    name: str
    target: str
    user: str = ""
    port: int | None = None
    keys: tuple[Path, ...] = ()
    host_key: str = ""
    default_user: str = "root"


def resolve(wanted: Wanted, config: Config, access: Access) -> Host:
    """The host, with all gateways of its ``ProxyJump``.

    Raises UsageError for a configuration that can't be used.
    """
    return _resolve(wanted, config, access)


def _resolve(
    wanted: Wanted,
    config: Config,
    access: Access,
    seen: tuple[str, ...] = (),
    gateway: Host | None = None,
) -> Host:
    """``seen`` are the hosts whose way led here; a ``gateway`` is used instead of the host's own.

    The passwords are the nodes', not those of their gateways.
    """
    asked = {"User": wanted.user, "Port": wanted.port}
    given = {keyword: value for keyword, value in asked.items() if value}
    found = config.lookup(wanted.target, given, wanted.default_user)
    address, user, port = (_one(found, keyword) for keyword in ("hostname", "user", "port"))
    tokens = {
        "%%": "%",
        "%d": str(config.home),
        "%h": address,
        "%n": wanted.target,
        "%p": port,
        "%r": user,
        "%u": getpass.getuser(),
    }
    command = "" if gateway else _one(found, "proxycommand")
    jumps = "" if gateway else _one(found, "proxyjump")
    files = f"{_one(found, 'userknownhostsfile')} {_one(found, 'globalknownhostsfile')}"
    return Host(
        name=wanted.name,
        address=address,
        user=user,
        keys=wanted.keys or _keys(found, tokens),
        port=int(port),
        password=None if seen else access.password,
        gateway=gateway or _gateway(jumps, config, access, (*seen, wanted.target)),
        agent=_agent(found, tokens, access),
        only_keys=_one(found, "identitiesonly") in ("yes", "true"),
        certificates=_paths(found.get("certificatefile", ()), tokens),
        become=None if seen else access.become,
        proxy=_filled(command, tokens),
        host_keys=_host_keys(found, access),
        known_hosts=_paths(files.split(), tokens),
        host_key=wanted.host_key,
        key_alias=_one(found, "hostkeyalias"),
    )


def _one(found: Settings, keyword: str) -> str:
    """The value of a keyword; empty if it has none."""
    return next(iter(found.get(keyword, ())), "")


def _gateway(jumps: str, config: Config, access: Access, seen: tuple[str, ...]) -> Host | None:
    """The last host of a ``ProxyJump``, which is reached through those before it.

    Only the first of them is reached by a ``ProxyJump`` of its own, as by ssh.
    """
    gateway: Host | None = None
    for text in filter(None, jumps.split(",")):
        user, _, place = text.rpartition("@")
        target, port = host_and_port(place)  # which ssh has checked
        if target in seen:
            raise UsageError(
                f"ProxyJump of {' → '.join((*seen, target))} goes in a circle",
                where=str(config.file),
                remedy="add `ProxyJump none` to the gateway's own block",
            )
        wanted = Wanted(f"gateway {target}", target, user=user, port=port, default_user="")
        gateway = _resolve(wanted, config, access, seen, gateway)
    return gateway


def _agent(found: Settings, tokens: Mapping[str, str], access: Access) -> str:
    text = _one(found, "identityagent") or "SSH_AUTH_SOCK"
    if text == "SSH_AUTH_SOCK":
        return access.agent
    if text.startswith("$"):
        return os.environ.get(text[1:], "")
    return "".join(map(str, _paths([text], tokens)))


def _keys(found: Settings, tokens: Mapping[str, str]) -> tuple[Path, ...]:
    """The key files, without those that ssh tries by itself and that do not exist."""
    own = Path(tokens["%d"], ".ssh")
    return tuple(
        path
        for path in _paths(found.get("identityfile", ()), tokens)
        if not (path.parent == own and path.name.startswith("id_"))
        or path.is_file()
        or path.with_name(f"{path.name}.pub").is_file()  # its private half is in the agent
    )


def _host_keys(found: Settings, access: Access) -> HostKeys:
    asked = _CHECKING.get(_one(found, "stricthostkeychecking"), HostKeys.ASK)
    return HostKeys.NEW if access.accept_new and asked is HostKeys.ASK else asked


def _paths(texts: Iterable[str], tokens: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that are named; ``none`` is no file."""
    named = (re.sub("^~(?=/)", "%d", text) for text in texts if text.lower() != "none")
    return tuple(Path(_filled(text, tokens)) for text in named)


def _filled(text: str, tokens: Mapping[str, str]) -> str:
    """A text with the tokens of ssh_config(5) replaced, which ``ssh -G`` prints as they are."""
    return re.sub("%.", lambda token: tokens.get(token[0], token[0]), text)
