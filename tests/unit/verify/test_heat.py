"""The checks of Heat, over one in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import responses

from stackcook.verify import heat
from stackcook.verify.check import Check, Checks
from stackcook.verify.openstack import Cloud, Endpoint, check_endpoint
from stackcook.verify.placing import Placed, Service

API = "http://10.0.116.10:8004"
SIGNAL = f"{API}/v1/p2/stacks/s/resources/handle/signal"
ENDPOINT = Endpoint("orchestration", "public", f"{API}/v1/p1")
NODE = Placed("controller", "10.0.116.10", frozenset({"controller"}), (Service("heat-engine"),))


@dataclass
class FakeHeat:
    """``created`` is what becomes of a new stack; ``stacks`` are those that exist, by ID."""

    engines: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"host": "controller", "status": "down"},  # before its last start
            {"host": "controller", "status": "up"},
        ]
    )
    created: str = "CREATE_COMPLETE"
    signal: int = 200
    deletes: bool = True
    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    signals: list[Any] = field(default_factory=list)

    def add(self, name: str, age: timedelta = timedelta()) -> None:
        created = datetime.now(timezone.utc) - age
        self.stacks[name] = {
            "stack_name": name,
            "id": name,
            "creation_time": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        path = request.url.removeprefix(f"{API}/v1/p1")
        if path == "/services":
            return 200, {}, json.dumps({"services": self.engines})
        if request.method == "POST":
            self.add(json.loads(request.body)["stack_name"])
            return 201, {}, json.dumps({"stack": {"id": [*self.stacks][-1]}})
        if request.method == "DELETE":
            if self.deletes:
                del self.stacks[path.rpartition("/")[2]]
            return 204, {}, ""
        if path == "/stacks":
            return 200, {}, json.dumps({"stacks": [*self.stacks.values()]})
        stack = {
            "stack_status": self.created,
            "stack_status_reason": "no trust",
            "outputs": [
                {"output_key": "endpoint", "output_value": SIGNAL},
                {"output_key": "token", "output_value": "s3cret"},
            ],
        }
        return 200, {}, json.dumps({"stack": stack})

    def signalled(self, request: Any) -> tuple[int, dict[str, str], str]:
        assert request.headers["X-Auth-Token"] == "s3cret"
        self.signals.append(json.loads(request.body))
        return self.signal, {}, ""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHeat]:
    fake = FakeHeat()
    monkeypatch.setattr(heat, "LIMIT", 0.0)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST", "DELETE"):
            mock.add_callback(method, re.compile(f"{API}/v1/p1/.*"), fake.answer)
        mock.add_callback("POST", SIGNAL, fake.signalled)
        yield fake


def look() -> Checks:
    return heat.checks(Cloud("t0ken", (ENDPOINT,)), (NODE,), 0.0)


def failure() -> Check:
    (failed,) = (check for check in look() if not check.ok)
    return failed


def test_a_stack_is_created_signalled_to_and_deleted(fake: FakeHeat) -> None:
    assert [(check.name, check.ok) for check in look()] == [
        ("heat-engine in Heat", True),
        ("stack", True),
        ("deletion of the stack", True),
    ]
    assert (fake.stacks, fake.signals) == ({}, [heat.SIGNAL])


def test_a_cloud_without_heat_has_no_check() -> None:
    assert heat.checks(Cloud("t0ken", ()), (NODE,), 0.0) == ()


@pytest.mark.parametrize(
    ("engines", "cause"),
    [
        ([{"host": "controller", "status": "down"}], "Heat lists it as down"),
        ([{"host": "another", "status": "up"}], "Heat does not list it"),
    ],
)
def test_every_engine_is_up(fake: FakeHeat, engines: list[dict[str, str]], cause: str) -> None:
    fake.engines = engines
    failed = failure()
    assert (failed.node, failed.unit, failed.cause) == ("controller", "heat-engine", cause)


def test_a_stack_that_fails_says_why_and_is_deleted(fake: FakeHeat) -> None:
    fake.created = "CREATE_FAILED"
    assert failure().cause.endswith(" within 0 s: CREATE_FAILED, no trust")
    assert not fake.stacks


def test_a_refused_signal_is_a_failure(fake: FakeHeat) -> None:
    fake.signal = 403
    assert failure().cause == f"a signal to {SIGNAL} returned 403 Forbidden"


def test_what_killed_verifications_have_left_is_deleted_too(fake: FakeHeat) -> None:
    fake.add("stackcook-verify-old", timedelta(minutes=16))
    fake.add("stackcook-verify-new")
    fake.add("mine", timedelta(days=1))
    look()
    assert {*fake.stacks} == {"stackcook-verify-new", "mine"}


def test_a_stack_that_stays_is_named(fake: FakeHeat) -> None:
    fake.deletes = False
    assert failure().cause.startswith("Heat has not deleted /stacks/stackcook-verify-")


@responses.activate
def test_versions_are_at_the_root_of_the_host() -> None:
    responses.add("GET", f"{API}/", status=300)
    check_endpoint(Cloud("t0ken", ()), ENDPOINT)
    assert len(responses.calls) == 1
