"""A cloud as a Python program uses it, over a fake site."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from copy import copy
from pathlib import Path

import pytest

import stackcook
from stackcook import Cloud, RunError, StackcookError
from stackcook.api.manifest import load
from stackcook.command import Completed
from stackcook.errors import ChefServerError, ExitCode, InputError, MachineError
from stackcook.errors import NodeError, UsageError
from stackcook.machines.network import LabNetwork
from stackcook.api.ephemeral import default_directory, every
from stackcook.run.events import Event, RunDone
from stackcook.run.lock import exclusive
from stackcook.snapshot.store import shape_of
from stackcook.verify import clouds
from stackcook.verify.check import Check
from tests.fakes import FakeRemote, FakeSite, recipe_error
from tests.snapshots import saved, store_in
from tests.unit.cli.conftest import MANIFEST


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "key").touch()
    path = tmp_path / "infrastructure.yml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def site() -> FakeSite:
    return FakeSite()


def deployed(manifest: Path, site: FakeSite, **options: object) -> Cloud:
    return Cloud.deploy(manifest, make_site=lambda *_: site, **options)  # type: ignore


def opened(manifest: Path, site: FakeSite) -> Cloud:
    return Cloud.open(manifest, make_site=lambda *_: site)  # type: ignore


def test_leaving_the_block_destroys_the_cloud(manifest: Path, site: FakeSite) -> None:
    with deployed(manifest, site) as cloud:
        assert [*cloud.nodes] == ["controller", "compute1"]
        assert site.chef.known == {"controller", "compute1"} and "remove" not in site.asked
    assert site.asked[-2:] == ["remove", "close"]


def test_an_error_in_the_block_destroys_it_too_and_is_raised(
    manifest: Path, site: FakeSite
) -> None:
    with pytest.raises(ZeroDivisionError), deployed(manifest, site):
        1 / 0
    assert "remove" in site.asked


def test_a_cloud_is_kept_on_request_and_opened_later(manifest: Path, site: FakeSite) -> None:
    with deployed(manifest, site, keep=True):
        pass
    with opened(manifest, site) as cloud:
        assert cloud.report().run.command == "deploy"
        assert cloud.report().cloud == cloud.name == "stackcook"
    assert "remove" not in site.asked and site.asked[-1] == "close"
    cloud.destroy()
    assert "remove" in site.asked


def test_a_cloud_that_is_destroyed_in_its_block_is_not_destroyed_again(
    manifest: Path, site: FakeSite
) -> None:
    with deployed(manifest, site) as cloud:
        cloud.destroy()
    assert site.asked.count("remove") == 1


class Broken(FakeSite):
    """A site where a deploy cannot begin."""

    def digest(self) -> str:
        raise MachineError("no LXC here")


@pytest.fixture
def movable(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest of which there can be ephemeral clouds; there are none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(manifest.parent / "data"))
    monkeypatch.setattr(LabNetwork, "others", lambda _: frozenset())
    text = MANIFEST.replace("machines: ssh", "machines: vagrant\n  network: 10.0.112.0/24")
    manifest.write_text(text.replace("127.0.0.", "10.0.112.").replace(", key: key", ""))
    return manifest


def test_an_ephemeral_cloud_has_a_directory_of_its_own_and_leaves_none(
    movable: Path, site: FakeSite
) -> None:
    with deployed(movable, site, ephemeral=True, ttl=60.0) as cloud:
        (found,) = every(default_directory())
        assert (cloud.manifest, found.ttl) == (found.manifest, 60.0)
    assert every(default_directory()) == () and not found.directory.exists()


@pytest.mark.parametrize(
    "options, why",
    [
        ({"bundle": "missing.tar"}, "missing.tar"),
        ({"reset": True}, "reset and ephemeral cannot be combined"),
        ({}, "no LXC here"),
    ],
)
def test_an_ephemeral_cloud_that_cannot_be_deployed_leaves_no_directory(
    movable: Path, options: dict[str, object], why: str
) -> None:
    site = Broken()
    with pytest.raises(StackcookError, match=why):
        deployed(movable, site, ephemeral=True, **options)
    assert every(default_directory()) == ()


def test_a_failed_ephemeral_deploy_can_be_resumed_or_destroyed(
    movable: Path, site: FakeSite
) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    failed = []
    for _ in range(2):
        with pytest.raises(RunError) as caught:
            deployed(movable, site, ephemeral=True)
        failed.append(caught.value.manifest)
    assert {cloud.manifest for cloud in every(default_directory())} == {*failed}
    opened(failed[0], site).destroy()
    assert [cloud.manifest for cloud in every(default_directory())] == [failed[1]]
    site.chef.broken.clear()
    site.asked.clear()
    with deployed(failed[1], site):
        assert [step for step in site.asked if "converge" in step] == ["converge compute1"]
    assert every(default_directory()) == () and not failed[1].parent.exists()
    assert not (movable.parent / ".stackcook").exists(), "the original was not touched"


def test_an_ephemeral_cloud_may_be_destroyed_by_another_command_meanwhile(
    movable: Path, site: FakeSite
) -> None:
    with deployed(movable, site, ephemeral=True) as cloud:
        opened(cloud.manifest, site).destroy()
    assert site.asked.count("remove") == 1 and not cloud.manifest.parent.exists()


@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_deploy_destroys_expired_clouds(movable: Path, site: FakeSite, ephemeral: bool) -> None:
    old = deployed(movable, site, ephemeral=True, ttl=0.0, keep=True)
    other = deployed(movable, FakeSite(), ephemeral=ephemeral, keep=True)
    assert not old.manifest.exists() and other.manifest.exists()


def test_without_a_deploy_there_is_nothing_to_open(manifest: Path, site: FakeSite) -> None:
    with pytest.raises(UsageError, match="nothing is deployed"):
        opened(manifest, site)
    with pytest.raises(InputError, match="no such file"):
        opened(manifest.with_name("none.yml"), site)


def test_a_failed_deploy_says_where_and_why_and_can_be_resumed(
    manifest: Path, site: FakeSite
) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    with pytest.raises(RunError) as caught:
        deployed(manifest, site)
    error = caught.value
    logs = manifest.parent / ".stackcook" / "logs"
    assert (error.exit_code, error.nodes, error.logs) == (ExitCode.NODES, ("compute1",), logs)
    assert (error.cloud, error.manifest) == ("stackcook", manifest)
    assert (logs / "compute1.log").is_file()
    assert str(error) == (
        "deploy of stackcook: failed: compute1: execute[boom] (x.rb:1): no; see more; the logs are"
        f" in {logs}"
    )
    assert "remove" not in site.asked
    site.chef.broken.clear()
    site.asked.clear()
    deployed(manifest, site)
    assert [step for step in site.asked if "converge" in step] == ["converge compute1"]


def test_a_long_error_names_the_first_causes(manifest: Path, site: FakeSite) -> None:
    site.bad = tuple(Check(f"check{n}", "compute1", False, "it is down") for n in range(5))
    with pytest.raises(RunError) as caught:
        deployed(manifest, site)
    error = caught.value
    assert error.exit_code is ExitCode.VERIFY and len(error.errors) == 6
    assert "check0 on compute1: it is down" in str(error) and "and 3 more errors" in str(error)


def test_a_deploy_within_its_failure_budget_has_not_failed(manifest: Path, site: FakeSite) -> None:
    budget = '  stages: [a]\n  failure_budget: {"role[a]": 50%}\n'
    manifest.write_text("roles: [{a: }]\n" + MANIFEST.replace("recipe", "role") + budget)
    site.chef.broken["compute1"] = recipe_error("compute1")
    report = deployed(manifest, site, keep=True).report()
    assert report.run.exit_code == ExitCode.WITHIN_BUDGET
    assert [node.name for node in report.nodes if node.result == "failed"] == ["compute1"]


def test_options_are_those_of_the_command(manifest: Path, site: FakeSite) -> None:
    events: list[Event] = []
    deployed(manifest, site, limit=["compute1"], on_event=events.append)
    assert site.chef.known == {"compute1"} and isinstance(events[-1], RunDone)
    with pytest.raises(UsageError, match='unknown node compute11; did you mean "compute1"'):
        deployed(manifest, site, limit=["compute11"])
    with pytest.raises(UsageError, match="unknown finding clocks; use some of .*clock"):
        deployed(manifest, site, ignore=["clocks"])


def test_reset_replaces_the_machines_by_a_snapshot(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    cloud = deployed(manifest, site)
    site.snapshots = store_in(tmp_path)
    with pytest.raises(UsageError, match="there is no snapshot of this cloud"):
        deployed(manifest, site, reset=True)
    saved(site.snapshots, shape=shape_of(load(cloud.manifest)), digest=site.digest())
    site.on_restore = lambda: site.machines.state.update(dict.fromkeys(cloud.nodes, "stopped"))
    site.asked.clear()
    deployed(manifest, site, reset=True)
    assert "restore lab" in site.asked


class Remembering(FakeSite):
    """A site that does not look whether the Chef server, which it has started, still runs."""

    started = False

    def chef_server(self) -> str:
        if self.started:
            raise ChefServerError("can't be reached", where="http://chef")
        self.started = True
        return super().chef_server()


def test_a_cloud_is_saved_listed_and_reset(manifest: Path, tmp_path: Path) -> None:
    site = Remembering()
    site.snapshots = store_in(tmp_path)
    site.on_restore = lambda: site.machines.state.update(dict.fromkeys(cloud.nodes, "stopped"))
    events: list[Event] = []
    with Cloud.deploy(manifest, make_site=lambda *_: copy(site)) as cloud:  # type: ignore
        cloud.save_snapshot()
        cloud.save_snapshot("second", on_event=events.append)
        assert [each.name for each in cloud.snapshots] == ["second", "stackcook"]
        cloud.reset("stackcook", on_event=events.append)
        runs = [event.command for event in events if isinstance(event, RunDone)]
        assert runs == ["snapshot save", "deploy"] and "restore stackcook" in site.asked
        with pytest.raises(UsageError, match="no snapshot third; use one of second, stackcook"):
            cloud.reset("third")
        assert cloud.nodes["compute1"].run(["echo", "hello"]).output == "hello\n"


def test_a_failed_save_or_reset_is_an_error(manifest: Path, site: FakeSite, tmp_path: Path) -> None:
    site.snapshots = store_in(tmp_path)
    cloud = deployed(manifest, site)
    site.errors["copy"] = MachineError("no space left")
    with pytest.raises(RunError, match="^snapshot save of stackcook: failed: no space left"):
        cloud.save_snapshot("lab")
    assert cloud.snapshots == ()
    site.errors.clear()
    cloud.save_snapshot("lab")
    site.errors["restore lab"] = MachineError("no space left")
    with pytest.raises(RunError, match="^deploy of stackcook: failed: no space left"):
        cloud.reset()
    site.snapshots = None
    for use in (lambda: cloud.snapshots, cloud.save_snapshot, cloud.reset):
        with pytest.raises(UsageError, match="only clouds of LXC containers"):
            use()


def test_reset_is_of_the_whole_cloud(manifest: Path, site: FakeSite) -> None:
    for other in ({"anew": True}, {"limit": ["compute1"]}, {"bundle": "cloud.tar"}):
        with pytest.raises(UsageError, match=f"reset and {[*other][0]} cannot be combined"):
            deployed(manifest, site, reset=True, **other)
    assert not site.asked


def test_a_failed_destroy_is_an_error(manifest: Path, site: FakeSite) -> None:
    cloud = deployed(manifest, site)
    site.chef.dead.add("compute1")
    with pytest.raises(RunError, match="^destroy of stackcook: failed: .*no SSH answer") as caught:
        cloud.destroy()
    assert caught.value.nodes == ("compute1",)


def test_one_command_at_a_time(manifest: Path, site: FakeSite) -> None:
    with exclusive(manifest.parent / ".stackcook", "deploy"):
        with pytest.raises(UsageError, match="`stackcook deploy` .* is running"):
            deployed(manifest, site)


def test_a_cloud_is_current_until_something_changes(manifest: Path, site: FakeSite) -> None:
    cloud = deployed(manifest, site)
    assert cloud.is_current
    site.machines.state["compute1"] = "stopped"
    assert not cloud.is_current
    site.machines.state["compute1"] = "running"
    site.inputs = "others"
    assert not cloud.is_current
    site.inputs = "as ever"
    deployed(manifest, site, limit=["compute1"])
    assert not cloud.is_current


def test_a_node_runs_arguments_and_scripts(manifest: Path, site: FakeSite) -> None:
    node = deployed(manifest, site).nodes["compute1"]
    assert node.address == "127.0.0.3"
    assert node.run(["echo", "a  b", "$HOME"]).output == "a  b $HOME\n"
    done = node.run("cat; echo oops >&2; exit 3", stdin="in", check=False)
    assert (done.status, done.output, done.errors) == (3, "in", "oops\n")
    with pytest.raises(NodeError, match=r"^compute1: `echo why; exit 3` exited with 3 \(why\)$"):
        node.run("echo why; exit 3")


def test_an_error_of_a_command_has_no_password(manifest: Path, site: FakeSite) -> None:
    node = deployed(manifest, site).nodes["compute1"]
    with pytest.raises(NodeError) as caught:
        node.run("mysql --password=hunter22; exit 1")
    assert "hunter22" not in str(caught.value)


def test_files_go_to_a_node_and_come_back_as_they_are(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    node = deployed(manifest, site).nodes["compute1"]
    content, there = bytes(range(256)) * 300, tmp_path / "a 'file'"
    node.put(content, str(there), mode=0o640)
    assert there.read_bytes() == content and there.stat().st_mode & 0o777 == 0o640
    assert node.get(str(there), tmp_path / "copy") == content
    assert (tmp_path / "copy").read_bytes() == content
    node.put(tmp_path / "copy", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == content
    with pytest.raises(NodeError, match="No such file"):
        node.get(str(tmp_path / "none"))
    with pytest.raises(NodeError, match="a directory|cannot create|nonexistent"):
        node.put(b"", str(tmp_path / "none" / "file"))
    with pytest.raises(NodeError, match="cannot overwrite directory"):
        node.put(b"", str(tmp_path))
    assert not tmp_path.with_name(f"{tmp_path.name}.stackcook-new").exists()


def test_half_a_file_does_not_replace_a_whole_one(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"the old content")

    class Breaks(FakeRemote):
        """A connection that is lost: sshd closes the command's stdin."""

        def answer(self, command: str, stdin: str, content: bytes) -> Completed:
            super().answer(command, stdin, content[:5])
            raise NodeError("the SSH connection was lost", where="compute1")

    node = deployed(manifest, site).nodes["compute1"]
    site.connect = lambda _: Breaks()  # type: ignore
    with pytest.raises(NodeError, match="lost"):
        node.put(b"the new content", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"the old content"
    assert not (tmp_path / "file.stackcook-new").exists()


def test_a_file_that_cannot_be_read_is_no_error_of_the_node(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    node = deployed(manifest, site).nodes["compute1"]
    site.asked.clear()
    with pytest.raises(FileNotFoundError):
        node.put(tmp_path / "none", str(tmp_path / "file"))
    assert site.asked == []


def test_a_text_that_a_login_prints_does_not_get_into_a_file(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"content")

    class Greets(FakeRemote):
        def answer(self, command: str, stdin: str, content: bytes) -> Completed:
            done = super().answer(command, stdin, content)
            return Completed(done.status, f"Hi there, root\n{done.output}", done.errors)

    node = deployed(manifest, site).nodes["compute1"]
    site.connect = lambda _: Greets()  # type: ignore
    with pytest.raises(NodeError, match="cannot copy .*; remove what prints text at a login there"):
        node.get(str(tmp_path / "file"))


def test_a_node_that_is_off_is_an_error(manifest: Path, site: FakeSite) -> None:
    cloud = deployed(manifest, site)
    site.chef.dead.add("compute1")
    with pytest.raises(StackcookError, match="compute1: no SSH answer"):
        cloud.nodes["compute1"].run("true")


def test_endpoints_are_the_public_ones(manifest: Path, site: FakeSite) -> None:
    assert deployed(manifest, site).endpoints == {"compute": "http://10.0.115.10:8774/v2.1"}


def test_openstacksdk_logs_in_with_clouds_yaml(
    manifest: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", "http://other")  # another cloud of the shell
    cloud = deployed(manifest, site)
    with pytest.raises(UsageError, match="clouds.yaml: no login admin"):
        cloud.connection()
    clouds.write(manifest.parent / "clouds.yaml", "http://127.0.0.2:5000/v3", "pw", "demo pw")
    for user, password in (("admin", "pw"), ("demo", "demo pw")):
        auth = cloud.connection(*(() if user == "admin" else (user,))).config.auth
        assert (auth["username"], auth["password"]) == (user, password)
        assert auth["auth_url"] == "http://127.0.0.2:5000/v3"
    with pytest.raises(UsageError, match="no login nobody"):
        cloud.connection("nobody")


def test_without_openstacksdk_it_says_what_to_install(
    manifest: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openstack", None)
    with pytest.raises(UsageError, match="install python3-openstacksdk"):
        deployed(manifest, site).connection()


def test_verify_and_report_are_typed_results(
    manifest: Path, site: FakeSite, tmp_path: Path
) -> None:
    cloud = deployed(manifest, site)
    assert cloud.verify().ok
    site.bad = (Check("SSH", "compute1", False, "it is down"),)
    assert [check.node for check in cloud.verify(instance=False).failures] == ["compute1"]
    assert {node.result for node in cloud.report().nodes} == {"done"}
    assert cloud.report(1).run.id == cloud.report("1").run.id == 1
    with pytest.raises(UsageError, match="unknown run 7"):
        cloud.report(7)
    cloud.write_bundle(tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        assert "stackcook-run-1/report.json" in tar.getnames()


def test_import_is_lazy() -> None:
    script = (
        "import sys, stackcook; print(len([m for m in sys.modules if m.startswith('stackcook')]));"
    )
    script += "from stackcook import Cloud, Node; print(Cloud.__name__, Node.__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["1", "Cloud Node"], done.stderr
    assert {*stackcook.__all__} == {*stackcook._MODULES}
    with pytest.raises(AttributeError, match="no attribute 'Cluod'"):
        stackcook.Cluod  # type: ignore
