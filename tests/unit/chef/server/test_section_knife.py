"""The section knife: each command in order, to the manifest's server, until one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.chef.server.knife import run_section
from stackcook.command import CommandError, Completed
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer, KnifeCommand, Manifest
from tests.fakes import AT
from tests.unit.bootstrap.fakes import Knife

SERVER = ChefServer("https://chef.example.com", "me", Path("/me.pem"))


def manifest(tmp_path: Path) -> Manifest:
    commands = (
        KnifeCommand("node list", AT),
        KnifeCommand("ssh", AT, ("'role:web' 'sudo chef-client' -x debian", "'*:*' uptime")),
    )
    return Manifest(tmp_path / "infrastructure.yml", "lab", knife=commands)


def test_each_command_in_order(tmp_path: Path) -> None:
    ran: list[tuple[str, ...]] = []

    class Noting(Knife):
        def __call__(self, command, **rest):  # type: ignore
            ran.append(command.argv[1:])
            assert command.cwd == tmp_path
            return super().__call__(command, **rest)

    lines: list[str] = []
    assert run_section(manifest(tmp_path), SERVER, lines.append, Noting(Completed(0, "ok"))) == 3
    server = ("--server-url", SERVER.url, "-u", "me", "-k", "/me.pem")
    assert ran == [
        ("node", "list", *server),
        ("ssh", "role:web", "sudo chef-client", "-x", "debian", *server),
        ("ssh", "*:*", "uptime", *server),
    ]
    assert lines[:2] == ["knife node list", "ok"]


def test_the_first_that_fails_ends_it(tmp_path: Path) -> None:
    failing = Knife(Completed(100, "ERROR: no such node\n\n"))
    with pytest.raises(ChefServerError, match="knife node list: it ended with 100: ERROR: no such"):
        run_section(manifest(tmp_path), SERVER, print, failing)


def test_one_that_does_not_end_is_told_like_one_that_fails(tmp_path: Path) -> None:
    def endless(*_: object, **__: object) -> Completed:
        raise CommandError("did not end within 3600 s", where="/usr/bin/knife")

    with pytest.raises(ChefServerError, match="^knife node list: did not end within 3600 s"):
        run_section(manifest(tmp_path), SERVER, print, endless)


def test_passwords_among_the_arguments_are_not_shown(tmp_path: Path) -> None:
    command = KnifeCommand("ssh", AT, ("'*:*' uptime -P s3cret",))
    lines: list[str] = []
    with pytest.raises(ChefServerError, match="^knife ssh: it ended with 100") as caught:
        wanted = Manifest(tmp_path / "infrastructure.yml", "lab", knife=(command,))
        run_section(wanted, SERVER, lines.append, Knife(Completed(100, "refused\n")))
    assert "s3cret" not in " ".join([str(caught.value), *lines])
