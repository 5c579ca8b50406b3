"""The options of ``knife bootstrap`` that a node carries, as far as stackcook itself heeds them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from stackcook.chef.objects import encryption
from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host

_VALUES = {
    "--tags": "tags",
    "-j": "json",
    "--json-attributes": "json",
    "--json-attribute-file": "json_file",
    "--hint": "hint",
    "--secret": "secret",
    "--secret-file": "secret_file",
    "--bootstrap-version": "version",
    "--bootstrap-proxy": "proxy",
    "--bootstrap-no-proxy": "no_proxy",
    "--node-ssl-verify-mode": "ssl_verify_mode",
    "--bootstrap-install-command": "install",
    "--bootstrap-preinstall-command": "preinstall",
    "-G": "gateway",
    "--ssh-gateway": "gateway",
    "--ssh-gateway-identity": "gateway_key",
    "-P": "password",
    "--connection-password": "password",
    "--ssh-password": "password",
}
"""Flags that take a value, and what that is."""

_SWITCHES = {"--node-verify-api-cert": "true", "--no-node-verify-api-cert": "false"}

# Those that the manifest's reader has heeded, or that are so anyway: with and without a value.
_ELSEWHERE = """-E --environment -N --node-name -U --connection-user -x --ssh-user
 -i --ssh-identity-file --identity-file -p --connection-port --ssh-port -r --run-list --policy-name
 --policy-group --ssh-verify-host-key --max-wait -W --session-timeout --channel""".split()
_ANYWAY = """--sudo --use-sudo -y --yes --no-host-key-verify --no-color --color -V -VV""".split()

# What knife is told in another way: the rest is passed on to it.
_TOLD = ("json", "json_file", "secret", "secret_file", "password")

_FLAG = re.compile(r"(--[\w-]+)(?:=(.*))?|(-\w)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Options:
    """What is given for one node. ``values`` are those of flags, the nearest to the node first.

    ``foreign`` are flags that only knife itself heeds, ``for_knife`` the words to pass on to it.
    Paths are as written: relative ones are seen from ``root``.
    """

    root: Path
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    for_knife: tuple[str, ...] = ()
    verify_api_cert: str = ""

    def one(self, name: str) -> str:
        """The value of a kind of flag, empty without one."""
        return self.values.get(name, ("",))[0]

    @property
    def tags(self) -> tuple[str, ...]:
        """The node's tags."""
        return tuple(filter(None, re.split(r"[\s,]+", self.one("tags"))))

    @property
    def version(self) -> str:
        """The version of the client that is wanted, or its first parts; empty: any."""
        return self.one("version").removeprefix("latest").lstrip("v~>= ")

    def attributes(self, node: str) -> dict[str, Any]:
        """The attributes of the first boot, by option. Raises NodeError if they can't be read."""
        if text := self.one("json"):
            return _map(node, "--json-attributes", text)
        if path := self.one("json_file"):
            return _map(node, "--json-attribute-file", self._text(node, path))
        return {}

    def hints(self, node: str) -> dict[str, Any]:
        """Ohai's hints: name → content. Raises NodeError if one can't be read."""
        pairs = (hint.partition("=") for hint in self.values.get("hint", ()))
        return {
            name: _map(node, f"--hint {name}", self._text(node, path)) if path else {}
            for name, _, path in pairs
        }

    def secret(self, node: str, default: Path | None) -> Secret | None:
        """What decrypts data bag items: by option, else from the file ``default``."""
        if text := self.one("secret"):
            return Secret(text)
        if path := self.one("secret_file"):
            return Secret(self._text(node, path).strip())
        return Secret(encryption.read_secret(default)) if default else None

    def reach(self, host: Host) -> Host:
        """The host with the password, and the gateway to go through, that the options give."""
        password = self.one("password")
        host = replace(host, password=Secret(password)) if password else host
        if not (text := self.one("gateway")):
            return host
        user, at, address = text.rpartition("@")
        address, _, port = address.partition(":")
        key = self.one("gateway_key")
        gateway = replace(
            host,
            name=f"gateway {address}",
            address=address,
            user=user or host.user,
            port=int(port) if port.isdigit() else 22,
            key=self.path(key) if key else host.key,
            password=None,
        )
        return replace(host, gateway=gateway)

    def path(self, text: str) -> Path:
        """The file that is written as ``text``."""
        return self.root / Path(text).expanduser()

    def _text(self, node: str, path: str) -> str:
        try:
            return self.path(path).read_text()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise NodeError(
                f"{self.path(path)} can't be read ({reason})",
                where=node,
                remedy="correct the path in the node's options",
            ) from error


def options_of(node: Node, root: Path) -> Options:
    """The options of ``node``; ``root`` is the manifest's directory."""
    return _parse(node.options, root)


def needs_knife(node: Node, root: Path) -> tuple[str, ...]:
    """The flags for which knife itself has to bootstrap this node; none: stackcook can."""
    return options_of(node, root).foreign


@lru_cache(maxsize=256)  # a thousand nodes have the same few
def _parse(text: str, root: Path) -> Options:
    values: dict[str, tuple[str, ...]] = {}
    foreign: dict[str, None] = {}
    cert = ""
    passed: list[str] = []
    for flag, words in _flags(text):
        kind = _VALUES.get(flag)
        if flag in _ELSEWHERE or flag in _ANYWAY:
            continue
        if flag not in foreign and (kind == "hint" or (kind not in values and kind not in _TOLD)):
            passed += (flag, *words)
        if kind:
            values[kind] = (*values.get(kind, ()), *(words or ("",)))
        elif flag in _SWITCHES:
            cert = cert or _SWITCHES[flag]
        else:
            foreign[flag] = None
    return Options(root, values, tuple(foreign), tuple(passed), cert)


def _flags(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each flag with its value; with those that only knife knows, all words up to the next."""
    words = shlex.split(text)[::-1]
    while words:
        match = _FLAG.fullmatch(word := words.pop())
        if not match or word in _ANYWAY:
            continue
        flag, value = match[1] or match[3], match[2] or match[4]
        following = [value] if value else []
        if flag in _VALUES or flag in _ELSEWHERE:
            following += [words.pop()] if words and not following else []
        else:
            while words and not words[-1].startswith("-"):
                following.append(words.pop())
        yield flag, tuple(following)


def _map(node: str, what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _no_map(node, what, str(error)) from error
    if not isinstance(value, dict):
        raise _no_map(node, what, "no map")
    return value


def _no_map(node: str, what: str, why: str) -> NodeError:
    remedy = 'write a JSON object, such as {"web": {"port": 80}}'
    return NodeError(f"{what} is not JSON that Chef takes ({why})", where=node, remedy=remedy)
