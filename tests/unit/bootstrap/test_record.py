"""What a step changes on a host is noted there, and what the host says when it is given back."""

from __future__ import annotations

import base64
import gzip
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackcook.bootstrap import record
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.record import Keep
from stackcook.command import Completed
from stackcook.errors import NodeError
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting, Shell

ARCHIVE = gzip.compress(b"an archive of /etc")
HERE = Path(record.__file__).parent
PLACE = ("http://10.0.132.1:4545", "compute1")


@pytest.fixture
def note(tmp_path: Path) -> Callable[[str], None]:
    """Notes the begin or end of a step; the host has the packages that the file ``now`` lists."""
    state = (HERE / "state.sh").read_text().replace("/var/lib/stackcook", str(tmp_path))
    changes = (HERE / "changes.sh").read_text()
    listed = f"list() {{ if test $1 = packages; then cat {tmp_path}/now; fi; }}\n"
    find = "find() { :; }\n"  # /etc is that of this machine

    def run(moment: str) -> None:
        script = f"set -e\n{state}{listed}{find}{changes}note {moment}"
        subprocess.run(["sh", "-c", script], check=True)

    (tmp_path / "record").mkdir()
    return run


def has(directory: Path, *packages: str) -> None:
    (directory / "now").write_text("".join(f"{name}\n" for name in packages))


def came(directory: Path) -> list[str]:
    return (directory / "came" / "packages").read_text().split()


def test_what_comes_between_steps_is_not_the_clouds(
    tmp_path: Path, note: Callable[[str], None]
) -> None:
    has(tmp_path, "bash")
    note("begin")
    has(tmp_path, "bash", "nova")
    note("end")
    has(tmp_path, "bash", "mine", "nova")
    note("begin")
    has(tmp_path, "bash", "mine", "nova", "ovn")
    note("end")
    assert came(tmp_path) == ["nova", "ovn"]
    assert not (tmp_path / "before").exists()


def test_a_step_that_was_killed(tmp_path: Path, note: Callable[[str], None]) -> None:
    has(tmp_path, "bash")
    note("begin")
    has(tmp_path, "bash", "nova")
    note("begin")  # of the next deploy
    note("end")
    note("end")
    assert came(tmp_path) == ["nova"]


def test_a_host_without_a_record_is_left_alone(tmp_path: Path, note: Callable[[str], None]) -> None:
    (tmp_path / "record").rmdir()
    has(tmp_path, "bash")
    note("begin")
    note("end")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now"]


class Recording(Shell):
    """A host that answers with its record, and where sudo has something to say."""

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        said = f"recorded\n{base64.encodebytes(ARCHIVE).decode()}"
        return Completed(0, said, "sudo: unable to resolve host one: Name or service not known\n")


def test_the_copy_of_the_record_is_whole(tmp_path: Path) -> None:
    setting = Setting(tmp_path, shell=Recording())
    say: list[str] = []
    task = NodeTask(setting.context, "record", ONE, setting.host, DEPLOY, 60, say.append)
    assert record.record(task) == "recorded"
    assert record.path_of(setting.context.state, "one").read_bytes() == ARCHIVE


@dataclass
class Greeting(Recording):
    """A host whose shell greets everybody."""

    words: str = ""

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        return Completed(0, f"{self.words}\n{super().answer(command, stdin, content).output}")


# after one line, "recorded" itself could be base64
@pytest.mark.parametrize("words", ["Welcome!", "Welcome!\nHave fun."], ids=["1 line", "2 lines"])
def test_a_shell_that_prints_something_is_to_be_silent(tmp_path: Path, words: str) -> None:
    setting = Setting(tmp_path, shell=Greeting(words=words))
    task = NodeTask(setting.context, "record", ONE, setting.host, DEPLOY, 60, lambda _: None)
    with pytest.raises(NodeError, match=r"one: the host's record cannot be read .*~/\.bashrc"):
        record.record(task)


def test_what_the_host_says() -> None:
    lines = ["stopping services", "kept: user anna", "error: x does not stop", "kept: eth2"]
    found = record.result(lines)
    assert found.kept == ("user anna", "eth2")
    assert found.errors == ("x does not stop",)
    assert str(found) == "given back; kept user anna; kept eth2"


def test_the_script_names_the_node_and_what_to_keep() -> None:
    script = record.script(PLACE, ["nova-compute"], Keep(data=True), b"")
    assert script.startswith("server=http://10.0.132.1:4545 node=compute1\nunits=nova-compute\n")
    assert "keep_data=1 keep_packages=\n" in script
    assert "base64 -d" not in script
    again = record.script(PLACE, [], Keep(), b"archive")
    assert "base64 -d <<'ARCHIVE'" in again and "YXJjaGl2ZQ==\nARCHIVE\n" in again
