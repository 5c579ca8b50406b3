"""The recipes for CI: what `init --ci` writes, and that their commands work."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stackcook.cli import verify
from stackcook.cli.main import cli
from stackcook.scaffold.files import CI
from stackcook.snapshot.store import Store
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
SNAPSHOT = "cloud.snapshot"


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
def test_every_command_and_option_exists(system: str, job: str, repository: Path) -> None:
    (repository / SNAPSHOT).touch()
    commands = [*stackcook_commands(RECIPES[system](job))]
    assert commands
    for words in commands:
        parsed(cli, words)


def stackcook_commands(lines: list[str]) -> Iterator[list[str]]:
    """The arguments of each call of stackcook in these lines of shell."""
    for line in lines:
        for call in re.findall(r"(?:^|\s)stackcook ([^;|>\n]+)", line):
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


@dataclass(frozen=True)
class Job:
    """What a CI system knows of a deploy job: its branch, and what its cache had."""

    branch: str = "main"
    same: bool = False
    private: bool = True


Step = tuple[str, bool]
"""A command of a job, and whether it runs also after a failure."""


def github_steps(job: Job) -> Iterator[Step]:
    found = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["deploy"]
    known = {
        "github.ref_name": job.branch,
        "github.event.repository.default_branch": "main",
        "github.event.repository.private": str(job.private).lower(),
        "steps.snapshot.outputs.cache-hit": str(job.same).lower(),
    }
    known |= {f"env.{k}": known[v.strip("${ }")] for k, v in found["env"].items()}
    for step in found["steps"]:
        condition = step.get("if", "")
        always = condition == "always()"
        if "run" in step and (always or met(condition, known)):
            yield step["run"], always


def met(condition: str, known: Mapping[str, str]) -> bool:
    """A condition of GitHub Actions that has nothing but comparisons and `&&`."""

    def value(word: str) -> str:
        return word[1:-1] if word.startswith("'") else known[word]

    parts = [part.split() for part in condition.split(" && ")] if condition else []
    return all((value(left) == value(right)) is (op == "==") for left, op, right in parts)


def gitlab_steps(job: Job) -> Iterator[Step]:
    found = yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())["deploy"]
    first, second = found["rules"]
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in first["if"]
    rule = first if job.branch == "main" else second
    policy = {**found["variables"], **rule.get("variables", {})}["SNAPSHOT_POLICY"]
    for line in [*found["hooks"]["pre_get_sources_script"], *found["script"]]:
        yield f"SNAPSHOT_POLICY={policy}\n{line}", False
    yield from ((line, True) for line in found["after_script"])


def jenkins_steps(job: Job) -> Iterator[Step]:
    stages, post = (EXAMPLES / "Jenkinsfile").read_text().split("post {")
    for stage in stages.split("stage('")[1:]:
        if "when {" not in stage or job.branch == "main":
            yield from ((line, False) for line in re.findall(r"^\s+sh '(.*)'$", stage, re.M))
    yield from ((line, True) for line in re.findall(r"^\s+sh '(.*)'$", post, re.M))


STEPS = {"github": github_steps, "gitlab": gitlab_steps, "jenkins": jenkins_steps}
with_a_cache = pytest.mark.parametrize("system", ["github", "gitlab"])


def calls(command: str, root: Path, failing: str = "none") -> list[list[str]]:
    """How often, and with what, a command of a job calls stackcook; really run by bash.

    Calls of ``snapshot failing`` fail, the others succeed.
    """
    tools = root / "tools"
    tools.mkdir(exist_ok=True)
    log = tools / "log"
    log.write_text("")
    fake = tools / "stackcook"
    fake.write_text('#!/bin/bash\necho "${@@Q}" >>"$LOG"\n[ "$1 $2" != "snapshot $FAILING" ]\n')
    fake.chmod(0o755)
    env = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "LOG": str(log),
        "FAILING": failing,
        "GITHUB_ENV": os.devnull,
        "CI_PROJECT_DIR": str(root),
    }
    argv = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    subprocess.run(argv, env=env, cwd=root, check=True)
    every = [shlex.split(line) for line in log.read_text().splitlines()]
    # the check has tests of its own; the doctor would look at this machine
    return [words for words in every if words[0] not in ("check", "doctor", "--version")]


Run = Callable[..., list[int]]


@pytest.fixture
def deploy_job(root: Path, site: FakeSite, store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the deploy job as far as it is stackcook's, over a fake site; gives the exit codes.

    As on a runner, the checkout deletes what another job has left, and the first failure skips the
    rest but what always runs: report and destroy. The report takes seconds, as it asks programs for
    their versions: only ``report`` writes one.
    """
    monkeypatch.setattr(verify, "Site", lambda *_: site)
    site.snapshots = store
    site.on_restore = lambda: site.machines.state.update(controller="stopped", compute1="stopped")
    site.chef.known = {"controller", "compute1"}

    def run(system: str, job: Job = Job(), report: bool = False) -> list[int]:
        codes: list[int] = []
        shutil.rmtree(root / ".stackcook", ignore_errors=True)
        site.machines.state.clear()
        site.asked.clear()
        for command, always in STEPS[system](job):
            for words in calls(command, root) if always or not any(codes) else ():
                if words[0] == "report" and not report:
                    continue
                done = CliRunner(mix_stderr=False).invoke(cli, words)
                codes.append(done.exit_code)
        return codes

    return run


def work(site: FakeSite) -> set[str]:
    """What of a deploy takes time."""
    return {what for what in site.asked if what.startswith(("restore", "converge", "copy"))}


CONVERGES = {"converge controller", "converge compute1"}


FILES = ("deploy.xml", "deploy.html", "bundle.tar.gz")


@every_recipe
def test_the_deploy_job_ends_without_a_cloud(
    system: str, deploy_job: Run, root: Path, site: FakeSite
) -> None:
    assert not any(deploy_job(system, report=True))
    assert site.asked[-1] == "remove"
    for name in FILES:
        assert (root / name).is_file(), name
    for name in ("deploy.xml", "verify.xml"):
        assert validate((root / name).read_text()).get("failures") == "0"


@every_recipe
def test_after_a_failed_deploy_there_is_a_report_and_neither_cloud_nor_snapshot(
    system: str, deploy_job: Run, root: Path, site: FakeSite, store: Store
) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    assert [code for code in deploy_job(system, report=True) if code] == [4]
    assert site.asked[-1] == "remove"
    assert all((root / name).is_file() for name in FILES)
    assert validate((root / "deploy.xml").read_text()).get("failures") == "1"
    assert store.all() == () and not (root / SNAPSHOT).exists()


@every_recipe
def test_files_of_the_deploy_job_are_kept(system: str) -> None:
    name = next(name for name in CI[system].values() if "matcher" not in name)
    text = (EXAMPLES / name).read_text().replace("*.xml", "deploy.xml, verify.xml")
    kept = text.partition("rchive")[2] if system == "jenkins" else text
    for file in (*FILES, "verify.xml"):
        assert len(re.findall(rf"\b{re.escape(file)}\b", text)) >= 2, file
        assert file in kept


@with_a_cache
def test_the_next_job_begins_with_the_snapshot_in_the_cache(
    system: str, deploy_job: Run, root: Path, site: FakeSite, store: Store
) -> None:
    assert not any(deploy_job(system))
    assert work(site) == CONVERGES | {"copy"}
    first = (root / SNAPSHOT).read_bytes()
    for branch in ("main", "feature"):
        store.remove("ci")  # another runner, or a new one
        assert not any(deploy_job(system, Job(branch, same=True)))
        assert work(site) == {"restore ci"}
        assert (root / SNAPSHOT).read_bytes() == first


@with_a_cache
def test_after_a_change_only_the_default_branch_saves_a_snapshot(
    system: str, deploy_job: Run, root: Path, site: FakeSite, store: Store
) -> None:
    assert not any(deploy_job(system))
    first = (root / SNAPSHOT).read_bytes()
    site.inputs = "another cookbook"
    assert not any(deploy_job(system, Job("feature")))
    assert work(site) == {"restore ci"} | CONVERGES
    assert (root / SNAPSHOT).read_bytes() == first
    assert not any(deploy_job(system))
    assert work(site) == {"restore ci", "copy"} | CONVERGES
    assert (root / SNAPSHOT).read_bytes() != first
    (only,) = store.all()
    assert only.digest == "another cookbook"
    assert len([path for path in store.directory.iterdir() if path.is_dir()]) == 1


def test_on_an_agent_of_jenkins_the_snapshot_stays(
    deploy_job: Run, site: FakeSite, store: Store, root: Path
) -> None:
    assert not any(deploy_job("jenkins", Job("feature")))
    assert (work(site), store.all()) == (CONVERGES, ())
    assert not any(deploy_job("jenkins"))
    assert work(site) == CONVERGES | {"copy"}
    for branch in ("main", "feature"):
        assert not any(deploy_job("jenkins", Job(branch)))
        (snapshot,) = store.all()
        assert work(site) == {f"restore {snapshot.name}"}
    site.inputs = "another cookbook"
    assert not any(deploy_job("jenkins"))
    assert "copy" in work(site) and len(store.all()) == 1
    assert not (root / SNAPSHOT).exists()


@with_a_cache
def test_a_file_that_cannot_be_imported_is_deleted(system: str, tmp_path: Path) -> None:
    (tmp_path / SNAPSHOT).touch()
    found = [words for step, _ in STEPS[system](Job()) for words in calls(step, tmp_path, "import")]
    assert ["snapshot", "import", "--force", SNAPSHOT] in found and ["deploy"] in found
    assert not (tmp_path / SNAPSHOT).exists()


def test_in_a_public_repository_no_snapshot_is_cached() -> None:
    assert not [line for line, _ in github_steps(Job(private=False)) if "snapshot save" in line]
    deploy = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["deploy"]
    with_it = [step for step in deploy["steps"] if step.get("with", {}).get("path") == SNAPSHOT]
    assert {step["uses"]: step["if"] for step in with_it} == {
        "actions/cache/restore@v4": "env.SNAPSHOT == 'true'",
        "actions/cache/save@v4": "steps.save.outcome == 'success'",
    }


def test_the_key_of_github_s_cache_has_all_that_init_writes(repository: Path) -> None:
    assert init("--ci", "github").exit_code == 0
    deploy = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["deploy"]
    (key,) = [s["with"]["key"] for s in deploy["steps"] if s.get("id") == "snapshot"]
    hashed = set(re.findall(r"'(.*?)'", key))
    written = {path for path in repository.iterdir() if not path.name.startswith(".")}
    assert {f"{path.name}/**" if path.is_dir() else path.name for path in written} <= hashed


def test_only_the_default_branch_writes_gitlab_s_cache() -> None:
    deploy = yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())["deploy"]
    (cache,) = [each for each in deploy["cache"] if each["paths"] == [SNAPSHOT]]
    assert cache["policy"] == "$SNAPSHOT_POLICY" and "unprotect" not in cache
    assert deploy["variables"]["SNAPSHOT_POLICY"] == "pull"


@every_recipe
def test_the_snapshot_is_no_artifact(system: str) -> None:
    name = next(name for name in CI[system].values() if "matcher" not in name)
    kept = (EXAMPLES / name).read_text().rpartition("rtifact")[2]
    assert "bundle.tar.gz" in kept and "snapshot" not in kept
