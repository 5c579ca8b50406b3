"""Ctrl-C in a terminal: what the screen shows then."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tests.started import environment

MANIFEST = """\
roles: [{a: }, {b: }]
nodes:
- one: {run_list: "role[a]"}
- two three: {run_list: "role[b]"}
stackcook:
  machines: ssh
  bootstrap: knife
  stages: [a, b]
  nodes:
    one: {address: 127.0.0.2, key: key}
    two: {address: 127.0.0.3, key: key}
    three: {address: 127.0.0.4, key: key}
"""

SCRIPT = """
import os, signal
from stackcook.cli import deploy, main
from tests.fakes import FakeSite

def during(node):
    if node.name == "two":
        os.kill(os.getpid(), signal.SIGINT)

site = FakeSite()
site.chef.during = during
deploy.Site = lambda *_: site
main.main()
"""


def screen(output: str) -> list[str]:
    """The lines that a terminal shows in the end."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part.startswith("\x1b") and part.endswith("A"):
            row -= int(part[2:-1])
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b"):
            lines[row] += part
    return [line for line in lines if line]


def deployed_in_a_terminal(root: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=root,
        env=environment(TERM="xterm", COLUMNS="100", PYTHONIOENCODING="ascii"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    output = b""
    try:
        while read := os.read(ours, 4096):
            output += read
    except OSError:  # the terminal's last user has gone
        pass
    finally:
        os.close(ours)
    return process.wait(60), screen(output.decode())


def test_the_rows_go_and_the_summary_says_how_to_resume(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "roles").mkdir()
    for role in "ab":
        (tmp_path / "roles" / f"{role}.json").write_text(f'{{"name": "{role}"}}')
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    code, lines = deployed_in_a_terminal(tmp_path, "deploy", "--anew", "--parallel", "1")
    assert code == 130
    assert [re.sub(r"[0-9.]+ s$", "N s", line) for line in lines[-5:]] == [
        "deploy interrupted in N s",
        "  done        check, secrets, network, chef server, machines, findings, upload, run lists,"
        " gate",
        "  done        one, two",
        "  not begun   three",
        "interrupted; run `stackcook deploy --parallel 1` again: it resumes where it stopped",
    ]
    rows = [line for line in lines if line.split()[0] in ("one", "two", "three")]
    assert rows == []
