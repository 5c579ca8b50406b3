"""A Chef repository whose nodes are hosts that were there before, and the home of its user."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stackcook.cache import cache
from tests.hosts import EXTERNAL, Host
from tests.labs import CONTENT, log
from tests.started import ROOT, Done, Started, command, environment


@dataclass(frozen=True)
class OwnHosts:
    """The first host is the controller, the others are compute nodes."""

    root: Path
    hosts: tuple[Host, ...]
    env: dict[str, str] = field(default_factory=dict)

    def stackcook(self, *argv: str, timeout: float = 120) -> Done:
        """Run the command as its user does; ``env`` is added to the environment."""
        words = command(self.root / "infrastructure.yml", *argv)
        caches = str(cache().parent)  # as the user's: the Chef client takes minutes to build
        env = environment(HOME=str(self.root / "home"), XDG_CACHE_HOME=caches, **self.env)
        return Started(words, cwd=self.root, tell=log.info, env=env).ended(timeout)

    def write(self, ssh_config: str, more: Mapping[str, Mapping[str, Any]] = {}) -> None:
        """The manifest, the Chef repository and the user's ~/.ssh.

        ``more`` are further settings by node. Nodes are called as their hosts.
        """
        for name in CONTENT:
            shutil.copytree(ROOT / name, self.root / name)
        controller, *computes = self.hosts
        document = yaml.safe_load((ROOT / "infrastructure.yml").read_text())
        document["nodes"] = [
            {controller.name: {"run_list": "role[single-controller]"}},
            {" ".join(host.name for host in computes): {"run_list": "role[single-compute]"}},
        ]
        document["stackcook"] = {
            "name": "hosts",
            "machines": "ssh",
            "external_network": str(EXTERNAL),
            "external_interface": "eth1",
            "nodes": {
                host.name: {"address": str(host.address), **more.get(host.name, {})}
                for host in self.hosts
            },
            "stages": ["single-controller", "single-compute"],
        }
        (self.root / "infrastructure.yml").write_text(yaml.safe_dump(document, sort_keys=False))
        self.write_ssh(ssh_config)

    def write_ssh(self, config: str) -> None:
        """The user's ~/.ssh, in which the host keys of all hosts are known."""
        ssh = self.root / "home" / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        (ssh / "config").write_text(config)
        known = (
            f"{host.address},[{host.address}]:2222,{host.ipv6} {host.host_key()}\n"
            for host in self.hosts
        )
        (ssh / "known_hosts").write_text("".join(known))
