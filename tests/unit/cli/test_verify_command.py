"""``stackcook verify``: a report in, lines or JSON and an exit code out."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stackcook.api import deployment
from stackcook.cli import main, verify
from stackcook.errors import UsageError
from stackcook.run.events import RunStarted
from stackcook.run.state import State
from stackcook.verify.check import Check, Report
from stackcook.verify.tempest import results
from stackcook.verify.tempest.run import Request, TempestReport
from tests.junit import clouds_of, validate
from tests.output import data as data_of

WELL = Check("SSH", "controller", True, seconds=0.2)
STOPPED = Check(
    "nova-scheduler",
    "controller",
    False,
    "it is inactive",
    "look further: x",
    0.1,
    "nova-scheduler",
)

RESULT = results.Result("tempest.api.X.test_y", "passed")


@pytest.fixture
def asked() -> list[Any]:
    """With what the cloud was verified."""
    return []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Any:
    """Verify a deployment whose report is given."""
    manifest = tmp_path / "infrastructure.yml"
    manifest.write_text("nodes: [controller]\n")
    with State(tmp_path / ".stackcook") as state:
        state(RunStarted("deploy", 1.0, ("controller",)))

    def run(report: Report, *options: str) -> Result:
        machines = SimpleNamespace(prepare=lambda: None)

        def verified(patience: float, **options: Any) -> Report:
            wanted = {key: options[key] for key in ("instance", "logs", "horizon")}
            asked.append({"patience": patience, **wanted})
            options["say"]("booting")
            return report

        def tested(request: Any, show: Any) -> Any:
            asked.append(request)
            show("tempest", "1 of 1 tests")
            return TempestReport("smoke", (RESULT,), 1.0, 1, directory=tmp_path / "kept")

        site = SimpleNamespace(
            machines=machines, verify=verified, tempest=tested, make_ready=lambda user: None
        )
        monkeypatch.setattr(verify, "Site", lambda *_: site)
        arguments = ("-f", str(manifest), "verify", *options)
        return CliRunner(mix_stderr=False).invoke(main.cli, arguments)

    return run


@pytest.mark.parametrize(
    ("options", "instance"), [((), None), (("--instance",), True), (("--no-instance",), False)]
)
def test_instances_are_asked_for(
    run: Any, asked: list[Any], options: tuple[str, ...], instance: bool | None
) -> None:
    result = run(Report((WELL,)), "--patience", "7", *options)
    assert (result.exit_code, result.stderr) == (0, "booting\n")
    plain = {"patience": 7.0, "instance": instance, "logs": False, "horizon": False}
    assert asked == [plain]


def test_logs_are_asked_for(run: Any, asked: list[Any]) -> None:
    assert run(Report((WELL,)), "--logs").exit_code == 0
    assert [each["logs"] for each in asked] == [True]


def test_horizon_is_asked_for_and_its_packages_are_needed(
    run: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "check_installed", lambda: None)
    assert run(Report((WELL,)), "--horizon").exit_code == 0
    assert [each["horizon"] for each in asked] == [True]

    def missing() -> None:
        raise UsageError("it needs chromium", remedy="run `apt-get install chromium`")

    monkeypatch.setattr(deployment, "check_installed", missing)
    result = run(Report((WELL,)), "--horizon")
    assert result.exit_code == 2 and len(asked) == 1
    assert "it needs chromium; run `apt-get install chromium`" in result.stderr


def test_screenshots_are_named_and_are_in_the_page(run: Any, tmp_path: Path) -> None:
    picture = tmp_path / "horizon" / "01-console.png"
    picture.parent.mkdir()
    picture.write_bytes(b"png")
    page = tmp_path / "page.html"
    result = run(Report((WELL,), screenshots=(picture,)), "--html", str(page))
    assert f"screenshots of Horizon: {picture.parent}\n" in result.stdout
    assert "<h2>01 console</h2>" in page.read_text()
    assert "<title>verify of stackcook: " in page.read_text()
    result = run(Report((WELL,), screenshots=(picture,)), "--json")
    found = data_of(result.stdout)
    assert (found["cloud"], found["screenshots"]) == ("stackcook", [str(picture)])


def test_junit_has_a_case_for_each_check(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "verify.xml"
    cloud = Check("Keystone's token", "", True)
    assert run(Report((cloud, STOPPED, WELL), 1.0), "--junit", str(file)).exit_code == 5
    root = validate(file.read_text())
    assert [suite.get("name") for suite in root] == ["cloud", "controller"]
    assert root.get("name") == "stackcook verify of stackcook"
    assert clouds_of(root) == {"stackcook"}
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert cases[0] == ("verify.cloud", "Keystone's token")
    (failure,) = root.iter("failure")
    assert (failure.get("message"), failure.text) == ("it is inactive", "look further: x")


def test_junit_of_tempest(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "tempest.xml"
    run(Report(()), "--tempest", "smoke", "--junit", str(file))
    root = validate(file.read_text())
    assert clouds_of(root) == {"stackcook"}
    (case,) = root.iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("tempest.api.X", "test_y")


def test_notes_are_shown_before_the_summary(run: Any) -> None:
    report = Report((WELL,), 1.0, ("an instance answered",))
    assert run(report).stdout.splitlines()[-2:] == [
        "an instance answered",
        "1 check in 1.0 s: all passed",
    ]
    assert data_of(run(report, "--json").stdout)["notes"] == ["an instance answered"]


def test_all_well_is_0(run: Any) -> None:
    result = run(Report((WELL,), 1.0))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "1 check in 1.0 s: all passed"


def test_a_failure_is_5_and_one_line_with_service_and_node(run: Any) -> None:
    result = run(Report((STOPPED, WELL)))
    assert result.exit_code == 5
    assert "✗ nova-scheduler on controller: it is inactive\n" in result.stdout
    assert "look further: x\n" in result.stdout


def test_nothing_looked_at_is_not_well(run: Any) -> None:
    assert run(Report(())).exit_code == 5


def test_without_nodes_there_is_nothing_to_verify(run: Any, tmp_path: Path) -> None:
    (tmp_path / "infrastructure.yml").write_text("roles: []\n")
    result = run(Report(()))
    assert (result.exit_code, result.stdout) == (
        0,
        "nothing to verify: the manifest has no nodes\n",
    )
    assert data_of(run(Report(()), "--json").stdout)["ok"] is True


def test_json_is_one_document(run: Any) -> None:
    result = run(Report((STOPPED, WELL), 1.5), "--json")
    assert result.exit_code == 5
    document = data_of(result.stdout)
    assert (document["ok"], document["seconds"]) == (False, 1.5)
    assert document["checks"][0] == {
        "name": "nova-scheduler",
        "node": "controller",
        "ok": False,
        "cause": "it is inactive",
        "remedy": "look further: x",
        "seconds": 0.1,
        "unit": "nova-scheduler",
        "zone": "",
    }


def test_before_a_deploy_it_says_so(run: Any, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".stackcook")
    result = run(Report((WELL,)))
    assert result.exit_code == 2
    deploy = f"`stackcook -f {tmp_path / 'infrastructure.yml'} deploy`"
    assert f"nothing is deployed here; run {deploy}" in result.stderr


def test_tempest_is_run_instead(run: Any, asked: list[Any], tmp_path: Path) -> None:
    result = run(Report(()), "--tempest", "smoke", "--keep-tempest")
    assert (result.exit_code, asked) == (0, [Request("smoke", keep=True)])
    assert result.stdout.splitlines()[-1] == "Tempest smoke: 1 test in 1.0 s: 1 passed"
    assert 'name="test_y"' in (tmp_path / "kept" / "junit.xml").read_text()
    assert data_of(run(Report(()), "--tempest", "smoke", "--json").stdout)["workers"] == 1


def test_a_guideline_is_read_first(run: Any, asked: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "guideline.json"
    path.write_text("{}")
    result = run(Report(()), "--interop", str(path))
    assert (result.exit_code, asked) == (2, [])
    assert "is not an interoperability guideline" in result.stderr
    result = run(Report(()), "--interop", str(path), "--tempest", "smoke")
    assert "--tempest and --interop cannot be combined" in result.stderr
