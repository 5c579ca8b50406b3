"""`snapshot` and `deploy --reset`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.snapshot.store import CONTENTS, Store
from tests.fakes import FakeSite
from tests.output import data
from tests.snapshots import saved


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments, prog_name="stackcook")


def test_the_list(store: Store) -> None:
    assert run("snapshot", "list").stdout == "there are no snapshots\n"
    snapshot = saved(store)
    (line,) = run("snapshot", "list").stdout.splitlines()
    assert line.startswith("lab  cloud lab  2 nodes  0.0 GB  saved ")
    root = f"overlay:{snapshot.layers}/controller/rootfs:/changes"
    store.layers.roots["lab-controller"] = root  # type: ignore[attr-defined]  # of FakeLayers
    assert run("snapshot", "list").stdout.endswith("used by lab-controller\n")
    (found,) = data(run("snapshot", "list", "--json").stdout)["snapshots"]
    assert (found["name"], found["size"], found["used_by"]) == ("lab", 3, ["lab-controller"])
    assert found["nodes"]["controller"]["packages"] == {"nova-api": "1"}


def test_a_damaged_one_is_listed_after_the_others(store: Store) -> None:
    (saved(store, "damaged").directory / CONTENTS).write_text("{")
    saved(store)
    lab, damaged = run("snapshot", "list").stdout.splitlines()
    assert lab.startswith("lab ")
    assert damaged.startswith("damaged ")
    assert "snapshot.json: cannot be read (" in damaged
    assert damaged.endswith("; run `stackcook snapshot remove damaged`")
    (found,) = data(run("snapshot", "list", "--json").stdout)["unreadable"]
    assert found["name"] == "damaged"


def test_it_is_removed(store: Store) -> None:
    saved(store)
    assert data(run("snapshot", "remove", "lab", "--json").stdout) == {"name": "lab"}
    saved(store)
    assert run("snapshot", "remove", "lab").stdout == "removed lab\n"
    result = run("snapshot", "remove", "lab")
    assert result.exit_code == ExitCode.USAGE
    assert "there is no snapshot lab; run `stackcook snapshot save`" in result.stderr


def test_a_file_is_written_and_read(store: Store, tmp_path: Path) -> None:
    saved(store)
    file = str(tmp_path / "lab.snapshot")
    assert (
        "it has all keys and passwords of the cloud"
        in run("snapshot", "export", "lab", file).stdout
    )
    result = run("snapshot", "import", file)
    assert result.exit_code == ExitCode.USAGE
    assert "lab: there is a snapshot of this name already" in result.stderr
    (before,) = store.all()
    forced = run("snapshot", "import", file, "--force")
    assert forced.stdout == "added lab: cloud lab, 2 nodes\n"
    (after,) = store.all()
    assert after.directory != before.directory and not before.directory.exists()
    store.remove("lab")
    assert data(run("snapshot", "import", file, "--json").stdout)["snapshot"]["name"] == "lab"
    (tmp_path / "lab.snapshot").write_text("something else")
    result = run("snapshot", "import", file, "--force")
    assert result.exit_code == ExitCode.USAGE and "is not a snapshot" in result.stderr
    assert len(store.all()) == 1


def test_a_cloud_is_saved_again_only_if_its_inputs_have_changed(
    store: Store, root: Path, site: FakeSite
) -> None:
    site.snapshots = store
    save = ("snapshot", "save", "--if-changed", "ci")
    assert run("deploy").exit_code == run(*save).exit_code == 0
    (first,) = store.all()
    again = run(*save)
    assert again.stdout == "nothing to do: ci was saved after a deploy with the same inputs\n"
    assert (again.exit_code, store.all()) == (0, (first,))
    assert data(run(*save, "--json").stdout) is None
    site.inputs = "another cookbook"
    assert run("deploy").exit_code == run(*save).exit_code == 0
    (second,) = store.all()
    assert (first.digest, second.digest) == ("as ever", "another cookbook")
    assert run("snapshot", "save", "ci").exit_code == 0  # without the option, it is saved anyway
    assert store.all() != (second,)


def test_a_deploy_says_which_snapshot_it_takes_and_what_has_changed(
    store: Store, root: Path, site: FakeSite
) -> None:
    site.snapshots, site.inputs = store, "1  manifest\n1  role web"
    assert run("deploy").exit_code == run("snapshot", "save", "ci").exit_code == 0
    site.on_restore = lambda: site.machines.state.update(controller="stopped", compute1="stopped")
    site.inputs = "1  manifest\n2  role web"
    assert "changed since: role web; all nodes converge" in run("deploy", "--reset").stderr


def test_a_file_that_has_the_snapshot_is_not_written_again(store: Store, tmp_path: Path) -> None:
    saved(store)
    file = tmp_path / "lab.snapshot"
    export = ("snapshot", "export", "--if-changed", "lab", str(file))
    run(*export)
    first = file.stat()
    assert run(*export).stdout == f"nothing to do: {file} has this snapshot already\n"
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert data(run(*export, "--json").stdout) == {"file": str(file), "size": first.st_size}
    saved(store, digest="another")
    assert "it has all keys" in run(*export).stdout
    file.write_text("something else")
    assert "it has all keys" in run(*export).stdout


def test_hosts_of_one_s_own_have_no_snapshots(store: Store, root: Path) -> None:
    (root / "infrastructure.yml").write_text("stackcook: {machines: ssh}\n")
    for words in (("snapshot", "restore"), ("deploy", "--reset")):
        result = run(*words)
        assert result.exit_code == ExitCode.USAGE
        assert "only clouds of LXC containers with the embedded Chef server" in result.stderr
    result = run("snapshot", "save")
    assert "nothing is deployed here" in result.stderr


@pytest.mark.parametrize(
    "option", [["--anew"], ["--limit", "controller"], ["--retry-failed"], ["--preflight-only"]]
)
def test_a_reset_is_of_the_whole_cloud(root: Path, option: list[str]) -> None:
    result = run("deploy", "--reset", *option)
    assert result.exit_code == ExitCode.USAGE
    assert f"--reset and {option[0]} cannot be combined" in result.stderr
