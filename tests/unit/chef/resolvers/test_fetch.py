"""Cookbooks of a Berksfile and a Cheffile: when they are asked for, and what goes wrong."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook.chef.loader.findings import Findings
from stackcook.chef.resolvers.fetch import fetch, restore
from stackcook.command import CommandError
from stackcook.errors import Position
from stackcook.manifest.model import Berksfile, Manifest
from tests.programs import FakeProgram

CASES = yaml.safe_load((Path(__file__).parents[1] / "data" / "elsewhere.yml").read_text())
BERKSFILE = "cookbook 'apt', path: 'site/apt'\n"
PATH_LOCK = "DEPENDENCIES\n  apt\n    path: site/apt\n\nGRAPH\n  apt (1.0.0)\n"
NO_SOURCE = "Error retrieving universe from source: https://supermarket.example\n  * [X] refused\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A manifest whose Berksfile has a path source."""
    file = tmp_path / "Berksfile"
    file.write_text(BERKSFILE)
    (tmp_path / "site" / "apt" / "recipes").mkdir(parents=True)
    (tmp_path / "site" / "apt" / "recipes" / "default.rb").write_text("# apt\n")
    (tmp_path / "linked.rb").write_text("# from outside\n")
    (tmp_path / "site" / "apt" / "recipes" / "linked.rb").symlink_to(tmp_path / "linked.rb")
    (tmp_path / "site" / "apt" / "recipes" / "broken.rb").symlink_to("absent")
    return Manifest(
        tmp_path / "infrastructure.yml", "unit", berksfile=Berksfile(file, Position(3, 1))
    )


@pytest.fixture
def berks(manifest: Manifest) -> FakeProgram:
    return FakeProgram(manifest.root / "Berksfile.lock", locked=PATH_LOCK)


def findings_of(manifest: Manifest, program: FakeProgram) -> list[str]:
    """The findings without the directory and without what stands in brackets at the end."""
    findings = Findings()
    fetch(manifest, findings, program.programs)
    said = [str(finding).replace(f"{manifest.root}/", "") for finding in findings.found]
    return [line.partition(" (see ")[0] for line in said]


def brought(manifest: Manifest, program: FakeProgram) -> dict[str, Path]:
    """What comes, and nothing may be wrong with it."""
    findings = Findings()
    found = dict(fetch(manifest, findings, program.programs))
    assert findings.found == []
    return found


def test_without_either_nothing_is_asked(manifest: Manifest, berks: FakeProgram) -> None:
    assert brought(replace(manifest, berksfile=None), berks) == {}
    assert berks.asked == []


def test_cookbooks_are_whole_below_the_state(manifest: Manifest, berks: FakeProgram) -> None:
    berks.brings = ("apt", "yum")
    found = brought(manifest, berks)
    assert sorted(found) == ["apt", "yum"]
    assert (found["yum"] / "metadata.rb").read_text() == "name 'yum'\n"
    assert found["yum"].is_relative_to(manifest.state)
    assert not (found["yum"] / ".git").exists()
    assert berks.asked[0].argv[:2] == ("/programs/berks", "vendor")
    assert berks.asked[0].cwd == manifest.root


def add_a_hidden_file(root: Path) -> None:
    (root / "site" / "apt" / ".git").mkdir()
    (root / "site" / "apt" / ".git" / "index").write_text("git's own")


def test_what_was_resolved_elsewhere_is_taken_over(
    manifest: Manifest, berks: FakeProgram, tmp_path: Path
) -> None:
    source = tmp_path / "bundle/berkshelf/app"
    source.mkdir(parents=True)
    (source / "metadata.rb").write_text("name 'app'")
    restore(manifest, tmp_path / "bundle")
    found = brought(manifest, berks)
    assert (found["app"] / "metadata.rb").read_text() == "name 'app'"
    assert not berks.asked


def test_berks_is_not_asked_twice(manifest: Manifest, berks: FakeProgram) -> None:
    first = brought(manifest, berks)
    add_a_hidden_file(manifest.root)
    assert brought(manifest, berks) == first
    assert len(berks.asked) == 1


def change_the_berksfile(root: Path) -> None:
    (root / "Berksfile").write_text(BERKSFILE + "# more\n")


def change_the_lock(root: Path) -> None:
    (root / "Berksfile.lock").write_text(PATH_LOCK + "  yum (1.0.0)\n")


def remove_the_lock(root: Path) -> None:
    (root / "Berksfile.lock").unlink()


def change_a_file(root: Path) -> None:
    (root / "site" / "apt" / "recipes" / "default.rb").write_text("# another\n")


def add_a_file(root: Path) -> None:
    (root / "site" / "apt" / "recipes" / "more.rb").write_text("")


def change_what_is_linked(root: Path) -> None:
    (root / "linked.rb").write_text("# from outside, another\n")


@pytest.mark.parametrize(
    "change",
    [
        change_the_berksfile,
        change_the_lock,
        remove_the_lock,
        change_a_file,
        add_a_file,
        change_what_is_linked,
    ],
    ids=lambda change: change.__name__,
)
def test_berks_is_asked_again_after_a_change(
    manifest: Manifest, berks: FakeProgram, change: Callable[[Path], None]
) -> None:
    first = brought(manifest, berks)
    change(manifest.root)
    again = brought(manifest, berks)
    assert len(berks.asked) == 2
    assert all(path.is_dir() for path in again.values())
    places = {path.parent for path in (*first.values(), *again.values()) if path.exists()}
    assert len(places) == 1, "what is old is taken away"


def test_a_failure_keeps_what_was_there(manifest: Manifest, berks: FakeProgram) -> None:
    first = brought(manifest, berks)
    change_the_berksfile(manifest.root)
    berks.answers = ["it broke\n"]
    findings = Findings()
    assert fetch(manifest, findings, berks.programs) == first, "nothing else is to miss them"
    assert "Berksfile: error: it broke; correct it" in str(findings.found[0])
    (manifest.root / "Berksfile").write_text(BERKSFILE)
    assert brought(manifest, berks) == first
    assert len(berks.asked) == 2
    assert sorted(path.name for path in (manifest.state / "berkshelf").glob("new*")) == []


def test_the_network_is_asked_only_when_needed(manifest: Manifest, berks: FakeProgram) -> None:
    brought(manifest, berks)
    alone = berks.asked[0]
    assert alone.env["https_proxy"] == "http://127.0.0.1:9" and alone.env["no_proxy"] == ""
    config = Path(str(alone.env["BERKSHELF_CHEF_CONFIG"]))
    assert "http_retry_count 0" in config.read_text()

    change_the_berksfile(manifest.root)
    berks.answers = [NO_SOURCE]
    brought(manifest, berks)
    assert len(berks.asked) == 3
    assert not {"https_proxy", "no_proxy", "BERKSHELF_CHEF_CONFIG"} & berks.asked[2].env.keys()


def test_berks_runs_online_only_if_a_network_can_help(
    manifest: Manifest, berks: FakeProgram
) -> None:
    berks.answers = ["apt is broken\n", "not asked for\n"]
    line = "Berksfile:1:11: error: apt is broken; correct it"
    assert findings_of(manifest, berks) == [line]
    assert len(berks.asked) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_one_finding_says_what_is_wrong(manifest: Manifest, case: dict[str, Any]) -> None:
    name = "Cheffile" if case.get("program") == "librarian-chef" else "Berksfile"
    (manifest.root / name).write_text(case["file"])
    program = FakeProgram(manifest.root / f"{name}.lock", answers=[case["output"]] * 2)
    if name == "Cheffile":
        manifest = replace(manifest, berksfile=None)
    assert findings_of(manifest, program) == [case["finding"]]
    log = next(manifest.state.glob("*/log.txt"))
    assert "hush" not in log.read_text()
    assert case["output"].replace("me:hush@", "****@") in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "options, passed",
    [
        ("", ()),
        ("-e test  integration", ("-e", "test", "integration")),
        ("--only='web nodes'", ("--only=web nodes",)),
    ],
)
def test_options_go_to_berks(
    manifest: Manifest, berks: FakeProgram, options: str, passed: tuple[str, ...]
) -> None:
    assert manifest.berksfile
    wanted = replace(manifest.berksfile, options=options)
    brought(replace(manifest, berksfile=wanted), berks)
    file = str(manifest.root / "Berksfile")
    assert berks.asked[0].argv[3:] == ("--berksfile", file, *passed)


@pytest.mark.parametrize(
    "options, finding",
    [
        ("--frob", "unsupported berks option --frob; use one of -e, --except, -o, --only"),
        ("-e 'test", "berks options: No closing quotation; close the quote"),
        ("test", 'in the berks options, "test" is not the value of an option; remove it'),
    ],
)
def test_options_that_berks_would_not_take(
    manifest: Manifest, berks: FakeProgram, options: str, finding: str
) -> None:
    assert manifest.berksfile
    manifest = replace(manifest, berksfile=replace(manifest.berksfile, options=options))
    assert findings_of(manifest, berks) == [f"infrastructure.yml:3:1: error: {finding}"]
    assert berks.asked == []


def test_options_of_berks_upload_have_no_effect(manifest: Manifest, berks: FakeProgram) -> None:
    assert manifest.berksfile
    wanted = replace(manifest.berksfile, options="--force -o web")
    findings = Findings()
    assert fetch(replace(manifest, berksfile=wanted), findings, berks.programs)
    assert berks.asked[0].argv[5:] == ("-o", "web")
    assert "warning: the berks option --force has no effect" in str(findings.found[0])


def test_without_berks_the_finding_says_how_to_get_it(
    manifest: Manifest, berks: FakeProgram
) -> None:
    berks.installed = False
    assert findings_of(manifest, berks) == [
        "Berksfile: error: berks is not installed, so its cookbooks are missing; "
        "install it with `stackcook setup`"
    ]


def test_berks_that_never_ends(manifest: Manifest, berks: FakeProgram) -> None:
    berks.answers = [CommandError("did not finish within 900 s", where="berks")]
    line = findings_of(manifest, berks)[0]
    assert line.startswith(
        "Berksfile: error: berks: did not finish within 900 s; see the output of berks in"
    )


def test_a_berksfile_that_brings_nothing(manifest: Manifest, berks: FakeProgram) -> None:
    berks.brings = ()
    assert brought(manifest, berks) == {}
    assert brought(manifest, berks) == {}
    assert len(berks.asked) == 1


def test_a_directory_that_can_not_be_written(manifest: Manifest, berks: FakeProgram) -> None:
    manifest.state.mkdir()
    (manifest.state / "berkshelf").write_text("a file is in the way")
    assert ".stackcook/berkshelf" in findings_of(manifest, berks)[0]


@pytest.fixture
def librarian(manifest: Manifest) -> FakeProgram:
    """The program for a Cheffile that is there, too."""
    (manifest.root / "Cheffile").write_text("cookbook 'apt', :path => 'site/apt'\n")
    lock = "PATH\n  remote: site/apt\n  specs:\n    apt (1.0.0)\n"
    return FakeProgram(manifest.root / "Cheffile.lock", locked=lock)


def test_a_cheffile(manifest: Manifest, librarian: FakeProgram) -> None:
    manifest = replace(manifest, berksfile=None)
    found = brought(manifest, librarian)
    assert found["apt"].is_relative_to(manifest.state)
    assert brought(manifest, librarian) == found
    assert [command.argv[1:] for command in librarian.asked] == [("install",)]
    change_a_file(manifest.root)
    brought(manifest, librarian)
    assert len(librarian.asked) == 2
    assert not (manifest.root / ".librarian").exists()


def test_a_place_that_the_user_configured(manifest: Manifest, librarian: FakeProgram) -> None:
    config = manifest.root / ".librarian" / "chef" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("---\nLIBRARIAN_CHEF_PATH: vendor\n")
    assert findings_of(replace(manifest, berksfile=None), librarian) == [
        ".librarian/chef/config:2:1: error: LIBRARIAN_CHEF_PATH is set, so librarian-chef would "
        "put the cookbooks there; remove the line"
    ]
    assert librarian.asked == []


def test_both_bring_one(manifest: Manifest, librarian: FakeProgram) -> None:
    findings = Findings()
    found = fetch(manifest, findings, librarian.programs)
    assert found["apt"].parent.parent.name == "berkshelf"
    assert [
        "both the Berksfile and the Cheffile provide apt" in str(finding)
        for finding in findings.found
    ] == [True]
