"""The lab of the whole deploy: a cloud of its own (name and range) beside whatever else runs here.

Its directory is always the same, so that a run can clear what a crashed one has left.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.started import ROOT, Done, Started, command, environment

NAME = "sctest"
RANGE = "10.0.116"
EXTERNAL = "10.0.117"
BRIDGES = (f"br-{NAME}", f"ex-{NAME}")
CONTENT = ("cookbooks", "roles", "environments")
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")

log = logging.getLogger("lab")


@dataclass
class Lab:
    """A Chef repository with a manifest of its own, and ``stackcook`` as its user runs it."""

    root: Path
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

    def secrets(self) -> list[str]:
        """Every password of this lab, as stackcook itself reads them."""
        from stackcook.chef.objects.databags import read_password
        from stackcook.manifest.read import read

        manifest, findings = read(self.manifest)
        assert manifest, findings
        return [
            read_password(manifest, bag, item)
            for bag, items in manifest.passwords.items()
            for item in items
        ]

    def leftovers(self) -> list[str]:
        """What of this lab is on this machine: containers, bridge, routes, firewall, servers."""
        containers = _output("lxc-ls", "-1").split()
        links = _output("ip", "-o", "link", "show").splitlines()
        routes = _output("ip", "route", "show", "table", "all").splitlines()
        rules = _output("nft", "list", "ruleset").splitlines()
        return [
            *(f"container {name}" for name in containers if name.startswith(f"{NAME}-")),
            *(f"link {name}" for name in BRIDGES for line in links if f" {name}:" in line),
            *(f"route {line.strip()}" for line in routes if _ours(line)),
            *(f"nft {line.strip()}" for line in rules if _ours(line) or NAME in line),
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
                _root("lxc-destroy", "-f", "-n", what)
            elif kind == "link":
                _root("ip", "link", "del", what)
            elif kind == "process":
                _root("kill", what)
            elif kind == "route" and what.startswith("unreachable"):
                _root("ip", "route", "del", *what.split()[:2])
            elif kind == "nft" and what.startswith("table"):
                _root("nft", "delete", *what.rstrip(" {").split())
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


def _ours(line: str) -> bool:
    return f"{RANGE}." in line or f"{EXTERNAL}." in line


def _output(*argv: str) -> str:
    done = subprocess.run([*SUDO, *argv], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _root(*argv: str) -> None:
    """Run as root; what is gone already is no failure of a clearing."""
    done = subprocess.run([*SUDO, *argv], capture_output=True, text=True, timeout=60)
    if done.returncode:
        log.warning("%s: %s", " ".join(argv), done.stderr.strip())


def _prepare(root: Path) -> None:
    """The repository's content, and its manifest with this lab's name and addresses."""
    root.mkdir(parents=True, mode=0o700)
    for name in CONTENT:
        shutil.copytree(ROOT / name, root / name)
    document = yaml.safe_load((ROOT / "infrastructure.yml").read_text())
    settings = document["stackcook"]
    settings |= {
        "name": NAME,
        "network": f"{RANGE}.0/24",
        "external_network": f"{EXTERNAL}.0/24",
    }
    for number, node in enumerate(settings["nodes"].values(), start=10):
        node["address"] = f"{RANGE}.{number}"
    (root / "infrastructure.yml").write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab's directory, prepared; cleared before, for a crashed run's sake, and after."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stackcook"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs would tear down each other's machines
        lab = Lab(cache / "lab" / NAME)
        keep = "STACKCOOK_LAB_KEEP" in os.environ  # to look at what a test has found, and go on
        if not keep or not lab.manifest.exists():
            lab.clear()
            _prepare(lab.root)
        yield lab
        if not keep:
            lab.clear()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "incremental: each test goes on where the last one ended")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Note a failure for the tests that build on it, and show what the nodes' logs end with."""
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    if not report.failed:
        return
    if item.get_closest_marker("incremental"):
        _failed(item)[_teller(item)] = item.name
    lab = getattr(item, "funcargs", {}).get("lab")
    for path in sorted(lab.logs.glob("*.log")) if isinstance(lab, Lab) else ():
        tail = path.read_text(errors="replace").splitlines()[-40:]
        report.sections.append((f"the end of {path.name}", "\n".join(tail)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    before = _failed(item).get(_teller(item))
    if before and item.get_closest_marker("incremental"):
        pytest.skip(f"it builds on {before}, which failed")


def _failed(item: pytest.Item) -> dict[Any, str]:
    """The tests of its file that failed, by the story that they are of."""
    return item.parent.__dict__.setdefault("failed_before", {})


def _teller(item: pytest.Item) -> Any:
    """What tells the file's stories from each other: the param of ``one``, if it has that."""
    return item.callspec.params.get("one") if hasattr(item, "callspec") else None
