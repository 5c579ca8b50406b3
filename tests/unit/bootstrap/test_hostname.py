"""A new host gets the name of its node: by a real shell, in a directory instead of `/`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stackcook.bootstrap.hostname import set_hostname
from stackcook.bootstrap.onnode import PID, NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.command import Completed
from stackcook.errors import NodeError
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting, Shell


class Machine(Shell):
    """A host whose files are below ``root``; its name is in the file ``name``."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        (root / "etc").mkdir()
        (root / "bin").mkdir()
        (root / "bin/hostname").write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >{root}/name\n')
        (root / "bin/hostname").chmod(0o755)

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        self.sent.append(stdin)
        places = {"/etc/": "/etc/", "/proc/sys/kernel/hostname": "/name", PID: "/pid"}
        for old, new in places.items():
            stdin = stdin.replace(old, f"{self.root}{new}")
        path = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh"],
            input=stdin,
            text=True,
            env=path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Completed(done.returncode, done.stdout)

    @property
    def files(self) -> list[str]:
        """Its name now, and at the next boot; its /etc/hosts."""
        names = ("name", "etc/hostname", "etc/hosts")
        return [(self.root / name).read_text() for name in names]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    (tmp_path / "name").write_text("debian\n")
    (tmp_path / "etc/hosts").write_text("127.0.0.1\tlocalhost\n10.0.0.9 debian\n")
    return machine


@pytest.fixture
def task(machine: Machine) -> NodeTask:
    setting = Setting(machine.root, shell=machine)
    return NodeTask(setting.context, "hostname", ONE, setting.host, DEPLOY, 60, lambda line: None)


def facts(host: str, **more: str) -> HostFacts:
    return HostFacts({"host": host, **more}, "http://chef", 0.0)


def test_a_new_host_gets_the_name_at_once_and_for_good(machine: Machine, task: NodeTask) -> None:
    assert set_hostname(task, facts("debian")) == "one, was debian"
    hosts = "127.0.0.1\tlocalhost\n10.0.0.9 debian\n127.0.1.1 one\n"
    assert machine.files == ["one\n", "one\n", hosts]


@pytest.mark.parametrize(
    "line, new",
    [
        ("127.0.1.1\tdebian.example.org\tdebian", "127.0.1.1 one.example.org one"),
        ("127.0.1.1 debian", "127.0.1.1 one"),
        ("127.0.1.1 debian2", "127.0.1.1 debian2\n127.0.1.1 one"),
        ("127.0.1.1 one", "127.0.1.1 one"),
    ],
)
def test_debian_s_own_line_in_hosts(machine: Machine, task: NodeTask, line: str, new: str) -> None:
    (machine.root / "etc/hosts").write_text(f"{line}\n")
    set_hostname(task, facts("debian"))
    assert machine.files[2] == f"{new}\n"


def test_a_host_of_the_cloud_keeps_its_name(machine: Machine, task: NodeTask) -> None:
    kept = set_hostname(task, facts("debian", ours="yes"))
    assert kept == "kept debian, as the node is in the cloud already"
    assert set_hostname(task, facts("one")) == "it is one already"
    assert machine.sent == [] and (machine.root / "name").read_text() == "debian\n"


def test_a_name_that_cannot_be_set_says_why(machine: Machine, task: NodeTask) -> None:
    program = machine.root / "bin/hostname"
    program.write_text("#!/bin/sh\necho 'you must be root'; exit 1\n")
    with pytest.raises(NodeError, match=r"one: cannot set the host's name \(you must be root\)"):
        set_hostname(task, facts("debian"))
