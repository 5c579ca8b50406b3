"""``stackcook plan --format knife``: spiceweasel's commands, from the manifest and files alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from tests.knifecases import CASES, KnifeCase, folded

DOCS = Path(__file__).parents[3] / "docs" / "spiceweasel.md"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    directory = tmp_path / "repository"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def plan(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, ["plan", "--format", "knife", *arguments])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_commands(case: KnifeCase, repository: Path) -> None:
    case.lay_out(repository)
    before = sorted(repository.rglob("*"))
    result = plan(*case.options)
    assert result.exit_code == 0, result.stderr
    assert folded(result.stdout) == case.stackcook
    assert sorted(repository.rglob("*")) == before


@pytest.mark.parametrize("case", [c for c in CASES if c.compared], ids=lambda case: case.name)
def test_a_difference_is_one_and_has_its_reason(case: KnifeCase) -> None:
    assert (case.stackcook != case.spiceweasel) == bool(case.differs)


def test_the_docs_name_every_difference() -> None:
    named = re.findall(r"^\| ([^|]+?) +\|", DOCS.read_text(), re.MULTILINE)
    differs = {reason for case in CASES for reason in case.differs}
    assert differs <= set(named), differs - set(named)


def test_a_missing_file_is_a_finding(repository: Path) -> None:
    manifest = "cookbooks: [apt]\nroles: [web]\ndata bags: [users: {items: [bob]}]\n"
    (repository / "infrastructure.yml").write_text(manifest)
    result = plan()
    assert result.exit_code == 3
    assert result.stdout == ""
    assert [line.split(": ", 2)[2] for line in result.stderr.splitlines()] == [
        "directory not found: cookbooks/; create it: the commands download cookbooks from the"
        " Supermarket into it",
        "file not found: roles/web (.json or .rb); create the file or remove the name",
        "file not found: data_bags/users/bob (.json); create the file or remove the name",
    ]


def test_an_unresolved_berksfile_is_noted(repository: Path) -> None:
    (repository / "Berksfile").touch()
    (repository / "infrastructure.yml").write_text("berksfile:\n")
    result = plan("--delete")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Berksfile.lock not found" in result.stderr
    assert plan().stderr == ""  # only who deletes needs to know what it resolved


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--delete", "--rebuild"), "--delete and --rebuild cannot be combined"),
        (("--reset",), "--reset cannot be combined with --format knife"),
        (("--reset", "--limit", "a"), "--reset and --limit cannot be combined"),
        (("--chef-client", "--delete"), "--chef-client and --delete cannot be combined"),
        (("--only", "rolls"), '--only: unknown section "rolls"; did you mean "roles"?'),
        (("--only", "all"), "use one of cookbooks, environments, roles, data bags, nodes, "),
        (("--limit", "web"), 'unknown node web; did you mean "web1"?'),
        (("--limit", "mail"), "unknown node mail; use one of web1"),
        (("--limit", "role[bsae]"), 'role[bsae] in its run list; did you mean "role[base]"?'),
        (("--limit", "roles"), "unknown node roles; quote it: 'role[NAME]'"),  # by the shell's glob
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, ...], message: str, repository: Path) -> None:
    (repository / "infrastructure.yml").write_text('nodes: [web1: {run_list: "role[base]"}]\n')
    result = plan(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
