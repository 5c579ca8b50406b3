"""lxcfs is started where it does not run; the lab goes on without it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from stackcook.command import Command, Completed, Say
from stackcook.errors import UsageError
from stackcook.machines import lxcfs
from tests.runner import FakeRun


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lxcfs, "find_program", lambda name: Path("/bin") / name)
    monkeypatch.setattr(lxcfs, "as_root", lambda *argv: argv)


class Service(FakeRun):
    """``service lxcfs start``, which mounts its files or not, and fails or not."""

    def __init__(self, mount: Path, *, works: bool = True, status: int = 0) -> None:
        self.mount, self.works, self.status = mount, works, status
        self.asked: list[str] = []

    def answer(self, command: Command, say: Say) -> Completed:
        self.asked.append(str(command))
        if self.works and command.argv[0] == "service":
            (self.mount / "proc").mkdir(parents=True)
            (self.mount / "proc" / "meminfo").touch()
        return Completed(self.status, "fuse: device not found\n" if self.status else "")


def test_it_is_started_once(tmp_path: Path) -> None:
    service = Service(tmp_path / "lxcfs")
    for _ in range(2):
        assert lxcfs.start(service, service.mount) == ""
    assert service.asked == ["service lxcfs start"]


def test_what_counts_is_that_its_files_are_there(tmp_path: Path) -> None:
    service = Service(tmp_path / "lxcfs", status=1)
    assert lxcfs.start(service, service.mount) == ""


@pytest.mark.parametrize(("status", "said"), [(0, ""), (1, "it was killed, and MOUNT cannot be ")])
def test_the_mount_of_a_killed_one_is_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    service = Service(tmp_path / "lxcfs", status=status)
    real = os.stat

    def stat(path: str | Path, **options: bool) -> os.stat_result:
        if path == service.mount and not service.asked:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    found = lxcfs.start(service, service.mount)
    assert found.startswith(said.replace("MOUNT", str(service.mount)))
    assert service.asked[0] == f"umount --lazy {service.mount}"
    assert service.asked[1:] == ([] if status else ["service lxcfs start"])


def test_why_it_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(tmp_path / "lxcfs", works=False, status=1)
    said = lxcfs.start(service, service.mount, patience=0)
    assert said == "`service lxcfs start` did not start it (fuse: device not found)"

    def missing(name: str) -> Path:
        raise UsageError(f"{name} is not installed", remedy="run `stackcook doctor`")

    monkeypatch.setattr(lxcfs, "find_program", missing)
    said = lxcfs.start(service, service.mount)
    assert said == "lxcfs is not installed; run `stackcook doctor`"
