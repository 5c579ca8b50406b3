"""Availability, gaps and latency, computed from probes."""

from __future__ import annotations

import pytest

from stackcook.verify.probe.samples import Gap, Sample, Samples


def samples(*found: Sample) -> Samples:
    all_of_them = Samples()
    for sample in found:
        all_of_them.add(sample)
    return all_of_them


def test_without_failures() -> None:
    found = samples(*(Sample(at, at + 0.5, (0.1, 0.4)) for at in range(4)))
    assert (found.probes, found.failed, found.failing) == (4, 0, False)
    assert (found.availability, found.longest_gap, found.gaps) == (1.0, 0.4, [])
    assert (found.latency(0.5), found.latency(0.99)) == (0.1, 0.4)


def test_before_the_first_probe_nothing_is_known() -> None:
    found = Samples()
    assert (found.availability, found.latency(0.5), found.longest_gap) == (None, None, 0.0)


def test_a_gap_is_from_the_last_success_to_the_next() -> None:
    found = samples(
        Sample(0.0, 0.1, (0.1,)),
        Sample(1.0, 6.0, error="create: no response within 5 s"),
        Sample(6.0, 6.1, error="list: connection refused"),
        Sample(7.0, 7.3, (0.3,)),
        Sample(8.0, 8.1, (0.1,)),
        Sample(9.0, 9.1, error="list: 503"),
        Sample(10.0, 10.1, (0.1,)),
    )
    assert found.gaps == [
        Gap(0.1, 7.3, "create: no response within 5 s"),
        Gap(8.1, 10.1, "list: 503"),
    ]
    assert found.longest_gap == pytest.approx(7.2)
    assert (found.probes, found.failed, found.failing) == (7, 3, False)
    assert found.last_error == "list: 503"
    # down from 1 to 7 and from 9 to 10
    assert found.availability == pytest.approx(3.1 / 10.1)


def test_a_request_that_hangs_and_succeeds_in_the_end_is_a_gap() -> None:
    found = samples(
        Sample(0.0, 0.3, (0.1, 0.1, 0.1)),
        Sample(1.0, 15.7, (4.9, 6.8, 3.0)),
        Sample(16.0, 16.3, (0.1, 0.1, 0.1)),
    )
    assert found.longest_gap == 6.8
    assert (found.failed, found.gaps) == (0, [])


def test_the_interval_is_no_gap() -> None:
    found = samples(*(Sample(at, at + 0.25, (0.25,)) for at in range(0, 100, 10)))
    assert found.longest_gap == 0.25


def test_a_failed_probe_is_no_slow_one() -> None:
    found = samples(Sample(0, 1), Sample(2, 2.5, error="a"), Sample(3, 3.5), Sample(4, 5))
    assert found.longest_gap == found.gaps[0].seconds == 2.5


def test_failures_at_the_beginning_and_at_the_end_are_gaps_too() -> None:
    found = samples(
        Sample(5.0, 5.2, error="a"),
        Sample(6.0, 6.1),
        Sample(7.0, 7.1, error="b"),
        Sample(8.0, 8.4, error="c"),
    )
    assert found.gaps == [Gap(5.0, 6.1, "a"), Gap(6.1, 8.4, "b")]
    assert found.failing and found.availability == pytest.approx(1 / 3.4)


def test_an_api_that_never_answers() -> None:
    found = samples(Sample(0.0, 5.0, error="list: no response"), Sample(5.0, 10.0, error="same"))
    assert (found.availability, found.longest_gap) == (0.0, 10.0)
    assert found.latency(0.99) is None


@pytest.mark.parametrize("share, wanted", [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentiles_of_a_hundred_requests(share: float, wanted: float) -> None:
    found = samples(*(Sample(n, n, (float(n),)) for n in range(100, 0, -1)))
    assert found.latency(share) == wanted
