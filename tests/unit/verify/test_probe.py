"""Probes of APIs that run on ports of this machine, and fail in many ways."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from stackcook.errors import VerifyError
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.probe.apis import Api, apis
from stackcook.verify.probe.client import Client, Target, within
from stackcook.verify.probe.run import Probed, Probing, Report, following
from tests.smallapis import TYPES, SmallCloud

INTERVAL = 0.1
NEVER = 60.0
"""A time limit that no test reaches."""

GONE = threading.Event()

Step = Callable[[Mapping[str, Probed]], object]


@pytest.fixture
def small() -> Iterator[SmallCloud]:
    """Some APIs."""
    with SmallCloud(("identity", "compute", "image")).listening() as cloud:
        yield cloud


@pytest.fixture
def whole() -> Iterator[SmallCloud]:
    """All APIs."""
    with SmallCloud().listening() as cloud:
        yield cloud


def run(probing: Probing, *steps: Step) -> tuple[Report, list[str]]:
    """Probe until each of ``steps`` was true in turn, then press Ctrl-C; also what was said."""
    said: list[str] = []
    ended = threading.Event()
    late: list[int] = []

    def follow() -> None:
        deadline = time.monotonic() + NEVER
        for number, step in enumerate(steps):
            while not step({each.name: each for each in probing.probed}):
                if ended.wait(0.002):
                    return
                if time.monotonic() > deadline:
                    late.append(number)
                    break
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        report = probing.run(None, said.append)
    finally:
        ended.set()
        thread.join()
    assert not late, f"step {late} did not come true: {said}"
    return report, said


def every(times: int) -> Step:
    """Each API was probed so many times since the step before."""
    before: dict[str, int] = {}

    def step(probed: Mapping[str, Probed]) -> bool:
        for name, each in probed.items():
            before.setdefault(name, each.samples.probes)
        return all(each.samples.probes >= before[name] + times for name, each in probed.items())

    return step


def failing(name: str, error: str = "") -> Step:
    def step(probed: Mapping[str, Probed]) -> bool:
        samples = probed[name].samples
        return samples.failing and error in samples.last_error

    return step


def well(name: str) -> Step:
    return lambda probed: not probed[name].samples.failing


def do(work: Callable[[], object]) -> Step:
    """Change something."""

    def step(_: Mapping[str, Probed]) -> bool:
        work()
        return True

    return step


def probing(small: SmallCloud) -> Probing:
    return Probing(apis(small.target(), NEVER), INTERVAL)


def failed(report: Report) -> set[str]:
    return {each.name for each in report.probed if each.samples.failed}


def test_a_cloud_that_is_well(whole: SmallCloud) -> None:
    report, said = run(probing(whole), every(2))
    assert {each.name for each in report.probed} == set(TYPES)
    assert (report.ok, failed(report), said, report.notes) == (True, set(), [], ())
    assert whole.left() == {}
    for type_, path in {
        "identity": "/v3/credentials",
        "compute": "/v2.1/os-server-groups",
        "network": "/v2.0/security-groups",
        "image": "/v2/images",
        "block-storage": "/qos-specs",
        "orchestration": "/software_configs",
    }.items():
        asked = [each for each in whole[type_].received if "tokens" not in each]
        assert asked[:2] == [f"GET {path}", f"POST {path}"]
        assert re.fullmatch(rf"DELETE {path}/\d+", asked[2])
    tokens = whole["identity"].received.count("POST /v3/auth/tokens")
    (identity,) = (each for each in report.probed if each.name == "identity")
    assert tokens == identity.samples.probes


def test_an_api_that_hangs_does_not_stop_the_others(small: SmallCloud) -> None:
    small["compute"].fault = "silent"
    cloud = small.target()
    patient = (api for api in apis(cloud, NEVER) if api.name != "compute")
    compute = (api for api in apis(cloud, 0.2) if api.name == "compute")
    report, said = run(Probing((*patient, *compute), INTERVAL), failing("compute"), every(2))
    assert failed(report) == {"compute"} and not report.ok
    assert len(said) == 1
    assert re.search(r"^\d\d:\d\d:\d\d compute failed: list: .*no response within 0.2 s", said[0])
    assert [note.partition(";")[0] for note in report.notes] == [
        "compute: cannot delete what probes may have left"
    ]


def test_an_api_that_goes_and_comes_back(small: SmallCloud) -> None:
    image = small["image"]
    with ExitStack() as stack:
        small["image"] = again = replace(image, port=0, over=threading.Event())
        first = stack.enter_context(ExitStack())
        first.enter_context(again.listening())
        report, said = run(
            probing(small),
            every(2),
            do(first.close),
            failing("image", "refused"),
            do(lambda: stack.enter_context(again.listening())),
            well("image"),
            every(2),
        )
    assert failed(report) == {"image"}
    (found,) = (each for each in report.probed if each.name == "image")
    (gap,) = found.samples.gaps
    assert 0 < gap.seconds <= found.samples.longest_gap
    assert [line.split(" ", 1)[1].partition(":")[0] for line in said] == [
        "image failed",
        f"image responds again after {gap.seconds:.1f} s",
    ]
    assert small.left() == {}


def test_a_probe_that_hangs_and_succeeds_in_the_end_is_a_gap(small: SmallCloud) -> None:
    image = small["image"]
    answer, slowly = image.answer, threading.Event()

    def late(*asked: Any) -> tuple[int, Any]:
        slowly.wait(0.2)
        return answer(*asked)

    image.answer = late  # type: ignore[method-assign]
    report, said = run(probing(small), every(1), do(slowly.set), every(2))
    assert (failed(report), said) == (set(), [])
    (found,) = (each for each in report.probed if each.name == "image")
    assert found.samples.longest_gap >= 0.2 and found.samples.gaps == []
    assert not replace(report, max_gap=0.1).ok


def test_an_api_that_only_reads(small: SmallCloud) -> None:
    compute = small["compute"]
    compute.fault, compute.only = "503", "POST"
    report, said = run(probing(small), failing("compute"), every(2))
    assert failed(report) == {"compute"}
    url = f"{compute.url}/os-server-groups"
    error = f"create: POST {url} returned 503 Service Unavailable: out of order"
    assert [line.partition(" ")[2] for line in said] == [f"compute failed: {error}"]


def test_tokens_are_replaced_when_they_have_expired(small: SmallCloud) -> None:
    cloud = small.target()
    cloud.cloud = replace(cloud.cloud, expires=time.monotonic())
    small["identity"].hours = 0
    report, said = run(
        Probing(apis(cloud, NEVER), INTERVAL),
        every(1),
        do(lambda: setattr(small["identity"], "hours", 1)),
        do(lambda: small.tokens.add("t0ken-2")),
        lambda _: cloud.cloud.token == "t0ken-2",
        every(2),
        do(lambda: small.tokens.remove("t0ken-1")),
        every(2),
    )
    assert (report.ok, said) == (True, [])
    assert 3500 < cloud.cloud.expires - time.monotonic() < 3600


def test_a_token_that_is_refused_before_it_expires_is_a_failure(small: SmallCloud) -> None:
    cloud = small.target()
    report, said = run(
        Probing(apis(cloud, NEVER), INTERVAL),
        every(1),
        do(lambda: small.tokens.add("t0ken-2")),
        lambda _: cloud.cloud.token == "t0ken-2",
        do(lambda: small.tokens.remove("t0ken-1")),  # as if Keystone had lost its key
        failing("compute", "401"),
        well("compute"),
        well("image"),
        every(2),
    )
    assert failed(report) == {"compute", "image"}
    assert [each.samples.failed for each in report.probed] == [0, 1, 1]
    (line,) = (line for line in said if " compute failed: " in line)
    assert re.search(r" compute failed: (list|create|delete): .* returned 401", line)


def test_without_keystone_the_other_apis_are_probed_with_their_tokens(small: SmallCloud) -> None:
    report, _ = run(
        probing(small),
        do(lambda: setattr(small["identity"], "fault", "503")),
        failing("identity", "token: "),
        every(2),
    )
    assert failed(report) == {"identity"}


def test_an_api_that_refuses_a_new_token_fails(small: SmallCloud) -> None:
    small["compute"].tokens = set()
    report, said = run(probing(small), failing("compute"), every(2))
    assert failed(report) == {"compute"}
    assert "compute failed: list: " in said[0] and "returned 401" in said[0]


def test_an_answer_of_another_kind_is_a_failure(small: SmallCloud) -> None:
    small["image"].fault = "200"
    report, said = run(probing(small), failing("image"), every(2))
    assert failed(report) == {"image"}
    assert f"{small['image'].url} sent an unexpected answer (KeyError: 'images')" in said[0]


def test_what_a_killed_probe_has_left_is_deleted(whole: SmallCloud) -> None:
    whole["compute"].add("/os-server-groups/9", name="stackcook-probe")
    whole["compute"].add("/os-server-groups/10", name="mine")
    whole["identity"].add("/credentials/9", type="stackcook-probe")
    whole["image"].add("/images/9", name="stackcook-probe")
    whole["network"].add("/security-groups/10", name="mine")
    whole["block-storage"].add("/qos-specs/9", name="stackcook-probe-0123")
    whole["placement"].things["/traits/CUSTOM_STACKCOOK_PROBE_0123"] = {
        "name": "CUSTOM_STACKCOOK_PROBE_0123"
    }
    whole["orchestration"].add("/software_configs/9", name="stackcook-probe")
    whole["object-store"].things |= {"/stackcook-probe": {}, "/stackcook-probe/9": {}}
    report, _ = run(probing(whole), every(1))
    assert report.ok
    mine = {"compute": ["/os-server-groups/10"], "network": ["/security-groups/10"]}
    assert whole.left() == mine


def test_an_api_that_refuses_to_delete_what_is_left_responds(small: SmallCloud) -> None:
    image = small["image"]
    image.add("/images/9", name="stackcook-probe")
    image.refused.add("/images/9")
    report, _ = run(probing(small), every(2))
    assert report.ok and small.left() == {"image": ["/images/9"]}


def test_what_could_not_be_deleted_is_deleted_later(small: SmallCloud) -> None:
    compute = small["compute"]
    compute.fault, compute.only = "500", "DELETE"
    report, _ = run(
        probing(small),
        failing("compute", "delete: DELETE "),
        do(lambda: setattr(compute, "fault", "")),
        well("compute"),
    )
    assert failed(report) == {"compute"} and small.left() == {}


def test_what_cannot_be_deleted_in_the_end_is_told(small: SmallCloud) -> None:
    compute = small["compute"]
    compute.fault, compute.only = "500", "DELETE"
    report, _ = run(probing(small), failing("compute"))
    (note,) = report.notes
    what = "cannot delete what probes may have left; the next `stackcook probe` does"
    assert note.startswith(f"compute: {what} (delete: DELETE http")


def test_several_clouds_side_by_side(small: SmallCloud) -> None:
    clouds = [small.target(name) for name in ("west", "east")]
    each = [api for cloud in clouds for api in apis(cloud, NEVER)]
    report, _ = run(Probing(each, INTERVAL), every(2))
    assert failed(report) == set()  # although they delete what belongs to the other
    assert {each.name for each in report.probed} == {
        *(f"west {type_}" for type_ in small),
        *(f"east {type_}" for type_ in small),
    }
    assert small.left() == {}


def test_an_unknown_api_and_one_in_several_regions(small: SmallCloud) -> None:
    url = small["compute"].url
    catalog = (
        Endpoint("dns", "public", f"{url}/"),
        Endpoint("dns", "admin", f"{url}/admin"),
        Endpoint("image", "public", small["image"].url),
        Endpoint("image", "public", small["image"].url.replace("127.0.0.1", "127.0.0.2")),
    )
    cloud = Target("stackcook", replace(small.client(), catalog=catalog), "adm1n-pass")
    report, said = run(Probing(apis(cloud, NEVER), INTERVAL), every(1))
    names = [each.name for each in report.probed]
    assert names == ["dns", "image 127.0.0.1", "image 127.0.0.2"]
    assert failed(report) == {"image 127.0.0.2"}  # where nothing listens


class Broken:
    """A service with a bug."""

    def probe(self, client: Client) -> None:
        raise RuntimeError("a bug")

    def clean(self, client: Client) -> None:
        """There is nothing to delete."""


def test_a_bug_is_not_silent() -> None:
    cloud = Target("stackcook", Cloud("t0ken", ()), "")
    client = Client(cloud, Endpoint("x", "public", "http://127.0.0.1:1"), NEVER)
    probing = Probing([Api("stackcook", "x", "http://127.0.0.1:1", Broken(), client)], INTERVAL)
    with pytest.raises(RuntimeError, match="a bug"):
        probing.run(None, lambda line: None)


def test_it_ends_by_itself(small: SmallCloud) -> None:
    report = probing(small).run(0.05, lambda line: None)
    assert report.seconds >= 0.05 and small.left() == {}


def test_a_time_limit_is_for_the_whole() -> None:
    with pytest.raises(VerifyError, match="no response within 0.01 s"):
        within(0.01, lambda: GONE.wait(1))
    assert within(NEVER, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="its own"):
        within(NEVER, _own)


def _own() -> None:
    raise TimeoutError("its own")


@pytest.mark.parametrize(
    "number, elapsed, wanted",
    [
        (0, 0.1, 1),  # due at 1 s
        (4, 4.9, 5),
        (0, 2.5, 2),  # due at 2 s: at once, and the one at 1 s is left out
        (2, 2.6, 3),  # then at its own time again
        (7, 8.0, 8),
    ],
)
def test_the_next_probe(number: int, elapsed: float, wanted: int) -> None:
    assert following(number, elapsed, 1.0) == wanted
