"""Nodes from a hosts file or a command: what commands say of them, and how often they ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.run.events import RunStarted, StepStarted
from stackcook.run.state import State
from tests.output import data as data_of

HOSTS = "[control]\ncontroller ansible_host=127.0.0.2\n[compute]\ncompute[01:03]\n"
GROUPS = "groups: {control: nginx, compute: 'recipe[nginx]'}"
SCRIPT = """\
#!/bin/sh
echo run >>runs
cat hosts.json
"""
JSON = {
    "control": {"hosts": ["controller"]},
    "compute": ["compute01", "compute02", "compute03"],
    "_meta": {"hostvars": {"controller": {"ansible_host": "127.0.0.2"}}},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose manifest names hosts.ini; ./hosts.sh prints the same hosts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").touch()
    nginx = tmp_path / "cookbooks" / "nginx"
    (nginx / "recipes").mkdir(parents=True)
    (nginx / "metadata.rb").write_text("name 'nginx'\nversion '1.0.0'\n")
    (nginx / "recipes" / "default.rb").touch()
    (tmp_path / "hosts.ini").write_text(HOSTS)
    (tmp_path / "hosts.json").write_text(json.dumps(JSON))
    (tmp_path / "hosts.sh").write_text(SCRIPT)
    (tmp_path / "hosts.sh").chmod(0o755)
    write(tmp_path, "file: hosts.ini")
    return tmp_path


def write(root: Path, source: str) -> None:
    text = f"cookbooks: [nginx: ]\nstackcook:\n  inventory:\n    {source}\n    {GROUPS}\n"
    (root / "infrastructure.yml").write_text(text)


def runs(root: Path) -> int:
    """How often the command was run."""
    path = root / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def stackcook(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def test_check_says_which_nodes_come_from_where(root: Path) -> None:
    done = stackcook("check")
    assert done.stdout == (
        "nodes from hosts.ini: controller, compute[01-03]\n"
        "no problems found: 4 nodes, 1 cookbook\n"
    )
    write(root, "command: [./hosts.sh]")
    assert stackcook("check").stdout.startswith("nodes from ./hosts.sh: controller, compute[01-03]")
    assert data_of(stackcook("check", "--json").stdout)["inventory"] == {
        "source": "./hosts.sh",
        "nodes": ["controller", "compute01", "compute02", "compute03"],
    }


def test_findings_name_the_line_of_the_hosts_file(root: Path) -> None:
    (root / "hosts.ini").write_text(f"{HOSTS}c4 ansible_host=127.0.0.2\n")
    done = stackcook("check")
    assert done.exit_code == 3
    assert "hosts.ini:5:1: error: node c4: address 127.0.0.2 is already used by" in done.stdout
    (run,) = json.loads(stackcook("check", "--format", "sarif").stdout)["runs"]
    (place,) = [found["locations"][0]["physicalLocation"] for found in run["results"]]
    assert place["artifactLocation"]["uri"] == "hosts.ini"
    assert place["region"]["startLine"] == 5


@pytest.mark.parametrize("command", ["check", "machines", "plan --format knife", "doctor"])
def test_a_command_is_run_once(root: Path, command: str) -> None:
    write(root, "command: [./hosts.sh]")
    assert stackcook(*command.split()).exit_code in (0, 2)
    assert runs(root) == 1


def test_the_knife_commands_have_the_nodes_of_the_inventory(root: Path) -> None:
    lines = stackcook("plan", "--format", "knife").stdout.splitlines()
    assert "knife bootstrap controller -r 'nginx'" in lines
    assert "knife bootstrap compute03 -r 'recipe[nginx]'" in lines


def test_no_command_works_with_half_of_the_nodes(root: Path) -> None:
    write(root, "command: [sh, -c, echo no token >&2; exit 1]")
    for command in ("deploy", "converge", "plan", "destroy", "status"):
        done = stackcook(command)
        assert done.exit_code == 3
        assert "failed with exit status 1: no token; run it yourself" in done.stderr


@pytest.mark.parametrize("command", ["ssh", "converge", "deploy --limit"])
def test_names_are_completed_without_running_the_command(root: Path, command: str) -> None:
    def completed() -> list[str]:
        complete = ShellComplete(cli, {}, "stackcook", "_STACKCOOK_COMPLETE")
        return [item.value for item in complete.get_completions(command.split(), "compute0")]

    assert completed() == ["compute01", "compute02", "compute03"]
    write(root, "command: [./hosts.sh]")
    assert completed() == []  # of a cloud that was never deployed
    with State(root / ".stackcook") as state:
        state(RunStarted("deploy", 1.0, ("compute02", "web"), deploy="d-1"))
        for node in ("compute02", "web"):
            state(StepStarted("reach", 2.0, node))
    assert completed() == ["compute02"]
    assert runs(root) == 0


def test_secrets_of_a_command_are_not_shown(root: Path) -> None:
    (root / "hosts.sh").write_text(
        "#!/bin/sh\necho password=hunter22 >&2\necho no token >&2\nexit 1\n"
    )
    write(root, "command: [./hosts.sh, --token=s3cr3tvalue]")
    done = stackcook("check")
    said = "./hosts.sh --token=**** failed with exit status 1: password=**** | no token; "
    assert said in done.stdout
    assert "hunter22" not in done.stdout and "s3cr3tvalue" not in done.stdout
