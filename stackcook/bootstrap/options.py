"""A node's options of ``knife bootstrap`` that name files or say how to log in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackcook.addresses import host_and_port
from stackcook.chef.objects import encryption
from stackcook.command import Secret
from stackcook.errors import NodeError
from stackcook.manifest.knifeoptions import KnifeOptions
from stackcook.manifest.model import Node
from stackcook.remote.base import Host


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

    def reach(self, host: Host) -> Host:
        """The host with the password and the gateway of the options."""
        password = self.one("password")
        host = replace(host, password=Secret(password)) if password else host
        if not (text := self.one("gateway")):
            return host
        user, at, address = text.rpartition("@")
        address, port = host_and_port(address)  # which the manifest's reader has checked
        key = self.one("gateway_key")
        gateway = replace(
            host,
            name=f"gateway {address}",
            address=address,
            user=user or host.user,
            port=port or 22,
            key=self.path(key) if key else host.key,
            password=None,
        )
        return replace(host, gateway=gateway)

    def path(self, text: str) -> Path:
        """The content of the file ``text``."""
        return self.root / Path(text).expanduser()

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
