"""Labs of the tests: a cloud of its own (name and range) beside whatever else runs here.

The directory of a lab is always the same, so that a run can clear what a crashed one has left.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stackcook.cache import cache
from stackcook.chef.objects.databags import read_password
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from tests.started import ROOT, Done, Started, command, environment

Change = Callable[[dict[str, Any]], None]

CONTENT = ("cookbooks", "roles", "environments")
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")

log = logging.getLogger("lab")


@dataclass
class Lab:
    """A Chef repository with a manifest of its own, and ``stackcook`` as its user runs it.

    ``range`` and ``external`` are the first three numbers of the addresses of its networks; it need
    not have an external one.
    """

    root: Path
    name: str
    range: str
    external: str | None
    transcript: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> Path:
        return self.root / "infrastructure.yml"

    @property
    def logs(self) -> Path:
        return self.root / ".stackcook" / "logs"

    def stackcook(self, *argv: str, timeout: float = 120, stdin: str = "") -> Done:
        """Run the command on this lab's manifest; every line goes to the log as it comes."""
        return self.run(*command(self.manifest, *argv), timeout=timeout, stdin=stdin)

    def on(self, node: str, script: str, *, stdin: str = "", timeout: float = 120) -> Done:
        """Run a shell command as root on a node."""
        argv = ("sudo", "sh", "-c", f"'{script}'")
        return self.stackcook("ssh", node, "--", *argv, stdin=stdin, timeout=timeout)

    def run(self, *argv: str, timeout: float = 120, stdin: str = "") -> Done:
        """Run a program in the lab's directory; it is killed, with its children, when late."""
        began = time.monotonic()
        log.info("$ %s", " ".join(argv))
        env = environment(CHEF_LICENSE="accept-silent")
        done = Started(argv, cwd=self.root, tell=self._tell, env=env, stdin=stdin).ended(timeout)
        log.info("= %d after %.1f s", done.status, time.monotonic() - began)
        return done

    def _tell(self, line: str) -> None:
        self.transcript.append(line)
        log.info("%s", line)

    def openstack(self, *argv: str, cloud: str = "stackcook") -> list[dict[str, Any]]:
        """What the standard client says, given nothing but the clouds.yaml."""
        done = self.run("openstack", "--os-cloud", cloud, *argv, "-f", "json")
        assert done.status == 0, done.err
        rows: list[dict[str, Any]] = json.loads(done.out)
        return rows

    def read(self) -> Manifest:
        """Its manifest, as stackcook reads it."""
        manifest, findings = read(self.manifest)
        assert manifest, findings
        return manifest

    def secrets(self) -> list[str]:
        """Every password of this lab, as stackcook itself reads them."""
        manifest = self.read()
        return [
            read_password(manifest, bag, item)
            for bag, items in manifest.passwords.items()
            for item in items
        ]

    def leftovers(self) -> list[str]:
        """What of this lab is on this machine: containers, bridge, routes, firewall, servers."""
        bridges = (f"br-{self.name}", f"ex-{self.name}")
        containers = _output("lxc-ls", "-1").split()
        links = _output("ip", "-o", "link", "show").splitlines()
        routes = _output("ip", "route", "show", "table", "all").splitlines()
        rules = _output("nft", "list", "ruleset").splitlines()
        return [
            *(f"container {name}" for name in containers if name.startswith(f"{self.name}-")),
            *(f"link {name}" for name in bridges for line in links if f" {name}:" in line),
            *(f"route {line.strip()}" for line in routes if self._is_mine(line)),
            *(f"nft {line.strip()}" for line in rules if self._is_mine(line) or self.name in line),
            *(f"process {pid}" for pid in self._processes()),
        ]

    def clear(self) -> None:
        """Take everything of this lab away: as its user would, then whatever is still there."""
        if self.manifest.exists():
            self.stackcook("destroy", "--yes", timeout=600)
        for left in self.leftovers():
            kind, what = left.split(" ", 1)
            log.warning("clearing %s", left)
            if kind == "container":
                as_root("lxc-destroy", "-f", "-n", what)
            elif kind == "link":
                as_root("ip", "link", "del", what)
            elif kind == "process":
                as_root("kill", what)
            elif kind == "route" and what.startswith("unreachable"):
                as_root("ip", "route", "del", *what.split()[:2])
            elif kind == "nft" and what.startswith("table"):
                as_root("nft", "delete", *what.rstrip(" {").split())
        if self.root.exists():
            subprocess.run([*SUDO, "rm", "-rf", "--", str(self.root)], check=True)

    def _processes(self) -> Iterator[int]:
        """The servers that run out of this lab's directory."""
        mine = f"{self.root}/.stackcook/".encode()
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mine in cmdline.read_bytes() and b"goiardi" in cmdline.read_bytes():
                    yield int(cmdline.parent.name)
            except OSError:
                continue  # it has ended since

    def _is_mine(self, line: str) -> bool:
        return any(f"{range}." in line for range in (self.range, self.external) if range)


def _output(*argv: str) -> str:
    done = subprocess.run([*SUDO, *argv], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def as_root(*argv: str) -> None:
    """Run as root; what is gone already is no failure of a clearing."""
    done = subprocess.run([*SUDO, *argv], capture_output=True, text=True, timeout=60)
    if done.returncode:
        log.warning("%s: %s", " ".join(argv), done.stderr.strip())


def write(lab: Lab, change: Change) -> None:
    """Write the repository's content, and its manifest with the lab's name and addresses."""
    lab.root.mkdir(parents=True, mode=0o700)
    for name in CONTENT:
        shutil.copytree(ROOT / name, lab.root / name)
    document = yaml.safe_load((ROOT / "infrastructure.yml").read_text())
    change(document)
    settings = document["stackcook"]
    settings |= {"name": lab.name, "network": f"{lab.range}.0/24"}
    settings.pop("external_network")
    if lab.external:
        settings["external_network"] = f"{lab.external}.0/24"
    for number, node in enumerate(settings["nodes"].values(), start=10):
        node["address"] = f"{lab.range}.{number}"
    lab.manifest.write_text(yaml.safe_dump(document, sort_keys=False))


@contextmanager
def prepared(
    name: str, range: str, external: str | None, change: Change = lambda _: None
) -> Iterator[Lab]:
    """The lab's directory, written; cleared before, for a crashed run's sake, and after.

    ``change`` edits the repository's own manifest, as a dict, before it is written.
    With STACKCOOK_LAB_KEEP in the environment it is left, to look at what a test has found.
    """
    directory = cache()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs would tear down each other's machines
        lab = Lab(directory / "lab" / name, name, range, external)
        keep = "STACKCOOK_LAB_KEEP" in os.environ
        if not keep or not lab.manifest.exists():
            lab.clear()
            write(lab, change)
        yield lab
        if not keep:
            lab.clear()
