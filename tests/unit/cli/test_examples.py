"""The examples in the help of the commands work: each one that needs no cloud is run."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from stackcook.api.clouds import clouds_here
from stackcook.cli import ps
from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.machines.lxc import Containers
from stackcook.report import bundle
from stackcook.snapshot.store import Store
from tests.commands import every, examples
from tests.ran import FakeCloud
from tests.snapshots import saved
from tests.unit.machines.fakes import FakeHost

RUN = (
    "check",
    "completion",
    "doctor",
    "down --expired",
    "help",
    "init",
    "kitchen",
    "logs",
    "machines",
    "open report",
    "plan",
    "ps",
    "report",
    "sbom",
    "schema",
    "server status",
    "server stop",
    "setup --dry-run",
    "snapshot export",
    "snapshot list",
    "snapshot remove",
    "status",
    "topology",
)
"""How the examples begin that are run, unless the longer beginning is in ``NOT_RUN``."""

NOT_RUN = {
    "changes machines": (
        "converge",
        "deploy",
        "destroy",
        "down",
        "node remove",
        "snapshot restore",
        "snapshot save",
        "up",
    ),
    "needs running machines": (
        "--cloud ci-42 status",
        "open horizon",
        "preflight",
        "probe",
        "sbom --nodes",
        "ssh",
        "tunnel",
        "verify",
    ),
    "needs a Chef server": ("server start", "upload"),
    "needs root": ("box build", "setup"),
    "needs the internet": ("bundle",),
    "needs the file of another example": ("snapshot import",),
    "never ends": ("logs compute1 --follow",),
}
"""Why examples are not run → how they begin."""

SILENT = ("down --expired",)
"""Print nothing if there is nothing to do."""

EXAMPLES = tuple(dict.fromkeys(words for _, words in examples(cli)))
NOT_RUN_HERE = tuple(each for group in NOT_RUN.values() for each in group)


def listed(words: str) -> str:
    """The longest of the beginnings above that the example has; empty if it has none."""
    found = (each for each in (*RUN, *NOT_RUN_HERE) if f"{words} ".startswith(f"{each} "))
    return max(found, key=len, default="")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a cloud with two compute nodes: of three deploys, one failed on compute1."""
    above = tmp_path_factory.mktemp("examples")
    (above / "key").touch()
    hosts = [word for number in (2, 3, 4) for word in ("--host", f"127.0.0.{number}")]
    words = ["init", "--machines", "ssh", "--key", str(above / "key"), *hosts]
    done = CliRunner().invoke(cli, [*words, str(above / "mycloud")])
    assert done.exit_code == 0, done.output
    manifest = above / "mycloud" / "infrastructure.yml"
    nobody_listens = re.sub(r"(address: [\d.]+)", r"\1, port: 1", manifest.read_text())
    manifest.write_text(nobody_listens)
    cloud = FakeCloud(manifest.parent, computes=2)
    cloud.deploy()
    cloud.deploy()
    cloud.chef.failing.add("compute1")
    cloud.deploy()
    return manifest.parent


@pytest.fixture
def home(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home: an SSH key, a Chef repository, a snapshot; no display, no containers."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for file, text in ((".ssh/id_ed25519", ""), ("chef-repo/roles/web.json", '{"name": "web"}')):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(text)
    saved(store, "with-volumes")
    none = Containers(FakeHost().run)
    monkeypatch.setattr(ps, "clouds_here", lambda directory: clouds_here(directory, none))
    monkeypatch.setattr(bundle, "versions", lambda: {"python": "3.11"})  # which takes seconds
    return tmp_path


@pytest.mark.parametrize("words", [each for each in EXAMPLES if listed(each) in RUN])
def test_it_works(words: str, cloud: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home if words.startswith("init ") else cloud)
    arguments = [os.path.expanduser(word) for word in shlex.split(words)]
    done = CliRunner(mix_stderr=False).invoke(cli, arguments, prog_name="stackcook")
    lacks_programs = words == "doctor" and done.exit_code == ExitCode.USAGE
    assert done.exit_code == 0 or lacks_programs, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() or words in SILENT


def test_each_example_is_run_or_it_is_said_why_not() -> None:
    assert {name for name, _ in every(cli)} == {name for name, _ in examples(cli)}
    assert [words for words in EXAMPLES if not listed(words)] == []
    assert {*RUN, *NOT_RUN_HERE} == {*map(listed, EXAMPLES)}  # no longer an example
