"""``stackcook probe``: what it prints, writes and returns; the APIs run on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stackcook.cli import main, probe
from stackcook.run.events import RunStarted
from stackcook.run.state import State
from tests.junit import validate
from tests.output import data as data_of
from tests.smallapis import TYPES, SmallCloud


@pytest.fixture
def small() -> Iterator[SmallCloud]:
    with SmallCloud().listening() as cloud:
        yield cloud


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: SmallCloud) -> Any:
    """Probe a deployment whose cloud is ``small``."""
    manifest = tmp_path / "infrastructure.yml"
    manifest.write_text("nodes: [controller]\n")
    with State(tmp_path / ".stackcook") as state:
        state(RunStarted("deploy", 1.0, ("controller",)))
    site = SimpleNamespace(
        machines=SimpleNamespace(prepare=lambda: None), targets=lambda _: (small.target(),)
    )
    monkeypatch.setattr(probe, "Site", lambda *_: site)

    def run(*options: str) -> Result:
        arguments = ("-f", str(manifest), "probe", *options)
        return CliRunner(mix_stderr=False).invoke(main.cli, arguments)

    return run


def row(output: str, name: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.startswith(f"{name} "))
    return line.split()


def test_a_cloud_that_is_well(run: Any) -> None:
    result = run("--for", "1s")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *_ = result.stdout.splitlines()
    assert heading.split() == (
        "API AVAILABLE LONGEST GAP P50 P99 PROBES FAILED LAST FAILURE".split()
    )
    for type_ in TYPES:
        assert row(result.stdout, type_)[1:3] == ["100.00", "%"]
        assert row(result.stdout, type_)[-1] == "0"
    assert result.stdout.splitlines()[-1].endswith(" s: none failed")
    assert "adm1n-pass" not in result.output and "t0ken" not in result.output


def test_failures(run: Any, small: SmallCloud, tmp_path: Path) -> None:
    small["image"].fault = "503"
    file = tmp_path / "probe.xml"
    result = run("--for", "1s", "--junit", str(file))
    assert result.exit_code == 5
    error = f"list: {small['image'].url}/v2/images?name=stackcook-probe returned 503 "
    assert f"image failed: {error}" in result.stderr
    assert row(result.stdout, "image")[1:3] == ["0.00", "%"]
    *lines, note, summary = result.stdout.splitlines()
    assert lines[-1].startswith("  image, ") and error in lines[-1]
    assert note.startswith("image: cannot delete what probes may have left; the next ")
    assert " of 9 APIs in " in summary and not summary.endswith("none failed")

    root = validate(file.read_text())
    assert [suite.get("name") for suite in root] == ["stackcook"]
    cases = {(case.get("classname"), case.get("name")) for case in root.iter("testcase")}
    assert cases == {("probe.stackcook", type_) for type_ in TYPES}
    (failure,) = root.iter("failure")
    assert failure.get("type") == "image" and error in (failure.text or "")


def test_gaps_may_be_allowed(run: Any, small: SmallCloud) -> None:
    small["image"].fault = "503"
    result = run("--for", "1s", "--max-gap", "1m")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("; no gap longer than 1 min 00 s")


def test_json(run: Any, small: SmallCloud) -> None:
    small["image"].fault = "503"
    result = run("--for", "1s", "--json")
    assert result.exit_code == 5
    found = data_of(result.stdout)
    assert found["ok"] is False
    each = {api["api"]: api for api in found["apis"]}
    assert set(each) == set(TYPES)
    assert each["compute"]["availability"] == 1 and 0 < each["compute"]["p50"] <= 30
    assert (each["compute"]["ok"], each["compute"]["gaps"]) == (True, [])
    image = each["image"]
    assert (image["ok"], image["availability"], image["p99"]) == (False, 0, None)
    assert image["gaps"][0]["error"] == image["last_error"]
    assert image["failed"] == image["probes"] and image["cloud"] == "stackcook"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_result(
    run: Any, small: SmallCloud, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = small["dashboard"]

    def answer(*_: object) -> tuple[int, bytes]:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # as timeout(1) does
        return 200, b'name="csrfmiddlewaretoken" value="x"'

    monkeypatch.setattr(dashboard, "answer", answer)
    before = signal.getsignal(signal.SIGTERM)
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    assert row(result.stdout, "dashboard")[-2:] == ["1", "0"]
    assert signal.getsignal(signal.SIGTERM) is before
    assert small.left() == {}


@pytest.mark.parametrize(
    "options, error",
    [
        (("--interval", "10s", "--for", "5s"), "--for must not be shorter than --interval"),
        (("--interval", "0"), "write a number of seconds, or use a unit"),
        (("--for", "soon"), "write a number of seconds, or use a unit"),
    ],
)
def test_wrong_options(run: Any, options: tuple[str, ...], error: str) -> None:
    result = run(*options)
    assert result.exit_code == 2 and error in result.stderr
