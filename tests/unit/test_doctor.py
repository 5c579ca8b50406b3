"""``stackcook doctor`` names what is missing and the command that brings it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stackcook import doctor
from stackcook.cli.main import cli
from stackcook.doctor import Tool, diagnose, needs
from stackcook.errors import UsageError
from tests.output import data as data_of


def only_ruby(name: str) -> Path:
    if name != "ruby":
        raise UsageError(f"{name} is not installed")
    return Path("/usr/bin/ruby")


LAB = "stackcook: {network: 10.0.112.0/24, nodes: {one: {address: 10.0.112.10}}}\n"
OWN = """\
stackcook:
  machines: ssh
  chef_server: {url: 'https://chef.example.com', user: me, key: key}
  nodes: {one: {address: 192.0.2.10, key: key}}
"""


@pytest.mark.parametrize(
    "manifest, needed",
    [
        ("nodes: [one: ]\n" + LAB, {"goiardi", "ssh", "ip", "vagrant", "lxc-create"}),
        ("nodes: [one: ]\n" + OWN, {"ssh"}),
        ("nodes: [one: ]\n" + OWN + "  bootstrap: knife\n", {"ssh", "knife"}),
        ("nodes: [ec2 1: {run_list: 'role[a]'}]\n", {"goiardi", "ssh", "knife"}),
        ("berksfile:\nroles: []\n", {"goiardi", "berks", "git"}),
        ("roles: []\n", {"goiardi"}),
        ("not a manifest\n", {"goiardi", "knife", "berks", "git", "ssh", "ip", "vagrant"}),
    ],
)
@pytest.mark.parametrize("user", [0, 1000])
def test_what_a_manifest_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str, needed: set[str], user: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").touch()
    (tmp_path / "Berksfile").touch()
    path = tmp_path / "infrastructure.yml"
    path.write_text(manifest)
    tools = data_of(
        CliRunner(mix_stderr=False).invoke(cli, ["-f", str(path), "doctor", "--json"]).stdout
    )["tools"]
    found = {tool["name"] for tool in tools if tool["needed"]}
    assert needed | {"ruby", "Python libraries"} <= found
    lab = "ip" in needed
    assert ("root access" in found) is lab and ("sudo" in found) is (lab and user != 0)
    others = {"knife", "berks", "librarian-chef", "goiardi", "vagrant", "lxc-create"} - needed
    assert manifest.startswith("not") or not others & found


def test_setup_installs_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = diagnose(needs(None, embedded=True), find=only_ruby)
    missing = {one.name: one.remedy for one in found if not one.found}
    assert {"knife", "goiardi", "lxc-create"} <= missing.keys()
    assert {*missing.values()} <= {
        "stackcook setup",
        "run stackcook as root, or set up passwordless sudo",
    }
    libraries = next(one for one in found if one.name == "Python libraries")
    assert libraries.remedy == f"make -C {doctor.CHECKOUT} setup"
    monkeypatch.setattr(doctor, "CHECKOUT", tmp_path)  # as from a wheel
    found = diagnose((), find=only_ruby)
    libraries = next(one for one in found if one.name == "Python libraries")
    assert libraries.remedy.endswith(" -m pip install")


@pytest.fixture
def nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "PLUGINS", tmp_path)
    monkeypatch.setattr(diagnose, "__defaults__", ((Tool("no-such-tool", "is"),),))
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.usefixtures("nothing_there")
def test_a_missing_tool_is_a_line_and_the_exit_code() -> None:
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 2
    assert "missing: stackcook setup" in done.output
    assert done.output.splitlines()[-1].startswith("missing: no-such-tool, ")


@pytest.mark.usefixtures("nothing_there")
def test_as_json() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 2
    tools = data_of(done.stdout)["tools"]
    assert {
        "name": "no-such-tool",
        "purpose": "is",
        "found": "",
        "remedy": "stackcook setup",
        "needed": True,
    } in tools
