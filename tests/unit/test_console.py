"""What a run looks like: a line a step, a summary, JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from rich.text import Text

from stackcook.console import Console
from stackcook.console.board import QUIET, SILENT, Board
from stackcook.errors import Finding, NodeError, UsageError
from stackcook.report.format import duration
from stackcook.operations import deploy as operation
from stackcook.operations.runner import Settings
from stackcook.run.events import (
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from stackcook.run.forecast import Forecast, Past
from tests.fakes import FakeSite, recipe_error, two_stages
from tests.output import document


def deploy(
    site: FakeSite, root: Path, *, as_json: bool = False, options: tuple[str, ...] = ()
) -> None:
    console = Console(json=as_json, options=options)
    with console.run() as listener:
        code = operation.deploy(
            two_stages(root), site, (listener,), settings=Settings(clock=lambda: 100.0)
        )
    console.finish("deploy", code)


def test_without_a_terminal_there_is_a_line_a_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(FakeSite(), tmp_path)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "deploy done in 0.0 s",
        "  controller  3/4 resources updated",
        "  compute1    3/4 resources updated",
        "  Horizon     http://10.0.115.10/",
    ]
    lines = err.splitlines()
    assert "controller     bootstrap …" in lines
    assert "controller     bootstrap: 3/4 resources updated (0.0 s)" in lines
    assert "verify         1 check passed (0.0 s)" in lines
    assert "\x1b" not in out + err


def closed_pipe() -> int:
    """A pipe whose reader has ended."""
    read, write = os.pipe()
    os.close(read)
    return write


def full_pipe() -> int:
    """A pipe that takes no more, and says so, as Node.js leaves it to its children."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    while True:
        try:
            os.write(write, b"x")
        except BlockingIOError:
            return write


@pytest.mark.parametrize(
    "stream", [lambda: os.open("/dev/full", os.O_WRONLY), closed_pipe, full_pipe]
)
@pytest.mark.parametrize("terminal", [False, True])
def test_a_stderr_that_takes_nothing_does_not_stop_a_deploy(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stream: Callable[[], int],
    terminal: bool,
) -> None:
    broken = os.fdopen(stream(), "w", buffering=1)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(broken, "isatty", lambda: terminal, raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", broken)
        deploy(FakeSite(), tmp_path)
    assert capsys.readouterr().out.startswith("deploy done in 0.0 s\n")
    with suppress(OSError):
        broken.close()


def test_a_failure_says_node_cause_log_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = FakeSite()
    site.chef.broken["controller"] = recipe_error("controller")
    deploy(site, tmp_path)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "deploy failed (exit 4) in 0.0 s",
        "  see why  stackcook logs controller --failed",
        "  then     stackcook deploy (resumes where it stopped)",
    ]
    lines = err.splitlines()
    assert "controller     bootstrap failed (0.0 s)" in lines
    assert lines[-3:] == [
        "compute1       skipped: controller failed and has no failure budget",
        "bootstrap failed: controller: execute[boom] (x.rb:1): no; see more",
        f"    log: {tmp_path}/.stackcook/logs/controller.log",
    ]


def test_the_commands_that_help_are_for_the_same_cloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = FakeSite()
    remedy = "run `stackcook converge compute1`"
    site.chef.broken["compute1"] = NodeError("no", where="compute1", remedy=remedy)
    deploy(site, tmp_path, options=("--cloud", "ci-42"))
    out, err = capsys.readouterr()
    assert out.splitlines()[-2:] == [
        "  see why     stackcook --cloud ci-42 logs compute1 --failed",
        "  then        stackcook --cloud ci-42 deploy (resumes where it stopped)",
    ]
    assert "compute1: no; run `stackcook --cloud ci-42 converge compute1`" in err


@pytest.mark.parametrize(
    "text, shown",
    [
        ("run `stackcook deploy` first", "run `stackcook -f 'my cloud.yml' deploy` first"),
        (
            "run `stackcook destroy`, then `stackcook deploy`",
            "run `stackcook -f 'my cloud.yml' destroy`, then `stackcook -f 'my cloud.yml' deploy`",
        ),
        *[
            (text, text)
            for text in (
                "`stackcook ps` lists them; run `stackcook setup`",
                "run `stackcook -f /other/infrastructure.yml destroy`",
                "set it in `stackcook: nodes`",
            )
        ],
    ],
)
def test_commands_in_messages_are_for_the_same_cloud(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(options=("-f", "my cloud.yml"))
    console.note(text)
    console.error(UsageError("no", remedy=text))
    console.findings([Finding(Path("/x/a.yml"), None, "no", text)], "1 error")
    console.result(Text.assemble("x: ", (text, "red")), None)
    out, err = capsys.readouterr()
    assert err == f"{shown}\nno; {shown}\n"
    assert out == f"/x/a.yml: error: no; {shown}\n1 error\nx: {shown}\n"
    Console().note(text)
    assert capsys.readouterr().err == f"{text}\n"


def test_remedies_in_json_are_for_the_same_cloud(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True, options=("--cloud", "ci-42"))
    console.error(UsageError("no", remedy="run `stackcook deploy`"))
    console.finish("status", 2)
    (error,) = document(capsys.readouterr().out)["errors"]
    assert error["remedy"] == "run `stackcook --cloud ci-42 deploy`"


def test_the_options_are_as_red_as_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(color=True, options=("--cloud", "ci-42"))
    console.result(Text("run `stackcook deploy`", "red"), None)
    console.result(Text.assemble("run ", ("`stackcook deploy`", "red")), None)
    shown = capsys.readouterr().out.replace("\x1b[0m\x1b[31m", "")
    assert shown.splitlines() == [
        "\x1b[31mrun `stackcook --cloud ci-42 deploy`\x1b[0m",
        "run \x1b[31m`stackcook --cloud ci-42 deploy`\x1b[0m",
    ]


@pytest.mark.parametrize(
    "command, code, failed, said",
    [
        ("deploy", 8, ["n1", "n2"], ["n1 --failed; all failures:", "deploy --retry-failed"]),
        ("deploy", 7, [""], ["deploy (resumes where it stopped)"]),
        ("deploy", 5, [""], ["stackcook verify"]),
        ("converge", 4, ["n1"], ["stackcook logs n1 --failed", "stackcook converge, as before"]),
        ("deploy", 0, [], []),
    ],
)
def test_a_failed_run_ends_with_the_commands_that_help(
    command: str, code: int, failed: list[str], said: list[str]
) -> None:
    board = Board()
    for node in failed:
        log = node and f"{node}.log"
        board.take(StepFailed("converge", 2.0, 1.0, "no", node, log))
    board.take(RunDone(command, 3.0, 3.0, code))
    lines = board.summary().plain.splitlines()[1:]
    assert [part in line for part, line in zip(said, lines)] == [True] * len(said)
    assert len(lines) == len(said)


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = FakeSite()
    site.chef.broken["compute1"] = recipe_error("compute1")
    deploy(site, tmp_path, as_json=True)
    found = document(capsys.readouterr().out)
    assert (found["command"], found["exit_code"]) == ("deploy", 4)
    data = found["data"]
    assert data["nodes"]["controller"]["updated"] == 3
    assert data["nodes"]["compute1"]["result"] == "failed"
    assert data["errors"] == [
        {
            "step": "bootstrap",
            "node": "compute1",
            "stage": "single-compute",
            "error": "compute1: execute[boom] (x.rb:1): no; see more",
        }
    ]


def test_a_long_step_speaks_up_now_and_then() -> None:
    board = Board()
    board.take(RunStarted("deploy", 0.0, ("one",)))
    board.take(StepStarted("converge", 100.0, "one"))
    board.take(StepProgress("converge", 101.0, "file[/x] create", "one", 20, 1))
    assert board.due(100.0 + QUIET - 1) == []
    assert board.due(100.0 + QUIET) == [
        "one            converge: 20 resources, 1 updated, at file[/x] create (20 s)"
    ]
    assert board.due(100.0 + 2 * QUIET) == [], "nothing has changed"
    assert len(board.due(100.0 + QUIET + SILENT)) == 1
    board.take(StepDone("converge", 200.0, 100.0, "one"))
    assert board.due(1000.0) == []


def test_two_steps_for_all_nodes_at_once_are_told_apart() -> None:
    board = Board()
    board.take(StepStarted("save", 1.0))
    board.take(StepStarted("verify", 1.1))
    assert board.take(StepDone("save", 1.2, 0.2)) == "save           ok (0.2 s)"
    assert (board.whole[""].step, board.whole[""].result) == ("verify", "running")
    done = board.take(StepDone("verify", 9.1, 8.0, text="60 checks passed"))
    assert done == "verify         60 checks passed (8.0 s)"


def test_the_live_table_has_a_line_a_node() -> None:
    board = Board()
    board.take(RunStarted("deploy", 0.0, ("one", "two")))
    board.take(StepStarted("converge", 1.0, "one", "base"))
    board.take(StepProgress("converge", 2.0, "file[/etc/x] create", "one", 7, 2))
    table = board.table(now=63.0)
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert cells[0] == ["one", "two"]
    assert cells[1] == ["converge", "waiting"]
    assert cells[2] == ["7 done, 2 updated", ""]
    assert cells[3] == ["1 min 02 s", ""]
    assert cells[4] == ["file[/etc/x] create", ""]


def test_the_live_table_ends_with_the_time_left() -> None:
    past = Past(300.0, {("one", "converge"): (0.0, 290.0)})
    board = Board(forecast=Forecast((past,)))
    board.take(RunStarted("deploy", 0.0, ("one",), steps=(("one", "converge"),)))
    board.take(StepStarted("converge", 0.0, "one", "base"))

    def rows(now: float) -> list[list[str]]:
        columns = board.table(now, most=4).columns
        return [[str(cell) for cell in row] for row in zip(*(each.cells for each in columns))]

    assert rows(61.0)[-1][:2] == ["time left", "about 4 min"]
    board.take(StepDone("converge", 290.0, 290.0, "one"))
    board.take(RunDone("deploy", 300.0, 300.0, 0))
    assert [row[0] for row in rows(301.0)] == ["one"]


def test_of_many_nodes_the_live_table_shows_who_failed_and_who_is_at_work() -> None:
    board, names = Board(), [f"n{number:02}" for number in range(50)]
    board.take(RunStarted("deploy", 0.0, tuple(names)))
    for name in names[:40]:
        board.take(StepStarted("converge", 1.0, name))
    for name in names[:30]:
        board.take(StepDone("converge", 2.0, 1.0, name))
    board.take(StepFailed("converge", 3.0, 2.0, "no", "n35"))
    table = board.table(now=4.0, most=8)
    rows = list(zip(*([str(cell) for cell in column.cells] for column in table.columns)))
    assert [row[0] for row in rows] == ["n35", *names[30:35], "n36", "others"]
    assert rows[-1][-1] == "3 running, 10 waiting, 30 done"
    assert len(board.table(now=4.0, most=50).rows) == 50


@pytest.mark.parametrize(
    "seconds, text", [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (245.2, "4 min 05 s")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_lines_wait_for_no_library() -> None:
    script = "import sys; from stackcook.console import Console; c = Console(); c.note('n')"
    script += "; c.result('[r] :key:', {}); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[r] :key:\nFalse\n", "n\n")


def test_no_line_writes_over_another(capsys: pytest.CaptureFixture[str]) -> None:
    Console().note("done\rnone\b\b")
    assert capsys.readouterr().err == "donenone\n"


def test_on_a_terminal_notes_stand_above_the_live_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(color=True)
    with console.run() as listener:
        listener(RunStarted("deploy", 0.0, ("one",)))
        console.note("a note")
    console.note("after it")
    before, after = capsys.readouterr().err.split("a note")
    assert before.endswith("\r\x1b[2K")  # the view is wiped first
    assert after.startswith("\n\x1b[1mone") and after.endswith("after it\n")  # and drawn anew


def test_a_view_is_shown_meanwhile_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(color=True)
    with console.live(lambda: Text("3 probes")):
        console.note("image failed: [list] 503")
    out, err = capsys.readouterr()
    assert out == "" and "3 probes" in err and "image failed: [list] 503\n" in err


def test_elsewhere_there_is_no_view(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.live(lambda: Text("3 probes")):
        console.note("image failed")
    assert capsys.readouterr() == ("", "image failed\n")
