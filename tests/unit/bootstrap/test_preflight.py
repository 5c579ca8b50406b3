"""What is looked up on a node before anything is changed, by a real shell, and what it means."""

from __future__ import annotations

import socket
import subprocess
import time

import pytest

from stackcook.bootstrap import preflight

URL = "http://10.0.115.1:4545"
GOOD = (
    "uid=0\nid=debian\nversion=13\nrelease=Debian GNU/Linux 13 (trixie)\nhost=one\ntime=5000\n"
    "memory=2097152\nfree /=4194304\nfree /var=4194304\nserver=reached\n"
)


def problems(output: str, now: float = 5000.0, *, installs: bool = True) -> list[tuple[str, str]]:
    facts = preflight.read(output, URL, now, installs=installs)
    return [(found.id, found.what) for found in preflight.judge("one", facts)]


def test_a_fit_node_is_told_in_a_few_words() -> None:
    assert problems(GOOD, 5100.0) == []
    wanted = "Debian GNU/Linux 13 (trixie), 2048 MiB of memory and 4096 MiB of disk free"
    assert str(preflight.read(GOOD, URL, 5100.0)) == wanted


@pytest.mark.parametrize(
    "old, new, id, problem",
    [
        ("/var=4194304", "/var=1000", "disk-space", "/var has 0 MiB free, but needs 1024 MiB"),
        ("time=5000", "time=5601", "clock", "its clock is 10 min ahead of the Chef server's"),
        ("time=5000", "time=200", "clock", "its clock is 80 min behind the Chef server's"),
        (
            "=reached",
            "=no response within 5 s",
            "chef-server",
            f"it cannot reach the Chef server at {URL} (no response",
        ),
        (
            "version=13",
            "version=11",
            "release",
            "the Chef client cannot be installed on Debian GNU/Linux 13 (trixie), only on "
            "Debian 12",
        ),
        ("id=debian", "id=fedora", "release", "the Chef client cannot be installed on"),
        ("host=one", "host=localhost", "hostname", 'its hostname must not be "localhost"'),
    ],
)
def test_what_has_to_be_put_right(old: str, new: str, id: str, problem: str) -> None:
    ((found, what),) = problems(GOOD.replace(old, new))
    assert found == id and problem in what


@pytest.mark.parametrize("line", ["memory=much", "free /=", "time=now"])
def test_output_that_is_cut_off_or_garbled_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):
        preflight.read(f"{GOOD}{line}\n", URL, 5000.0)


def test_any_system_will_do_where_the_client_is_or_the_user_installs_it() -> None:
    other = GOOD.replace("id=debian", "id=fedora")
    assert problems(f"{other}client=yes\n") == [] == problems(other, installs=False)


@pytest.mark.parametrize("kind, version", [("debian", ""), ("debian", "12"), ("ubuntu", "24.04")])
def test_releases_whose_ruby_runs_the_client(kind: str, version: str) -> None:
    assert problems(GOOD.replace("id=debian", f"id={kind}").replace("=13", f"={version}")) == []


def said_by_a_shell(url: str) -> str:
    command = preflight.command(url)
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def test_a_real_shell_answers_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = said_by_a_shell(f"http://127.0.0.1:{port}/organizations/x")
    lines = dict(line.split("=", 1) for line in said.splitlines())
    assert lines["server"] == "reached"
    assert abs(int(lines["time"]) - time.time()) < 60
    assert int(lines["memory"]) > 0 and int(lines["free /"]) > 0 and int(lines["free /var"]) > 0
    assert {"uid", "id", "version", "release", "host"} <= lines.keys()
    assert "server=Connection refused" in said_by_a_shell(f"http://127.0.0.1:{port}")


def test_behind_a_proxy_the_server_is_not_asked() -> None:
    assert preflight.command(URL, proxied=True).startswith("set -- '' ''\n")
    assert preflight.command("https://chef.example.com/x").startswith("set -- chef.example.com 443")
