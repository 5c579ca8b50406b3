"""The checks of Cinder: its services, and a volume that is created and deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import responses

from stackcook.verify import cinder
from stackcook.verify.check import Check
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import Placed, Service

URL = "http://192.0.2.10:8776/v3"
CLOUD = Cloud("t0ken", (Endpoint("block-storage", "public", URL),))
UNITS = ("cinder-scheduler", "cinder-volume", "cinder-backup")
NODE = Placed("controller", "192.0.2.10", frozenset({"controller"}), tuple(map(Service, UNITS)))


def ago(minutes: int) -> str:
    """A time as Cinder writes it."""
    when = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    return when.replace(tzinfo=None).isoformat()


@dataclass
class FakeCinder:
    """Cinder's API; ``created`` and ``deleting`` are what the status of a volume becomes."""

    created: list[str] = field(default_factory=lambda: ["creating", "available"])
    deleting: list[str] = field(default_factory=lambda: ["deleting"])
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"binary": unit, "host": host, "state": "up", "status": "enabled"}
            for unit, host in zip(UNITS, ("controller", "controller@ceph", "controller"))
        ]
    )

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        path = request.path_url.removeprefix("/v3")
        name, _, query = path.partition("?")
        found = self._answer(request, name.split("/")[1:], query)
        return (404, {}, "{}") if found is None else (202, {}, json.dumps(found))

    def _answer(self, request: Any, path: list[str], query: str) -> Any:
        if path == ["os-services"]:
            binary = query.removeprefix("binary=")
            return {"services": [each for each in self.services if each["binary"] == binary]}
        if request.method == "POST":
            wanted = json.loads(request.body)["volume"]
            made = {**wanted, "id": "new", "created_at": ago(0), "next": list(self.created)}
            self.volumes["new"] = made
            return {"volume": {"id": "new"}}
        if path == ["volumes", "detail"]:
            return {"volumes": list(self.volumes.values())}
        volume = self.volumes.get(path[1])
        if volume and request.method == "DELETE":
            volume["next"] = [*self.deleting]
            return {}
        if volume and not volume["next"]:
            del self.volumes[path[1]]
            return None
        if volume:
            status = volume["next"][0]
            if status in ("creating", "deleting"):
                volume["next"].pop(0)
            return {"volume": {"status": status}}
        return None


@pytest.fixture
def api() -> Iterator[FakeCinder]:
    """Cinder, well."""
    fake = FakeCinder()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST", "DELETE"):
            mock.add_callback(method, re.compile(re.escape(URL) + "/.*"), fake.answer)
        yield fake


def look() -> list[Check]:
    return list(cinder.checks(CLOUD, (NODE,), 0.0, lambda seconds: None))


def failures() -> list[Check]:
    return [check for check in look() if not check.ok]


def test_services_and_a_volume_are_checked(api: FakeCinder) -> None:
    assert [(check.name, check.node, check.ok) for check in look()] == [
        ("cinder-scheduler in Cinder", "controller", True),
        ("cinder-volume in Cinder", "controller", True),
        ("cinder-backup in Cinder", "controller", True),
        ("volume", "controller", True),
        ("deletion of the volume", "controller", True),
    ]
    assert api.volumes == {}


def test_a_cloud_without_cinder_has_no_checks() -> None:
    assert cinder.checks(Cloud("t0ken", ()), (NODE,), 0.0) == ()


@pytest.mark.parametrize(
    ("change", "cause", "remedy"),
    [
        ({"state": "down"}, "Cinder lists controller@ceph as down, enabled", ""),
        (
            {"status": "disabled"},
            "Cinder lists controller@ceph as up, disabled",
            "enable it with `openstack --os-cloud stackcook volume service set --enable "
            "controller@ceph cinder-volume`",
        ),
        ({"host": "other@ceph"}, "Cinder does not list it", ""),
    ],
)
def test_a_service_that_is_not_up_is_a_failure(
    api: FakeCinder, change: dict[str, str], cause: str, remedy: str
) -> None:
    api.services[1] |= change
    (check,) = failures()
    assert (check.name, check.unit, check.cause) == (
        "cinder-volume in Cinder",
        "cinder-volume",
        cause,
    )


def test_a_volume_that_cannot_be_created_is_one_failure_and_is_deleted(api: FakeCinder) -> None:
    api.created = ["creating", "error"]
    (check,) = failures()
    assert (check.name, check.unit) == ("volume", "cinder-volume")
    assert check.cause == "Cinder did not create a volume within 60 s (status: error)"
    assert api.volumes == {}


def test_a_volume_that_cannot_be_deleted_is_a_failure(api: FakeCinder) -> None:
    api.deleting = ["deleting", "error_deleting"]
    (check,) = failures()
    assert check.name == "deletion of the volume"
    assert check.cause == "Cinder has not deleted volume new within 60 s (status: error_deleting)"


def test_only_what_a_killed_run_has_left_is_deleted_too(api: FakeCinder) -> None:
    names = {"left": f"{cinder.PREFIX}1", "running": f"{cinder.PREFIX}2", "mine": "data"}
    for id, name in names.items():
        age = ago(2 if id == "running" else 60)
        api.volumes[id] = {"id": id, "name": name, "created_at": age, "next": ["available"]}
    assert failures() == []
    assert set(api.volumes) == {"running", "mine"}
