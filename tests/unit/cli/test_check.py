"""``stackcook check``: every finding of the manifest and of the Chef repository, in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stackcook.cli import check as check_command
from stackcook.chef.repository.repository import Repository
from stackcook.cli.context import Context
from stackcook.cli.main import cli
from stackcook.command import CommandError
from stackcook.errors import Finding, InputError, UsageError
from tests.junit import clouds_of, validate
from tests.output import data as data_of, document

GOOD = """\
nodes:
- web1:
stackcook:
  network: 10.0.112.0/24
  nodes:
    web1: {address: 10.0.112.10}
"""
WARNED = GOOD.replace("10.0.112", "8.8.8")
"""Its only finding is the warning that this network is public."""

BAD = "rolls:\nroles:\n- base:\n"


def check(directory: Path, manifest: str, *arguments: str) -> Result:
    path = directory / "infrastructure.yml"
    path.write_text(manifest)
    return CliRunner(mix_stderr=False).invoke(cli, ["-f", str(path), "check", *arguments])


def test_nothing_wrong(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD)
    expected = (0, "no problems found: 1 node\n", "")
    assert (result.exit_code, result.stdout, result.stderr) == expected


@pytest.mark.parametrize("version", ["1", "1.2.3.4", '">= 1.0"', "v1.0.0"])
def test_a_version_that_is_none_is_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """It was also compared with that of the cookbook, which was an internal error."""
    monkeypatch.chdir(tmp_path)
    metadata = tmp_path / "cookbooks" / "base" / "metadata.json"
    metadata.parent.mkdir(parents=True)
    metadata.write_text('{"name": "base", "version": "1.0.0"}')
    result = check(tmp_path, f"cookbooks:\n- base: {{version: {version}}}\n{GOOD}")
    assert (result.exit_code, result.stderr) == (3, "")
    wrong = version.strip('"')
    assert result.stdout == (
        f'infrastructure.yml:2:19: error: cookbooks: base: version: invalid value "{wrong}";'
        " write it as 1.2.3\nfound 1 error in 1 file\n"
    )


def test_warnings_alone_are_0_unless_strict(tmp_path: Path) -> None:
    result = check(tmp_path, WARNED)
    assert result.exit_code == 0
    assert result.stdout.endswith("\nfound 1 warning in 1 file\n")
    strict = check(tmp_path, WARNED, "--strict")
    assert (strict.exit_code, strict.stdout) == (3, result.stdout)
    assert check(tmp_path, GOOD, "--strict").exit_code == 0


def test_a_timer_needs_a_chef_server_that_always_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    timed = GOOD + "  client: {interval: 30m}\n"
    result = check(tmp_path, timed)
    assert result.exit_code == 0
    assert result.stdout.startswith(
        f"{tmp_path}/infrastructure.yml:7:22: warning: stackcook: client: interval: the nodes'"
        " chef-client fails while the embedded Chef server does not run"
    )
    (tmp_path / "me.pem").touch()
    own = "  chef_server: {url: 'https://chef.example.com', user: me, key: me.pem}\n"
    assert check(tmp_path, timed + own).stdout == "no problems found: 1 node\n"


def test_findings_of_both_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    role = tmp_path / "roles" / "web.json"
    role.parent.mkdir()
    role.write_text("{")
    result = check(tmp_path, BAD + "- web:\n" + "stackcook: {network: 8.8.8.0/24}\n")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["infrastructure.yml:1:1", "error"],
        ["infrastructure.yml:3:3", "error"],
        ["infrastructure.yml:5:22", "warning"],
        ["roles/web.json:1:2", "error"],
    ]
    assert 'did you mean "roles"?' in lines[0]
    assert lines[-1] == "found 3 errors, 1 warning in 2 files"
    assert result.stderr == ""


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "json"]])
def test_json(tmp_path: Path, arguments: list[str]) -> None:
    result = check(tmp_path, GOOD + "rolls:\n", *arguments)
    assert result.exit_code == 3
    assert data_of(result.stdout) == {
        "findings": [
            {
                "where": str(tmp_path / "infrastructure.yml"),
                "line": 7,
                "column": 1,
                "severity": "error",
                "what": 'unknown key "rolls" in the manifest',
                "remedy": 'did you mean "roles"?',
            }
        ],
        "counts": {"errors": 1, "warnings": 0, "files": 1},
        "looked_at": {"nodes": 1, "cookbooks": 0, "roles": 0, "environments": 0, "data bags": 0},
        "inventory": None,
    }


def test_junit_has_a_case_for_each_finding(tmp_path: Path) -> None:
    file = tmp_path / "check.xml"
    result = check(tmp_path, BAD, "--junit", str(file))
    assert result.exit_code == 3 and "found 2 errors" in result.stdout
    root = validate(file.read_text())
    failures = {
        case.get("name"): case[0].get("message") for case in root.iter("testcase") if len(case)
    }
    assert {name.rsplit("infrastructure.yml", 1)[1] for name in failures} == {":1:1", ":3:3"}
    assert any("rolls" in message for message in failures.values())
    passed = [case for case in root.iter("testcase") if not len(case)]
    assert {case.get("classname") for case in passed} >= {"check.cookbooks", "check.data_bags"}


def test_junit_of_warnings_depends_on_strict(tmp_path: Path) -> None:
    file = tmp_path / "check.xml"
    for options, outcomes in (((), ("0", "1")), (("--strict",), ("1", "0"))):
        check(tmp_path, WARNED, "--junit", str(file), *options)
        root = validate(file.read_text())
        assert clouds_of(root) == {"stackcook"}
        suite = next(suite for suite in root if suite.get("name") == "manifest")
        assert (suite.get("failures"), suite.get("skipped")) == outcomes


def test_junit_of_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "check.xml"
    check(tmp_path, "a: [", "--junit", str(file))
    root = validate(file.read_text())
    skipped = {skip.get("message") for skip in root.iter("skipped")}
    assert root.get("failures") == "1" and skipped == {"the manifest could not be read"}
    assert root.get("name") == "stackcook check" and clouds_of(root) == {None}


def test_code_quality_is_what_gitlab_reads(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    lab = tmp_path / "lab"
    lab.mkdir()
    result = check(lab, BAD, "--format", "codequality")
    issues = json.loads(result.stdout)
    assert result.exit_code == 3 and len(issues) == 2
    for issue in issues:
        assert {*issue} == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] == "major" and issue["check_name"] == "manifest"
        assert issue["location"]["path"] == "lab/infrastructure.yml"
    assert [issue["location"]["lines"]["begin"] for issue in issues] == [1, 3]
    assert len({issue["fingerprint"] for issue in issues}) == 2
    moved = json.loads(check(lab, "\n" + BAD, "--format", "codequality").stdout)
    assert [i["fingerprint"] for i in moved] == [i["fingerprint"] for i in issues]
    (warning,) = json.loads(check(lab, WARNED, "--format", "codequality").stdout)
    assert warning["severity"] == "minor"
    assert json.loads(check(lab, GOOD, "--format", "codequality").stdout) == []


def test_sarif_paths_are_relative_to_the_checkout(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    lab = tmp_path / "lab"
    lab.mkdir()
    result = check(lab, BAD, "--format", "sarif")
    assert result.exit_code == 3
    (run,) = json.loads(result.stdout)["runs"]
    places = [found["locations"][0]["physicalLocation"] for found in run["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == ["lab/infrastructure.yml"] * 2
    assert [place["region"]["startLine"] for place in places] == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "xml"], "'xml' is not one of 'text', 'json', 'sarif'"),
        (["--json", "--format", "sarif"], "--json cannot be combined with --format sarif"),
        (["--format", "text", "--json"], "--json cannot be combined with --format text"),
    ],
)
def test_bad_usage(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = check(tmp_path, GOOD, *arguments)
    assert result.exit_code == 2
    if "--json" in arguments:
        assert says in document(result.stdout)["errors"][0]["what"]
    else:
        assert result.stdout == "" and says in result.stderr


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            CommandError("`knife` hangs", where="/bin/knife"),
            "yml: error: /bin/knife: `knife` hangs; ",
        ),
        (InputError([Finding(Path("/r/a.rb"), None, "it is stuck", "end it")]), "/r/a.rb: error: "),
        (UsageError("there is no ruby", remedy="install it"), "error: there is no ruby; install"),
        (PermissionError(13, "Permission denied", "/r/roles"), "/r/roles: error: cannot read: "),
    ],
)
def test_a_repository_that_cannot_be_read_hides_no_finding_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    failing_with(error, monkeypatch)
    result = check(tmp_path, BAD)
    assert result.exit_code == 3
    *both, last = result.stdout.splitlines()
    assert len(both) == 2
    assert 'unknown key "rolls"' in result.stdout and says in result.stdout
    assert last.startswith("found 2 errors in ")


def test_nor_does_what_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing_plugins(manifest: Any) -> Any:
        raise UsageError("knife is not installed", remedy="install it")

    monkeypatch.setattr(check_command, "missing_plugins", missing_plugins)
    result = check(tmp_path, BAD)
    assert result.exit_code == 3
    for what in ('unknown key "rolls"', "file not found: roles/base"):
        assert f"error: {what}" in result.stdout
    assert "warning: knife is not installed" in result.stdout  # only `deploy` needs it


def test_nor_does_a_bug_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(KeyError("gone"), monkeypatch)
    result = check(tmp_path, BAD)
    assert result.exit_code == 1
    assert 'unknown key "rolls"' in result.stderr and "internal error" in result.stderr


def failing_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect(manifest: Any, find_server: Any) -> Any:
        raise error

    monkeypatch.setattr(Repository, "inspect", inspect)


def test_colours(tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text("rolls:\n")
    arguments = ["--color", "-f", str(path), "check"]
    shown = CliRunner(env={"TERM": "xterm", "NO_COLOR": None}).invoke(cli, arguments).stdout
    assert "\x1b[31m: error: \x1b[0munknown key" in shown
    assert "\x1b" not in check(tmp_path, "rolls:\n").stdout


def test_a_line_is_written_as_it_is(tmp_path: Path) -> None:
    """Neither as rich's markup nor as its pictures."""
    result = check(tmp_path, 'roles: ["a:key:b", "[red]"]\n')
    assert "roles/a:key:b" in result.stdout and '"[red]"' in result.stdout


def test_changes_nothing(tmp_path: Path) -> None:
    check(tmp_path, GOOD)
    assert [path.name for path in tmp_path.iterdir()] == ["infrastructure.yml"]


def test_only_commands_that_bring_changes_about_repeat_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(WARNED)
    Context(path).load()
    assert capsys.readouterr() == ("", "")
    Context(path).load(warn=True)
    assert "4:12: warning: " in capsys.readouterr().err


def test_broken_settings_of_knife_hide_nothing(tmp_path: Path) -> None:
    """They are needed only to say where a missing role may be."""
    config = tmp_path / ".chef" / "config.rb"
    config.parent.mkdir()
    config.write_text("chef_server_url 'http://x'\nnode_name )\n")
    nodes = "nodes: [{a: {run_list: 'role[web]'}}]\nstackcook: {machines: ssh}\n"
    assert "config.rb" not in check(tmp_path, nodes.replace("'role[web]'", "''")).stdout
    result = check(tmp_path, nodes)
    assert "/.chef/config.rb:2:11: error: Ruby: unexpected ')'" in result.stdout
    look = "`plan`, `upload` and `deploy` look for it on your Chef server"
    assert f'warning: a: role "web" is not in the manifest; {look}' in result.stdout
