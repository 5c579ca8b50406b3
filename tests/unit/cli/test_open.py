"""open and tunnel as a user calls them."""

from __future__ import annotations

import getpass
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.certificates import issue, new_authority
from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.files import write_private
from tests.fakes import FakeSite
from tests.output import data
from tests.started import environment

NO_DISPLAY = {"DISPLAY": None, "WAYLAND_DISPLAY": None}


def run(*arguments: str, **variables: str | None) -> Result:
    runner = CliRunner(mix_stderr=False, env={**NO_DISPLAY, **variables})
    return runner.invoke(cli, arguments)


@contextmanager
def horizon(*accepted: str, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server that answers only under these host names; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.headers["Host"].partition(":")[0]
            found = self.path == "/horizon/auth/login/"
            self.send_response((200 if found else 404) if name in accepted else 400)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_a_display_the_url_is_printed(root: Path, site: FakeSite) -> None:
    run("deploy")
    assert run("open", "horizon").stdout == "http://10.0.115.10/\n"
    page = root / ".stackcook" / "report.html"
    assert run("open", "report").stdout == f"{page.as_uri()}\n"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert page.stat().st_mode & 0o777 == 0o600
    assert data(run("open", "report", "--json").stdout)["opened"] is False


def test_with_a_display_the_browser_gets_the_page(root: Path, site: FakeSite) -> None:
    run("deploy")
    browser = root / "browser"
    browser.write_text('#!/bin/sh\nprintf "%s" "$1" >opened\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "stackcook", "open", "report"],
        env=environment(DISPLAY=":0", BROWSER=f"{browser} %s"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (root / "opened").read_text() == done.stdout.strip()


def test_what_cannot_be_opened(root: Path, site: FakeSite) -> None:
    for words in (["open", "horizon"], ["open", "report"], ["tunnel"]):
        result = run(*words)
        assert result.exit_code == ExitCode.USAGE
        assert "nothing is deployed here; run `stackcook deploy`" in result.stderr
    run("deploy")
    site.horizon = ""
    for words in (["open", "horizon"], ["tunnel"]):
        said = run(*words).stderr
        assert said.startswith("no node runs Horizon; run `stackcook status` to see")
    refused = run("open", "report", "--zone", "north")
    assert refused.exit_code == ExitCode.USAGE
    assert "--zone is for horizon: the report is about all zones" in refused.stderr


def test_tunnel_prints_a_command_for_the_laptop(root: Path, site: FakeSite) -> None:
    run("deploy")
    with horizon("localhost") as site.horizon:
        place = site.horizon.split("/")[2]
        # as sshd sets it: the laptop's address and port, then this machine's
        result = run("tunnel", SSH_CONNECTION="192.0.2.9 50000 192.0.2.7 22", SUDO_USER="alice")
        assert result.exit_code == ExitCode.DONE, result.stderr
        lines = [line.strip() for line in result.stdout.splitlines()]
        assert f"ssh -N -L 8080:{place} alice@192.0.2.7" in lines
        assert "http://localhost:8080/horizon/" in lines
        assert "ssh -N -D 1080 alice@192.0.2.7" in lines
        assert max(map(len, result.stdout.splitlines())) <= 80
        connection = {"SSH_CONNECTION": "2001:db8::9 50000 2001:db8::7 2222", "SUDO_USER": "bob"}
        found = data(run("tunnel", "--port", "9000", "--json", **connection).stdout)
        assert found["command"] == f"ssh -N -L 9000:{place} -p 2222 bob@2001:db8::7"
        assert found["url"] == "http://localhost:9000/horizon/"


def test_tunnel_says_if_it_does_not_know_how_the_laptop_gets_here(
    root: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("deploy")
    monkeypatch.setattr(socket, "gethostname", lambda: "lab7")
    variables = {"SSH_CONNECTION": None, "SUDO_USER": "alice"}
    with horizon("localhost") as site.horizon:
        guessed = run("tunnel", **variables).stdout
        sure = run("tunnel", SSH_CONNECTION="192.0.2.9 50000 192.0.2.7 22").stdout
    assert "alice@lab7\n" in guessed and "\nReplace lab7 if the laptop knows" in guessed
    assert max(map(len, guessed.splitlines())) <= 80
    assert "Replace" not in sure


def test_tunnel_of_a_user_without_a_name(
    root: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container."""
    run("deploy")

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    with horizon("localhost") as site.horizon:
        result = run("tunnel", SSH_CONNECTION=None, SUDO_USER=None)
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert f" {os.getuid()}@" in result.stdout


def test_tunnel_to_a_horizon_with_tls(root: Path, site: FakeSite) -> None:
    run("deploy")
    ca = new_authority("CA", time.time())
    made = issue(ca, ("127.0.0.1",), time.time())
    write_private(root / "server.pem", made.certificate + made.key)
    write_private(root / ".stackcook" / "tls" / "ca.crt", ca.certificate)
    path = root / "infrastructure.yml"
    path.write_text(path.read_text().replace("stackcook:\n", "stackcook:\n  tls: public\n"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / "server.pem")
    with horizon("localhost", tls=context) as site.horizon:
        result = run("tunnel")
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert "https://localhost:8080/horizon/" in result.stdout
    assert "the certificate is not for localhost" in result.stdout


def test_tunnel_to_a_horizon_that_does_not_accept_localhost(root: Path, site: FakeSite) -> None:
    run("deploy")
    with horizon("cloud.example.com") as site.horizon:
        result = run("tunnel")
    assert result.exit_code == ExitCode.USAGE
    assert "does not accept the host name localhost; add it to the attribute" in result.stderr
    result = run("tunnel")
    assert result.exit_code == ExitCode.VERIFY
    assert "does not respond" in result.stderr
