"""Bad input to every command: one line each, the right exit code, nothing changed."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from stackcook.cli.context import OUTPUT
from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from tests.commands import every
from tests.output import document
from tests.started import environment

GOOD = """\
roles:
- base:
nodes:
- web1: {run_list: "role[base]"}
- web2: {run_list: "role[base]"}
stackcook:
  machines: ssh
  network: 127.0.0.0/24
  nodes:
    web1: {address: 127.0.0.11, key: key}
    web2: {address: 127.0.0.12, key: key}
"""

COMMANDS = ["check", "deploy", "upload", "converge", "verify", "status"]

FAULTS = {
    "wrong YAML": ("network: 127", "\tnetwork: 127", "infrastructure.yml:8:3: error: "),
    "two nodes with one address": (
        "127.0.0.12",
        "127.0.0.11",
        "infrastructure.yml:11:21: error: node web2: address 127.0.0.11 is already used by node "
        "web1;",
    ),
    "an address outside the network": (
        "127.0.0.12",
        "198.51.100.1",
        "infrastructure.yml:11:21: error: node web2: address 198.51.100.1 is outside ",
    ),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Chef repository with nothing wrong in it; the current directory, too."""
    directory = tmp_path / "repository"
    (directory / "roles").mkdir(parents=True)
    (directory / "roles" / "base.json").write_text('{"name": "base"}')
    (directory / "key").touch()
    (directory / "infrastructure.yml").write_text(GOOD)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(tmp_path))  # no knife configuration of anybody's
    return directory


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses: bound, so that nobody takes it, but not listened on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def only_line(result: Result) -> str:
    """The one line that a failing command says, on whichever stream."""
    text = re.sub(r"^found .*\n", "", result.stdout, flags=re.MULTILINE) + result.stderr
    assert "Traceback" not in text
    (line,) = text.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_manifest(repository: Path, command: str, fault: str) -> None:
    right, wrong, expected = FAULTS[fault]
    assert GOOD.count(right) == 1
    (repository / "infrastructure.yml").write_text(GOOD.replace(right, wrong))
    before = files(repository)
    result = run(command)
    assert result.exit_code == ExitCode.INPUT
    assert only_line(result).startswith(expected)
    assert files(repository) == before


MISSING = {
    "an SSH key": ("127.0.0.12, key: key", "127.0.0.12, key: ~/.ssh/lab", "11:38"),
    "a Chef key": (
        "stackcook:",
        'stackcook:\n  chef_server: {url: "http://127.0.0.1:9", user: me, key: ~/.chef/me.pem}',
        "7:59",
    ),
    "a data bag's secret": ("roles:", "data bags: [{users: {secret: ~/secret}}]\nroles:", "1:30"),
}


@pytest.mark.parametrize("command", ["check", "plan", "deploy"])
@pytest.mark.parametrize("what", MISSING)
def test_what_only_the_deploying_machine_has(repository: Path, command: str, what: str) -> None:
    """As in CI: `check` and `plan` warn, `deploy` changes nothing."""
    right, wrong, place = MISSING[what]
    assert GOOD.count(right) == 1
    (repository / "infrastructure.yml").write_text(GOOD.replace(right, wrong))
    (repository / "data_bags" / "users").mkdir(parents=True)
    before = files(repository)
    result = run(command)
    severity = "error" if command == "deploy" else "warning"
    assert f"infrastructure.yml:{place}: {severity}: " in result.stdout + result.stderr
    assert "file not found: ~/" in result.stdout + result.stderr
    assert result.exit_code == (ExitCode.INPUT if command == "deploy" else ExitCode.DONE)
    assert files(repository) == before
    if command == "plan" and what == "a Chef key":
        role = '{"name": "base", "run_list": ["role[on-the-server]"]}'
        (repository / "roles" / "base.json").write_text(role)
        result = run(command)
        assert result.exit_code == ExitCode.DONE, result.stderr
        shown = "the Chef server http://127.0.0.1:9 does not exist, so everything is shown as new"
        assert shown in result.stdout


def test_an_upload_needs_no_ssh_key_but_a_converge_and_a_shell_do(repository: Path) -> None:
    manifest = repository / "infrastructure.yml"
    manifest.write_text(GOOD.replace("key: key", "key: ~/gone"))
    assert manifest.read_text().count("~/gone") == 2
    result = run("converge")
    assert result.exit_code == ExitCode.INPUT and ":11:38: error: " in result.stderr
    result = run("ssh", "web2")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith(f"web2: SSH key not found: {Path.home() / 'gone'}; set `key`")


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_manifest(repository: Path, command: str) -> None:
    before = files(repository)
    result = run("-f", "other.yml", command)
    assert result.exit_code == ExitCode.INPUT
    remedy = "name the manifest with -f FILE, or write one with `stackcook init`"
    assert only_line(result) == f"other.yml: error: no such file or directory; {remedy}"
    assert files(repository) == before


@pytest.mark.parametrize("command", ["check", "deploy", "upload"])
def test_unknown_role(repository: Path, command: str) -> None:
    path = repository / "infrastructure.yml"
    path.write_text(GOOD.replace('web2: {run_list: "role[base]"}', 'web2: {run_list: "role[bse]"}'))
    result = run(command)
    assert result.exit_code == ExitCode.INPUT
    expected = 'infrastructure.yml:5:3: error: web2: role "bse" is not in the manifest; '
    assert only_line(result) == expected + 'did you mean "base"?'


@pytest.mark.parametrize("command", ["deploy", "upload", "converge"])
def test_unreachable_chef_server(repository: Path, command: str, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    with (repository / "infrastructure.yml").open("a") as manifest:
        manifest.write(f"  chef_server: {{url: '{url}', user: me, key: admin.pem}}\n")
    make_key(repository / "admin.pem")
    before = files(repository)
    result = run(command)
    assert result.exit_code == ExitCode.CHEF_SERVER
    assert re.match(rf"{url}: .*refused.*; .*", only_line(result))
    assert files(repository) == before


@pytest.mark.parametrize("command", ["status", "deploy", "upload", "converge", "server start"])
def test_a_file_where_the_state_belongs(repository: Path, command: str) -> None:
    (repository / ".stackcook").touch()
    result = run(*command.split())
    assert result.exit_code == ExitCode.USAGE
    assert only_line(result).endswith("; move this file away: stackcook needs a directory here")


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_directory_where_a_file_belongs(repository: Path, command: str) -> None:
    """As Docker makes one for a file that it should mount and that is not there."""
    (repository / ".stackcook" / "lock").mkdir(parents=True)
    result = run(command)
    assert result.exit_code == ExitCode.USAGE
    remedy = "move this directory away: stackcook needs a file here"
    assert only_line(result) == f"{repository}/.stackcook/lock: is a directory; {remedy}"


@pytest.mark.parametrize(
    "arguments", ["check", "status", "-f x.yml check", "init x", "machines --json"]
)
def test_a_current_directory_that_was_deleted(tmp_path: Path, arguments: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [sys.executable, "-m", "stackcook", *arguments.split()]
    command = f"rmdir {gone} && exec {shlex.join(words)}"
    env = environment(HOME=str(tmp_path))
    done = subprocess.run(["sh", "-c", command], cwd=gone, env=env, capture_output=True, text=True)
    assert done.returncode == ExitCode.USAGE
    what = "the current directory does not exist any more"
    remedy = "change to another one, for example with `cd`"
    if "--json" in arguments:
        (error,) = document(done.stdout)["errors"]
        assert (error["what"], error["remedy"]) == (what, remedy)
    else:
        assert (done.stdout, done.stderr) == ("", f"{what}; {remedy}\n")


def test_a_home_directory_of_a_user_whom_this_machine_does_not_know(repository: Path) -> None:
    options = '    options: "--json-attribute-file ~nobody-here/x.json"\n'
    good = GOOD.replace(
        'web2: {run_list: "role[base]"}', f'web2:\n    run_list: "role[base]"\n{options}'
    )
    (repository / "infrastructure.yml").write_text(good.rstrip("\n") + "\n")
    result = run("check")
    assert result.exit_code == ExitCode.DONE and "Traceback" not in result.stderr
    assert "file not found: ~nobody-here/x.json" in only_line(result)
    result = run("init", "--machines", "ssh", "--key", "~nobody-here/key", "new")
    assert result.exit_code == ExitCode.USAGE
    assert "file not found: " in only_line(result)


def test_no_home_directory(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a container's user that no passwd knows."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def unknown(_: int) -> NoReturn:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    result = run("check")
    assert result.exit_code == ExitCode.USAGE
    remedy = "set the variable HOME to a directory of yours"
    assert only_line(result) == f"your home directory is not known; {remedy}"


@pytest.mark.parametrize(
    "arguments, closed, status",
    [
        ("--help", ">&-", ExitCode.DONE),
        ("check", ">&-", ExitCode.DONE),
        ("status", ">&-", ExitCode.USAGE),
        ("status", "2>&-", ExitCode.USAGE),
        ("status", "<&- >&- 2>&-", ExitCode.USAGE),
        ("status", "2>/dev/full", ExitCode.USAGE),
    ],
)
def test_streams_that_cannot_be_used(
    repository: Path, arguments: str, closed: str, status: ExitCode
) -> None:
    words = shlex.join([sys.executable, "-m", "stackcook", *arguments.split()])
    done = subprocess.run(
        ["sh", "-c", f"exec {words} {closed}"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr + done.stdout


def test_a_pipe_that_another_program_has_made_non_blocking() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    command = [sys.executable, "-m", "stackcook", "schema"]  # more than a pipe takes at once
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        with os.fdopen(read) as output:
            json.loads(output.read())
        assert process.stderr and process.stderr.read() == ""
    assert process.returncode == ExitCode.DONE


@pytest.mark.parametrize("command", ["status", "deploy"])
def test_a_record_of_runs_that_is_damaged(repository: Path, command: str) -> None:
    (repository / ".stackcook").mkdir(mode=0o700)
    record = repository / ".stackcook" / "state.db"
    record.write_text("x" * 100)
    result = run(command)
    assert result.exit_code == ExitCode.USAGE
    assert only_line(result).startswith(f"{record}: cannot use the history of runs")


@pytest.mark.parametrize(
    "typed,correct",
    [
        ("check -f other.yml", "stackcook -f PATH check"),
        ("check --file=other.yml", "stackcook --file PATH check"),
        ("snapshot list --cloud ci-42", "stackcook --cloud NAME snapshot list"),
        ("ps -vv", "stackcook -v ps"),
        ("check --no-color", "stackcook --no-color check"),
    ],
)
def test_an_option_of_stackcook_behind_the_command(typed: str, correct: str) -> None:
    option = correct.split()[1]
    result = run(*typed.split())
    assert result.exit_code == ExitCode.USAGE
    expected = f"Error: No such option: {option}; write it before the command: `{correct}`"
    assert result.stderr.splitlines()[-1] == expected


WRITING = {
    "check": ["--junit"],
    "preflight": ["--html", "--junit"],
    "verify": ["--html", "--junit"],
    "probe": ["--junit"],
    "report": ["--html", "--junit", "--bundle"],
    "bundle": [""],
    "snapshot export cloud": [""],
}
"""Command → its options with the file to write; empty for an argument."""


@pytest.mark.parametrize("command,option", [(c, o) for c in WRITING for o in WRITING[c]])
@pytest.mark.parametrize(
    "path,problem",
    [
        ("missing/x", "its directory does not exist; create missing, or choose another path"),
        ("key/x", "its directory does not exist; create key, or choose another path"),
        ("roles", "is a directory; use the path of a file"),
        ("/proc/x", "nothing can be created in its directory; choose another path"),
        (
            "pipe",
            "is a device or a pipe, which cannot be replaced by a file; use the path of a file",
        ),
        (
            "out",
            "is a device or a pipe, which cannot be replaced by a file; use the path of a file",
        ),
        ("-", "is standard output, where stackcook writes messages; use the path of a file"),
        ("roles/../infrastructure.yml", "is the manifest; use another path"),
    ],
)
def test_a_file_that_cannot_be_written(
    repository: Path, command: str, option: str, path: str, problem: str
) -> None:
    os.mkfifo("pipe")  # not a device: as root, a mistake here would replace it for all programs
    Path("out").symlink_to("/proc/self/fd/1")  # as /dev/stdout
    before = files(repository)
    result = run(*command.split(), *filter(None, [option]), path)
    assert result.exit_code == ExitCode.USAGE
    assert only_line(result) == f"{path}: {problem}"  # before anything else is done
    assert files(repository) == before and Path("pipe").is_fifo() and Path("out").is_symlink()


def test_every_file_to_write_is_checked_first() -> None:
    found = set()
    for words, command in every(cli):
        for parameter in command.params:
            written = "Write" in (getattr(parameter, "help", "") or "")
            if parameter.type is OUTPUT or written and parameter.metavar == "FILE":
                option = parameter.opts[0] if isinstance(parameter, click.Option) else ""
                found.add((words, option))
    assert found == {(c.removesuffix(" cloud"), o) for c in WRITING for o in WRITING[c]}


@pytest.mark.parametrize(
    "arguments,problem",
    [
        ("init /proc/x", "/proc/x: nothing can be created in its directory; choose another path"),
        (
            "init /proc/x/y",
            "/proc/x/y: nothing can be created in its directory; choose another path",
        ),
        ("init key", "key: is not a directory; use another path"),
        (
            "init key/x",
            ": is not a directory; move this file away: stackcook needs a directory here",
        ),
        (
            "init --from-repository --force -o pipe",
            ".: already exists: pipe; move them, or use another directory",
        ),
    ],
)
def test_init_where_nothing_can_be_created(repository: Path, arguments: str, problem: str) -> None:
    os.mkfifo("pipe")
    before = files(repository)
    result = run(*arguments.split())
    assert result.exit_code == ExitCode.USAGE
    assert only_line(result).endswith(problem)
    assert files(repository) == before and Path("pipe").is_fifo()


@pytest.mark.parametrize(
    "arguments",
    [
        "check",
        "check --json",
        "help",
        "completion bash",
        "schema",
        "topology",
        "plan --format knife",
    ],
)
def test_a_full_disk_below_the_output(repository: Path, arguments: str) -> None:
    status, said = _run_on_a_full_disk(arguments)
    assert status == ExitCode.USAGE
    assert said == (
        "the output cannot be written (No space left on device);"
        " free some space, or write it to another file\n"
    )


@pytest.mark.parametrize("arguments", ["--help", "--version", "check --help"])
def test_a_full_disk_below_the_help(arguments: str) -> None:
    status, said = _run_on_a_full_disk(arguments)
    assert status == ExitCode.USAGE
    assert said == "no space left on device; free some space on this disk\n"


def _run_on_a_full_disk(arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "stackcook", *arguments.split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


def make_key(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def test_a_manifest_of_another_user(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root can read all files
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    result = run("check")
    assert result.exit_code == ExitCode.INPUT
    assert only_line(result) == (
        "infrastructure.yml: error: permission denied; "
        "run this as the owner of the file, or change its mode"
    )
    assert run("schema").exit_code == 0  # which does not need it
