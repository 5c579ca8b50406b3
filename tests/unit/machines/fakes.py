"""This machine's programs, as far as the lab asks them; notes what is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.command import Command, Completed

ETH0 = {"ifname": "eth0", "addr_info": [{"local": "192.0.2.2", "prefixlen": 24}]}


@dataclass
class FakeHost:
    """Answers ``ip``, ``lxc-ls`` and the like by its fields; ``done`` are the other commands."""

    links: list[dict[str, Any]] = field(default_factory=lambda: [ETH0])
    routes: list[dict[str, Any]] = field(
        default_factory=lambda: [{"dst": "default", "dev": "eth0"}]
    )
    way: str = "br-lab"
    forwarding: str = "1"
    containers: dict[str, bool] = field(default_factory=dict)
    owners: dict[str, Path] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # container → address of its eth0
    second_links: dict[str, str] = field(default_factory=dict)  # container → bridge of its eth1
    fails: str = ""
    garbled: list[Completed] = field(default_factory=list)  # what `ip -json` answers first
    done: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)

    def run(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout: float | None = None,
    ) -> Completed:
        argv = [word for word in command.argv if Path(word).name not in ("sudo", "-n")]
        name, text = Path(argv[0]).name, " ".join([Path(argv[0]).name, *argv[1:]])
        if self.fails and self.fails in text:
            return Completed(1, "no such luck\n")
        if "-json" in argv and self.garbled:
            return self.garbled.pop()
        answer = self._answer(name, argv[1:])
        if answer is None:
            self.done.append(text)
            if isinstance(command.stdin, str):
                self.rules.append(command.stdin)
            return Completed(0, "")
        return Completed(0, answer)

    def _answer(self, name: str, arguments: list[str]) -> str | None:
        if name == "cat":
            return self.forwarding
        if name == "lxc-info":
            if arguments[-1] == "lxc.net.1.link":
                return f"lxc.net.1.link = {self.second_links.get(arguments[1], '')}\n"
            if arguments[-1] == "lxc.net.0.ipv4.address":
                return f"lxc.net.0.ipv4.address = {self.addresses.get(arguments[1], '')}/24\n"
            if "--stats" in arguments:
                return "Memory use:     1000000000\n"
            root = self.owners.get(arguments[1])
            return f"lxc.hook.mount = sh identity.sh {root}/.stackcook/ssh/k.pub" if root else ""
        if name == "lxc-ls":
            running = "--running" in arguments
            return "\n".join(one for one, up in self.containers.items() if up or not running)
        if name != "ip" or "-json" not in arguments:
            return None
        if "get" in arguments:
            return json.dumps([{"dst": arguments[-1], "dev": self.way}])
        if "unreachable" in arguments:
            return json.dumps([{"dst": "10.9.0.0/24"}])
        return json.dumps(self.routes if "route" in arguments else self.links)
