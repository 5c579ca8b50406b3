"""The recipes for CI: what `init --ci` writes, and that their commands work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stackcook.cli import verify
from stackcook.cli.main import cli
from stackcook.scaffold.files import CI
from tests.commands import parsed
from tests.fakes import FakeSite, recipe_error
from tests.junit import validate
from tests.output import data as data_of

EXAMPLES = Path(__file__).parents[3] / "examples" / "ci"
INSTALL = ("apt-get ", "pip install", "pipx install")
BIN = Path(sys.executable).parent


def github(job: str) -> list[str]:
    steps = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"][job]["steps"]
    return [step["run"] for step in steps if "run" in step]


def gitlab(job: str) -> list[str]:
    found = yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())[job]
    before = found.get("hooks", {}).get("pre_get_sources_script", [])
    before += found.get("before_script", [])
    return [*before, *found["script"], *found["after_script"]]


def jenkins(job: str) -> list[str]:
    """The agent is prepared, so one list has both jobs."""
    commands = re.findall(r"^\s+sh '(.*)'$", (EXAMPLES / "Jenkinsfile").read_text(), re.MULTILINE)
    return [command for command in commands if (" check " in command) is (job == "check")]


RECIPES = {"github": github, "gitlab": gitlab, "jenkins": jenkins}
every_recipe = pytest.mark.parametrize("system", [*RECIPES])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new git repository; the current directory, too."""
    path = tmp_path / "mycloud"
    subprocess.run(["git", "init", "-q", path], check=True)
    monkeypatch.chdir(path)
    return path


def init(*options: str) -> Any:
    return CliRunner(mix_stderr=False).invoke(cli, ["init", *options])


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a runner does that has Ruby and no Chef, knife or Vagrant."""
    tools = Path("tools").absolute()
    tools.mkdir(exist_ok=True)
    wanted = {"stackcook": BIN / "stackcook", "ruby": Path("/usr/bin/ruby")}
    for name, target in wanted.items():
        if not (tools / name).exists():
            (tools / name).symlink_to(target)
    env = {"PATH": str(tools), "HOME": str(tools), "LANG": "C.UTF-8"}
    argv = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(argv, env=env, capture_output=True, text=True)


@every_recipe
def test_init_writes_the_recipe(system: str, repository: Path) -> None:
    done = init("--ci", system)
    assert done.exit_code == 0, done.stderr
    for path, name in CI[system].items():
        assert (repository / path).read_bytes() == (EXAMPLES / name).read_bytes()
    assert {path for files in CI.values() for path in files if (repository / path).exists()} == {
        *CI[system]
    }
    again = init("--ci", system)
    assert again.exit_code == 2 and "already exists" in again.stderr


def test_init_writes_it_beside_an_existing_repository(repository: Path) -> None:
    (repository / "roles").mkdir()
    (repository / "roles" / "web.json").write_text('{"name": "web"}')
    assert init("--from-repository", "--ci", "gitlab").exit_code == 0
    assert (repository / ".gitlab-ci.yml").is_file()
    refused = init("--from-repository", "--ci", "gitlab", "-o", "-")
    assert "--ci cannot be combined with --output" in refused.stderr


def test_every_file_of_the_examples_belongs_to_a_recipe() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {
        name for files in CI.values() for name in files.values()
    }


@every_recipe
@pytest.mark.parametrize("job", ["check", "deploy"])
def test_every_command_and_option_exists(system: str, job: str) -> None:
    commands = [*stackcook_commands(RECIPES[system](job))]
    assert commands
    for words in commands:
        parsed(cli, words)


def stackcook_commands(lines: list[str]) -> Iterator[list[str]]:
    """The arguments of each call of stackcook in these lines of shell."""
    for line in lines:
        for call in re.findall(r"(?:^|\s)stackcook ([^;|>]+)", line):
            yield shlex.split(call)


@every_recipe
def test_the_check_finds_nothing_in_a_new_cloud(system: str, repository: Path) -> None:
    assert init("--ci", system).exit_code == 0
    for command in RECIPES[system]("check"):
        if not command.startswith(INSTALL):
            done = shell(command)
            assert done.returncode == 0, done.stdout + done.stderr
    root = validate((repository / "check.xml").read_text())
    assert root.get("failures") == "0"
    if system == "github":
        (run,) = json.loads((repository / "check.sarif").read_text())["runs"]
        assert run["results"] == []
    if system == "gitlab":
        assert json.loads((repository / "check.json").read_text()) == []


@every_recipe
def test_the_check_fails_for_a_wrong_manifest(system: str, repository: Path) -> None:
    assert init("--ci", system).exit_code == 0
    manifest = repository / "infrastructure.yml"
    manifest.write_text(manifest.read_text().replace("role[single-compute]", "role[singel]"))
    commands = [c for c in RECIPES[system]("check") if "stackcook check" in c]
    assert {shell(command).returncode for command in commands} == {3}
    assert validate((repository / "check.xml").read_text()).get("failures") != "0"
    if system == "github":
        (run,) = json.loads((repository / "check.sarif").read_text())["runs"]
        places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
        assert {place["artifactLocation"]["uri"] for place in places} == {"infrastructure.yml"}
    if system == "gitlab":
        issues = json.loads((repository / "check.json").read_text())
        assert {issue["location"]["path"] for issue in issues} == {"infrastructure.yml"}


def test_the_matcher_reads_each_problem(repository: Path) -> None:
    init("--ci", "github")
    manifest = repository / "infrastructure.yml"
    manifest.write_text(manifest.read_text().replace("role[single-compute]", "role[singel]"))
    (repository / "roles" / "single-controller.json").write_text("{")
    (matcher,) = json.loads((EXAMPLES / "github-matcher.json").read_text())["problemMatcher"]
    (pattern,) = matcher["pattern"]
    text = CliRunner(mix_stderr=False).invoke(cli, ["check"]).stdout
    found = [
        {key: match[number] for key, number in pattern.items() if key != "regexp"}
        for line in text.splitlines()
        if (match := re.match(pattern["regexp"], line))
    ]
    findings = data_of(CliRunner(mix_stderr=False).invoke(cli, ["check", "--json"]).stdout)
    wanted = findings["findings"]
    assert len(found) == len(wanted) >= 2
    assert {each["severity"] for each in found} == {each["severity"] for each in wanted}
    assert [each["line"] and int(each["line"]) for each in found] == [
        each["line"] for each in wanted
    ]
    assert {each["file"] for each in found} == {
        "infrastructure.yml",
        "roles/single-controller.json",
    }


def test_the_matcher_reads_a_problem_without_a_line() -> None:
    (matcher,) = json.loads((EXAMPLES / "github-matcher.json").read_text())["problemMatcher"]
    match = re.match(matcher["pattern"][0]["regexp"], "roles: error: cannot read: x; fix it")
    assert match and match.groups() == ("roles", None, None, "error", "cannot read: x; fix it")


Run = Callable[[str], list[int]]


@pytest.fixture
def deploy_job(root: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the deploy job as far as it is stackcook's, over a fake site; gives the exit codes.

    As on a runner, the first failure skips the rest but what always runs: report and destroy.
    """
    monkeypatch.setattr(verify, "Site", lambda *_: site)
    monkeypatch.setenv("CI_PROJECT_DIR", str(root))

    def run(system: str) -> list[int]:
        codes: list[int] = []
        for words in stackcook_commands(RECIPES[system]("deploy")):
            always = words[0] in ("report", "destroy")
            left = words == ["destroy", "--yes"] and not codes or words[0] == "-f"
            if words[0] == "doctor" or left or any(codes) and not always:
                continue  # nothing is left of another job
            done = CliRunner(mix_stderr=False).invoke(cli, [os.path.expandvars(w) for w in words])
            codes.append(done.exit_code)
        return codes

    return run


FILES = ("deploy.xml", "deploy.html", "bundle.tar.gz")


@every_recipe
def test_the_deploy_job_ends_without_a_cloud(
    system: str, deploy_job: Run, root: Path, site: FakeSite
) -> None:
    assert deploy_job(system) == [0, 0, 0, 0]
    assert site.asked[-1] == "remove"
    for name in FILES:
        assert (root / name).is_file(), name
    for name in ("deploy.xml", "verify.xml"):
        assert validate((root / name).read_text()).get("failures") == "0"


@every_recipe
def test_after_a_failed_deploy_there_is_a_report_and_no_cloud(
    system: str, deploy_job: Run, root: Path, site: FakeSite
) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    assert deploy_job(system) == [4, 0, 0]
    assert site.asked[-1] == "remove"
    assert all((root / name).is_file() for name in FILES)
    assert validate((root / "deploy.xml").read_text()).get("failures") == "1"


@every_recipe
def test_files_of_the_deploy_job_are_kept(system: str) -> None:
    name = next(name for name in CI[system].values() if "matcher" not in name)
    text = (EXAMPLES / name).read_text().replace("*.xml", "deploy.xml, verify.xml")
    kept = text.partition("rchive")[2] if system == "jenkins" else text
    for file in (*FILES, "verify.xml"):
        assert len(re.findall(rf"\b{re.escape(file)}\b", text)) >= 2, file
        assert file in kept
