"""The pytest plugin in a project of its own, over a fake site.

It is loaded as everywhere: by its entry point, which `make setup` installs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stackcook import Cloud
from stackcook.files import lock
from stackcook.run.lock import SESSION, exclusive
from tests.fakes import FakeSite, recipe_error
from tests.started import ROOT

Run = Callable[..., pytest.RunResult]

pytest_plugins = ["pytester"]

MANIFEST = """\
nodes: [one]
stackcook: {machines: ssh, nodes: {one: {address: 127.0.0.2, key: key}}}
"""
PASSES = "def test_it(openstack_cloud): assert [*openstack_cloud.nodes] == ['one']"
FAILS = "def test_it(openstack_cloud): assert openstack_cloud.nodes['one'].address == '10.0.0.1'"


class Fake:
    """Replaces what the plugin reaches by ``site``."""

    def __init__(self, site: FakeSite) -> None:
        self._site = site

    @pytest.fixture(scope="session")
    def _stackcook_site(self) -> object:
        return lambda *_: self._site


class Later:
    """Registers another plugin after those of entry points, whose fixtures it may replace."""

    def __init__(self, plugin: object) -> None:
        self._plugin = plugin

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._plugin)


@pytest.fixture
def site() -> FakeSite:
    return FakeSite()


@pytest.fixture
def run(pytester: pytest.Pytester, site: FakeSite) -> Run:
    """Run pytest with these options on a file with this test."""
    (pytester.path / "key").touch()
    (pytester.path / "infrastructure.yml").write_text(MANIFEST)

    def run(test: str, *options: str, **more: bool) -> pytest.RunResult:
        pytester.makepyfile(test)
        return pytester.runpytest_inprocess(*options, plugins=[Later(Fake(site))], **more)

    return run


def bundle_of(result: pytest.RunResult) -> Path:
    """The bundle that the output names."""
    (found,) = re.findall(r"^stackcook: report bundle: (.*)$", result.stdout.str(), re.MULTILINE)
    return Path(found)


def test_it_is_deployed_once_and_destroyed_at_the_end(run: Run, site: FakeSite) -> None:
    both = f"{PASSES}\n{PASSES.replace('test_it', 'test_again')}"
    result = run(both)
    result.assert_outcomes(passed=2)
    assert site.asked.count("upload") == site.asked.count("remove") == 1
    assert "report bundle" not in result.stdout.str()


def test_it_is_kept_on_request_then_used_and_left(run: Run, site: FakeSite) -> None:
    run(PASSES, "--stackcook-keep").assert_outcomes(passed=1)
    for _ in range(2):
        run(PASSES).assert_outcomes(passed=1)
    assert site.asked.count("upload") == 1 and "remove" not in site.asked
    site.machines.state["one"] = "stopped"
    run(PASSES).assert_outcomes(passed=1)
    assert site.asked.count("upload") == 2 and "remove" not in site.asked


def test_nothing_is_deployed_for_tests_that_do_not_use_it(run: Run, site: FakeSite) -> None:
    run("def test_it(): pass").assert_outcomes(passed=1)
    assert site.asked == []


def test_the_bundle_of_a_failed_test_is_written_while_the_cloud_is_there(
    run: Run, site: FakeSite, pytester: pytest.Pytester
) -> None:
    result = run(FAILS)
    result.assert_outcomes(failed=1)
    bundle = bundle_of(result)
    assert bundle == pytester.path / ".pytest_cache/d/stackcook/stackcook-run-1.tar.gz"
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as tar:
        assert {"report.html", "logs/one.log"} <= {name.split("/", 1)[1] for name in tar.getnames()}
    assert "remove" in site.asked


def test_the_bundle_goes_where_the_user_says(run: Run, pytester: pytest.Pytester) -> None:
    result = run(FAILS, "--stackcook-artifacts", "out", "-p", "no:cacheprovider")
    assert bundle_of(result).parent == pytester.path / "out"
    assert bundle_of(run(FAILS, "-p", "no:cacheprovider")).parent.name == "stackcook-artifacts"


def test_a_test_that_does_not_use_the_cloud_leaves_no_bundle(run: Run) -> None:
    result = run(f"{PASSES}\ndef test_other(): assert 0")
    result.assert_outcomes(passed=1, failed=1)
    assert "report bundle" not in result.stdout.str()


def test_a_failed_deploy_is_one_line_and_leaves_a_bundle_and_nothing_else(
    run: Run, site: FakeSite
) -> None:
    site.chef.broken["one"] = recipe_error("one")
    result = run(f"{PASSES}\n{PASSES.replace('test_it', 'test_again')}")
    result.assert_outcomes(errors=2)
    output = result.stdout.str()
    assert "deploy of stackcook: failed: one: execute[boom] (x.rb:1): no; see more" in output
    assert "Traceback" not in output and "session.py" not in output
    assert bundle_of(result).is_file()
    assert site.asked.count("converge one") == site.asked.count("remove") == 1


def test_a_failed_deploy_that_cannot_be_removed_says_so(run: Run, site: FakeSite) -> None:
    site.chef.broken["one"] = recipe_error("one")
    site.errors["stop"] = recipe_error("one")
    output = run(PASSES).stdout.str()
    assert "\nstackcook: cannot destroy the cloud: destroy of stackcook: failed:" in output


def test_a_failed_destroy_is_an_error(run: Run, site: FakeSite) -> None:
    site.errors["stop"] = recipe_error("one")
    result = run(PASSES)
    result.assert_outcomes(passed=1, errors=1)
    assert "destroy of stackcook: failed: one: execute[boom]" in result.stdout.str()


def test_another_manifest(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "clouds").mkdir()
    (pytester.path / "infrastructure.yml").rename(pytester.path / "clouds/two.yml")
    (pytester.path / "key").rename(pytester.path / "clouds/key")
    run(PASSES, "--stackcook-manifest", "clouds/two.yml").assert_outcomes(passed=1)
    result = run(PASSES)
    result.assert_outcomes(errors=1)
    remedy = "name the manifest with --stackcook-manifest PATH"
    assert f"{pytester.path}/infrastructure.yml: no such file; {remedy}" in result.stdout.str()


KILLED = """
import os, pytest
from tests.fakes import FakeSite
@pytest.fixture(scope="session")
def _stackcook_site(): return lambda *_: FakeSite()
def test_it(openstack_cloud): os.kill(os.getpid(), 9)
"""


def test_the_next_session_destroys_the_cloud_of_one_that_was_killed(
    run: Run, site: FakeSite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    killed = pytester.runpytest_subprocess(pytester.makepyfile(test_killed=KILLED))
    assert killed.ret == -9, killed.stdout.str()
    (pytester.path / "test_killed.py").unlink()
    run(PASSES).assert_outcomes(passed=1)
    assert site.asked.count("remove") == 1


@pytest.fixture
def interrupted(run: Run, site: FakeSite) -> pytest.RunResult:
    """A session whose deploy was interrupted by Ctrl-C."""
    site.chef.during = lambda _: os.kill(os.getpid(), signal.SIGINT)
    result = run(PASSES, no_reraise_ctrlc=True)
    site.chef.during = lambda _: None
    return result


def test_after_ctrl_c_in_the_deploy_the_next_session_destroys_the_cloud(
    interrupted: pytest.RunResult, run: Run, site: FakeSite, pytester: pytest.Pytester
) -> None:
    assert interrupted.ret == pytest.ExitCode.INTERRUPTED
    destroy = f"`stackcook -f {pytester.path}/infrastructure.yml destroy`"
    assert f"stackcook: the deploy was interrupted; run {destroy}, or" in interrupted.stdout.str()
    assert "remove" not in site.asked
    run(PASSES).assert_outcomes(passed=1)
    assert site.asked.count("remove") == 1


@pytest.mark.usefixtures("interrupted")
def test_what_a_session_has_left_can_be_kept(run: Run, site: FakeSite) -> None:
    run(PASSES, "--stackcook-keep").assert_outcomes(passed=1)
    run(PASSES).assert_outcomes(passed=1)
    assert "remove" not in site.asked


@pytest.mark.usefixtures("interrupted")
def test_what_its_user_has_deployed_since_then_is_left_alone(
    run: Run, site: FakeSite, pytester: pytest.Pytester
) -> None:
    manifest = pytester.path / "infrastructure.yml"
    Cloud.deploy(manifest, make_site=lambda *_: site)  # type: ignore
    run(PASSES).assert_outcomes(passed=1)
    assert "remove" not in site.asked


@pytest.mark.usefixtures("interrupted")
def test_the_cloud_of_a_session_that_runs_is_left_alone(
    run: Run, site: FakeSite, pytester: pytest.Pytester
) -> None:
    with lock(pytester.path / ".stackcook" / SESSION):
        run(PASSES).assert_outcomes(passed=1)
        assert "remove" not in site.asked
    run(PASSES).assert_outcomes(passed=1)
    assert "remove" in site.asked


def test_a_destroy_that_failed_is_done_by_the_next_session(run: Run, site: FakeSite) -> None:
    site.errors["stop"] = recipe_error("one")
    run(PASSES).assert_outcomes(passed=1, errors=1)
    site.errors.clear()
    run(PASSES).assert_outcomes(passed=1)
    assert site.asked.count("remove") == 1


def test_a_cloud_that_somebody_else_deploys_is_left_alone(
    run: Run, site: FakeSite, pytester: pytest.Pytester
) -> None:
    with exclusive(pytester.path / ".stackcook", "deploy"):
        result = run(PASSES)
    result.assert_outcomes(errors=1)
    assert "`stackcook deploy` (pid" in result.stdout.str() and "remove" not in site.asked


def test_where_it_is_not_used_it_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it(): assert sorted(m for m in sys.modules if m.startswith('stackcook')) == "
        "['stackcook', 'stackcook.api', 'stackcook.api.fixture']"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    assert done.returncode == 0, done.stdout
