"""Real knife: its config.rb, and the commands of the section knife."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.chef.loader.ruby import Evaluated, Kind, Source, evaluate
from stackcook.chef.server.knife import ruby_string, run_section, write_config
from stackcook.command import Command, CommandError, Completed, run
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


def test_commands_run_in_order(tmp_path: Path) -> None:
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


def test_the_first_failure_ends_it(tmp_path: Path) -> None:
    failing = Knife(Completed(100, "ERROR: no such node\n\n"))
    with pytest.raises(
        ChefServerError, match="knife node list: exited with status 100: ERROR: no such"
    ):
        run_section(manifest(tmp_path), SERVER, print, failing)


def test_a_command_that_times_out_fails(tmp_path: Path) -> None:
    def endless(*_: object, **__: object) -> Completed:
        raise CommandError("did not finish within 3600 s", where="/usr/bin/knife")

    with pytest.raises(ChefServerError, match="^knife node list: did not finish within 3600 s"):
        run_section(manifest(tmp_path), SERVER, print, endless)


def test_passwords_among_the_arguments_are_not_shown(tmp_path: Path) -> None:
    command = KnifeCommand("ssh", AT, ("'*:*' uptime -P s3cret",))
    lines: list[str] = []
    with pytest.raises(ChefServerError, match="^knife ssh: exited with status 100") as caught:
        wanted = Manifest(tmp_path / "infrastructure.yml", "lab", knife=(command,))
        run_section(wanted, SERVER, lines.append, Knife(Completed(100, "refused\n")))
    assert "s3cret" not in " ".join([str(caught.value), *lines])


def test_config_rb_is_relative_to_itself(tmp_path: Path) -> None:
    state = tmp_path / "it's here" / ".stackcook"
    config = write_config(state, ChefServer("http://a\\'b", "admin", state / "chef" / "admin.pem"))
    root = state.parent.rename(tmp_path / "moved")
    moved = root / config.relative_to(state.parent)
    done = evaluate([Source(Kind.CONFIG, moved)], tmp_path)[moved]
    assert isinstance(done, Evaluated)
    said = done.values
    assert said["chef_server_url"] == "http://a\\'b"
    assert said["client_key"] == str(root / ".stackcook" / "chef" / "admin.pem")
    assert said["chef_repo_path"] == str(root)
    bags = [str(root / "data_bags"), str(root / ".stackcook" / "data_bags")]
    assert said["data_bag_path"] == bags


def test_a_key_outside_the_state_directory_is_named_whole(tmp_path: Path) -> None:
    key = tmp_path / "home" / "me.pem"
    config = write_config(tmp_path / ".stackcook", ChefServer("http://a", "me", key))
    said = evaluate([Source(Kind.CONFIG, config)], tmp_path)[config]
    assert isinstance(said, Evaluated)
    assert said.values["client_key"] == str(key)


def test_what_threads_of_knife_use_is_loaded(tmp_path: Path) -> None:
    config = write_config(tmp_path / ".stackcook", ChefServer("http://a", "me", tmp_path / "a.pem"))
    program = "def method_missing(*) = nil; load ARGV[0]; print defined?(Digest::MD5)"
    done = run(Command(("ruby", "-W0", "-e", program, str(config))))
    assert (done.status, done.output) == (0, "constant")


@pytest.mark.parametrize(
    "text", ["", "it's", 'a"b', "back\\slash\\", "#{exit}", "#$0", "é", "\U0001f600", "two\nlines"]
)
def test_ruby_reads_a_string_in_any_locale(text: str) -> None:
    program = f"print {ruby_string(text)}"
    done = run(Command(("ruby", "-e", program), env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}))
    assert (done.status, done.output) == (0, text)
