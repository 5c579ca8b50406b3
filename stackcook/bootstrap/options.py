"""A node's options of ``knife bootstrap`` that name files or say how to log in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackcook.addresses import host_and_port
from stackcook.chef.objects import encryption
from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.manifest.knifeoptions import SUDO_PASSWORD, KnifeOptions
from stackcook.manifest.model import Node
from stackcook.remote.base import Access, Host, HostKeys
from stackcook.remote.config import Config
from stackcook.remote.resolve import Wanted, resolve

_CHECKING = {
    "always": HostKeys.YES,
    "accept_new": HostKeys.NEW,
    "never": HostKeys.NO,
    "false": HostKeys.NO,  # --no-host-key-verify
}
"""What knife's values mean; ``accept_new_or_local_tunnel`` is ``accept_new`` here."""


@dataclass(frozen=True)
class Options(KnifeOptions):
    """A node's options; relative paths are seen from ``root``, the manifest's directory."""

    root: Path = Path()

    def attributes(self, node: str) -> dict[str, Any]:
        """The attributes of the first boot, by option. Raises NodeError if they can't be read."""
        option = self.last("json", "json_file")
        if option is None or not option.value:
            return {}
        if option.name == "json":
            return _map(node, "--json-attributes", option.value)
        return _map(node, "--json-attribute-file", self._text(node, option.value))

    def hints(self, node: str) -> dict[str, Any]:
        """Ohai's hints: name → content. Raises NodeError if one can't be read."""
        pairs = (hint.partition("=") for hint in self.every("hint"))
        return {
            name: _map(node, f"--hint {name}", self._text(node, path)) if path else {}
            for name, _, path in pairs
        }

    def secret(self, node: str, default: Path | None) -> Secret | None:
        """The secret of data bag items: the option's, else that of the file ``default``.

        Raises NodeError if the option's file can't be read.
        """
        option = self.last("secret", "secret_file")
        if option and option.value:
            if option.name == "secret":
                return Secret(option.value)
            return Secret(self._read(node, option.value, encryption.read_secret))
        return Secret(encryption.read_secret(default)) if default else None

    def reach(self, host: Host, config: Config | None = None, access: Access = Access()) -> Host:
        """The host with the passwords and the gateway of the options; ``config`` is OpenSSH's.

        What the options say about unknown host keys holds for the gateway, too.
        """
        if password := self.one("password"):
            host = replace(host, password=Secret(password))
        if self.last(SUDO_PASSWORD):  # the same one, unless --ask-become-pass has asked for it
            host = replace(host, become=host.become or host.password)
        if checking := self._host_keys():
            host = replace(host, host_keys=checking)
        if not (text := self.one("gateway")):
            return host
        config = config or Config()
        user, _, place = text.rpartition("@")
        name, port = host_and_port(place)  # which the manifest's reader has checked
        key = self.one("gateway_key")
        keys = (self.path(key),) if key else ()
        wanted = Wanted(f"gateway {name}", name, user, port, keys, default_user=host.user)
        accept_new = access.accept_new or host.host_keys is HostKeys.NEW
        theirs = replace(access, password=None, become=None, accept_new=accept_new)
        gateway = resolve(wanted, config, theirs)
        if not key:  # as `ssh -i` offers them to both
            gateway = replace(gateway, keys=tuple(dict.fromkeys((*host.keys, *gateway.keys))))
        if checking:
            gateway = replace(gateway, host_keys=checking)
        return replace(host, gateway=gateway, proxy="")

    def _host_keys(self) -> HostKeys | None:
        """What to do with unknown host keys; None if no option says so."""
        given = self.last("--ssh-verify-host-key", "--host-key-verify")
        if given is None:
            return None
        value = (given.value or "").replace("-", "_")
        return _CHECKING.get("accept_new" if value.startswith("accept_new") else value)

    def path(self, text: str) -> Path:
        """The path of the file ``text``."""
        return self.root / os.path.expanduser(text)

    def _text(self, node: str, path: str) -> str:
        return self._read(node, path, lambda file: file.read_text(encoding="utf-8"))

    def _read(self, node: str, path: str, read: Callable[[Path], str]) -> str:
        try:
            return read(self.path(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise NodeError(
                f"cannot read {self.path(path)} ({reason})",
                where=node,
                remedy="correct the path in the node's options",
            ) from error


def options_of(node: Node, root: Path) -> Options:
    """The options of ``node``; ``root`` is the manifest's directory."""
    return Options(node.options.given, root=root)


def _map(node: str, what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _no_map(node, what, str(error)) from error
    if not isinstance(value, dict):
        raise _no_map(node, what, "it is a list or a single value")
    return value


def _no_map(node: str, what: str, why: str) -> NodeError:
    remedy = 'write a JSON object, such as {"web": {"port": 80}}'
    return NodeError(f"{what} is not a JSON object ({why})", where=node, remedy=remedy)
