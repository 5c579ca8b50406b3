"""A real chef-client takes the timer's recipe beside the run list, and waits for another run."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from stackcook.bootstrap import timer
from stackcook.bootstrap.output import ChefOutput
from stackcook.command import Command, Completed, find_program, run
from stackcook.manifest.model import Timer
from tests.contract.conftest import AT

UNIT = "systemd_unit[chef-client.timer] action"


def chef_client(root: Path, *arguments: str) -> Completed:
    """Run it in why-run mode: it says what it would do."""
    cookbook = root / "cookbooks" / "one"
    (cookbook / "recipes").mkdir(parents=True)
    (cookbook / "metadata.rb").write_text("name 'one'\nversion '1.0.0'\n")
    (cookbook / "recipes" / "default.rb").write_text("log 'the run list'\n")
    (root / "node.json").write_text('{"run_list": ["recipe[one]"]}')
    settings = {"chef_repo_path": root, "file_cache_path": root / "cache", "node_name": "one"}
    lines = ["log_location STDOUT", *(f"{key} '{value}'" for key, value in settings.items())]
    (root / "client.rb").write_text("\n".join(lines))
    argv = [str(find_program("chef-client")), "-z", "-W", "-c", str(root / "client.rb")]
    argv += ["-j", str(root / "node.json"), "--no-color", "--force-formatter", "--format", "doc"]
    env = {"CHEF_LICENSE": "accept-silent", "HOME": str(root), "LC_ALL": "C.UTF-8"}
    return run(Command((*argv, *arguments), env=env), timeout=120)


@pytest.mark.parametrize(
    "wanted, actions",
    [
        (Timer(1800, AT), ["create", "enable", "start"]),
        (None, ["stop", "disable", "delete"]),
    ],
)
def test_the_recipe(tmp_path: Path, wanted: Timer | None, actions: list[str]) -> None:
    (tmp_path / "stackcook-timer.rb").touch()
    script = timer.script(wanted).replace("/etc/chef", str(tmp_path))
    assert run(Command(("sh", "-ec", script)), timeout=20).status == 0
    done = chef_client(tmp_path, str(tmp_path / "stackcook-timer.rb"))
    assert done.status == 0, done.output
    lines = [line.strip() for line in done.output.splitlines()]
    assert "* log[the run list] action write" in lines
    found = [line.partition(UNIT)[2].split()[0] for line in lines if UNIT in line]
    assert found == actions


def test_it_waits_for_another_run(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / "chef-client-running.pid").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = chef_client(tmp_path, "--run-lock-timeout", "1")
    assert done.status != 0
    output = ChefOutput()
    said = [output.feed(line) for line in done.output.splitlines()]
    assert "waiting for another run of chef-client to end" in said
    assert output.error() == "another chef-client has not ended within 1 s"
