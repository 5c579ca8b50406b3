"""The result of ``probe``: what is rounded, sorted and left out."""

from __future__ import annotations

import pytest

from stackcook.report import probe
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.probe.apis import Api, Unknown
from stackcook.verify.probe.client import Client, Target
from stackcook.verify.probe.run import Probed, Report
from stackcook.verify.probe.samples import Sample
from tests.junit import validate

URL = "http://127.0.0.1:9292"


def probed(name: str, *samples: Sample, cloud: str = "west") -> Probed:
    client = Client(Target(cloud, Cloud("t0ken", ()), ""), Endpoint(name, "public", URL), 5)
    found = Probed(Api(cloud, name, URL, Unknown(name), client), f"{cloud} {name}")
    for sample in samples:
        found.samples.add(sample)
    return found


def failing(number: int, error: str = "list: no response within 5 s") -> list[Sample]:
    """So many gaps, each of 2 s."""
    samples = [Sample(0, 0, (0.01,))]
    for at in range(1, 2 * number, 2):
        samples += [Sample(at, at, error=error), Sample(at + 1, at + 1, (0.01,))]
    return samples


def report(*found: Probed, max_gap: float = 0.0) -> Report:
    return Report(found, began=1_800_000_000.0, zero=0.0, seconds=30.0, max_gap=max_gap)


def row(*samples: Sample) -> list[str]:
    heading, line = probe.table([probed("image", *samples)]).plain.splitlines()
    assert heading.startswith("API         AVAILABLE")
    return line.split()


def test_only_without_a_failure_all_of_the_time_counts() -> None:
    good = Sample(0, 0, (0.0414, 0.052))
    bad = Sample(99_999.5, 100_000, error="list: no\nresponse")
    assert row(good, bad)[2:4] == ["99.99", "%"]
    found = row(good, Sample(9, 9))[2:]
    assert found == ["100.00", "%", "0.1", "s", "41", "ms", "52", "ms", "2", "0"]
    assert row(good, bad)[-4:] == ["1", "list:", "no", "response"]


def test_an_api_that_was_not_probed_is_not_good() -> None:
    assert row()[2:] == ["-", "-", "-", "-", "0", "0"]
    found = report(probed("image"))
    assert not found.ok and probe.data(found)["apis"][0]["availability"] is None
    assert not report().ok


def test_the_longest_gaps_are_listed() -> None:
    long = [Sample(0, 0), Sample(1, 9, error="create: 503"), Sample(9, 9)]
    found = report(probed("image", *failing(12)), probed("network", *long))
    lines = probe.render(found).plain.splitlines()
    gaps = lines[lines.index("longest gaps") + 1 : -1]
    assert len(gaps) == 10
    assert gaps[0].startswith("  west network, ") and gaps[0].endswith(", 9.0 s: create: 503")
    assert len(probe.data(found)["apis"][0]["gaps"]) == 12
    assert lines[-1] == "28 probes of 2 APIs in 30 s: 13 failed"


@pytest.mark.parametrize(
    "max_gap, ok, said",
    [
        (0.0, False, "3 probes of 1 API in 30 s: 1 failed"),
        (1.0, False, "3 probes of 1 API in 30 s: 1 failed; longer gaps than 1.0 s: west image"),
        (2.0, True, "3 probes of 1 API in 30 s: 1 failed; no gap longer than 2.0 s"),
    ],
)
def test_gaps_that_are_allowed(max_gap: float, ok: bool, said: str) -> None:
    found = report(probed("image", *failing(1)), max_gap=max_gap)
    assert (found.ok, probe.summary(found)) == (ok, said)


def test_a_slow_probe_is_a_gap_only_if_gaps_are_limited() -> None:
    slow = probed("image", Sample(0, 0.5), Sample(1, 17.5, (1.1, 15.2, 0.2)))
    assert report(slow).ok and "west image  100.00 %   15 s " in probe.render(report(slow)).plain
    found = report(slow, max_gap=10.0)
    assert not found.ok
    wanted = "2 probes of 1 API in 30 s: none failed; longer gaps than 10 s: west image"
    assert probe.summary(found) == wanted
    assert probe.data(found)["apis"][0]["longest_gap"] == 15.2
    (failure,) = validate(probe.junit(found)).iter("failure")
    assert failure.get("message") == "0 of 2 probes failed, longest gap 15 s"
    assert failure.text == "15 s: a request was slow, but did not fail"


def test_junit_has_a_suite_for_each_cloud() -> None:
    found = report(
        probed("image", *failing(1)),
        probed("image", Sample(0, 1, (0.25, 0.5)), cloud="east"),
    )
    west, east = validate(probe.junit(found))
    assert [(suite.get("name"), suite.get("failures")) for suite in (west, east)] == [
        ("west", "1"),
        ("east", "0"),
    ]
    (case,) = east.iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("probe.east", "image")
    assert case.get("time") == "0.750"
    (failure,) = west.iter("failure")
    assert failure.get("message") == "1 of 3 probes failed, longest gap 2.0 s"
    assert (failure.text or "").endswith(", 2.0 s: list: no response within 5 s")
