"""What a terminal (tmux) of 60 or 80 columns shows: no line is longer, and no word is broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.started import environment

pytestmark = pytest.mark.parametrize("columns", [60, 80])

DEADLINE = 30.0
"""Seconds after which a program that shows nothing new counts as hanging."""

FAKED = """
import sys
from pathlib import Path
from stackcook.cli import deploy, main, status
from stackcook.errors import NodeError
from tests.fakes import FakeSite

def during(node):
    pause = Path("pause")
    if node.name == "compute1" and pause.exists():
        pause.read_text()
        pause.unlink()

site = FakeSite()
site.chef.during = during
if Path("broken").exists():
    site.chef.broken["compute1"] = NodeError(Path("broken").read_text(), where="compute1")
deploy.Site = status.ChefSite = lambda *_: site
main.main()
"""
"""stackcook with machines in memory; compute1 waits for a writer of the FIFO ``pause``."""

ZONES = """\
clusters:
- zone1:
  - zone1-controller: {run_list: "role[controller]"}
  - zone1-compute1: {run_list: "role[compute]"}
- zone2:
  - zone2-controller: {run_list: "role[controller]"}
  - zone2-compute1: {run_list: "role[compute]"}
stackcook:
  machines: ssh
  stages: [controller, compute]
  nodes:
    zone1-controller: {address: 192.168.122.110, key: key}
    zone1-compute1: {address: 192.168.122.111, key: key}
    zone2-controller: {address: 192.168.122.120, key: key}
    zone2-compute1: {address: 192.168.122.121, key: key}
"""
"""The names that `init --zones 2` writes."""

WHY = (
    "apt-get install nova-compute failed: E: Failed to fetch the package"
    " nova-compute_31.0.0-6_all.deb from mirror.example.com: 503 Service Unavailable"
)


class Terminal:
    """A terminal of tmux; its server has a socket of its own."""

    def __init__(self, socket: Path, columns: int) -> None:
        self._tmux = ("tmux", "-S", str(socket), "-f", "/dev/null")
        self._columns = columns

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"tmux {arguments}: {done.stderr}"
        return done.stdout

    def start(self, *argv: str) -> None:
        env = environment(TERM="xterm-256color")
        start = ["new-session", "-d", "-x", str(self._columns), "-y", "50", *argv]
        options = ["set", "-g", "remain-on-exit", "on", ";", "set", "-g", "history-limit", "9999"]
        subprocess.run(
            [*self._tmux, "start-server", ";", *options, ";", *start], env=env, check=True
        )

    def wait_for(self, text: str) -> None:
        """Until it shows this text; raises if the program ends without."""
        deadline = time.monotonic() + DEADLINE
        while text not in "\n".join(self.lines()):
            assert time.monotonic() < deadline and not self.ended, "\n".join(self.lines())

    @property
    def ended(self) -> bool:
        return self._ask("display-message", "-p", "#{pane_dead}").strip() == "1"

    def wait(self) -> list[str]:
        """The lines that it shows when the program has ended."""
        deadline = time.monotonic() + DEADLINE
        while not self.ended:
            assert time.monotonic() < deadline, "\n".join(self.lines())
        return self.lines()

    def lines(self) -> list[str]:
        """All lines since the start; fails if the terminal had to wrap one."""
        shown, joined = (
            [
                line.rstrip()
                for line in self._ask("capture-pane", "-p", "-S", "-", *more).splitlines()
            ]
            for more in ((), ("-J",))
        )
        long = [line for line in joined if len(line) > self._columns]
        assert [line for line in long if " " in line.strip()] == [], "only words stay whole"
        return [line for line in shown if line and not line.startswith("Pane is dead")]

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)


@pytest.fixture
def terminal(columns: int, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "tmux", columns)
    yield terminal
    terminal.close()


def stackcook(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "stackcook", *arguments)


def faked(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", FAKED, *arguments)


@pytest.mark.parametrize("name", ["", "deploy", "init"])
def test_help(terminal: Terminal, columns: int, name: str) -> None:
    terminal.start(*stackcook(*name.split(), "--help"))
    lines = terminal.wait()
    assert max(map(len, lines)) > columns - 12, "it uses the width"


def test_findings_of_check(terminal: Terminal, root: Path) -> None:
    path = root / "infrastructure.yml"
    path.write_text(path.read_text().replace("address: 127.0.0.3, key: key", "adress: 127.0.0.3"))
    terminal.start(*stackcook("check"))
    shown = terminal.wait()
    plain = subprocess.run(stackcook("check"), capture_output=True, text=True, env=environment())
    assert " ".join(" ".join(shown).split()) == " ".join(plain.stdout.split())
    assert len(shown) > len(plain.stdout.splitlines()), "a finding is longer than a line"


@pytest.mark.usefixtures("root")
def test_progress_of_a_deploy(terminal: Terminal) -> None:
    os.mkfifo("pause")
    terminal.start(*faked("deploy"))
    terminal.wait_for("compute1         install")
    Path("pause").write_text("go on")
    text = "\n".join(terminal.wait())
    assert re.search(r"deploy done in [\d.]+ s", text)
    assert "compute1    3/4 resources updated" in text


@pytest.mark.usefixtures("root")
def test_a_deploy_that_fails(terminal: Terminal) -> None:
    Path("broken").write_text(WHY)
    terminal.start(*faked("deploy"))
    text = " ".join(" ".join(terminal.wait()).split())
    assert WHY in text and "stackcook logs compute1 --failed" in text


@pytest.mark.usefixtures("root")
def test_status(terminal: Terminal) -> None:
    Path("broken").write_text(WHY)
    subprocess.run(faked("deploy"), env=environment(), capture_output=True)
    terminal.start(*faked("status"))
    lines = terminal.wait()
    assert WHY in " ".join(" ".join(lines).split())
    assert sum("compute1" in line for line in lines) == 1


def test_status_of_zones(terminal: Terminal, root: Path) -> None:
    (root / "infrastructure.yml").write_text(ZONES)
    done = subprocess.run(faked("deploy"), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    terminal.start(*faked("status"))
    assert [line.split()[:2] for line in terminal.wait()] == [
        ["zone", "node"],
        ["zone1", "zone1-controller"],
        ["zone1", "zone1-compute1"],
        ["zone2", "zone2-controller"],
        ["zone2", "zone2-compute1"],
    ]
