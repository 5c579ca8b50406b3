"""Swift's checks against storage nodes and a proxy in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from stackcook.errors import VerifyError
from stackcook.verify import swift
from stackcook.verify.check import Check, Checks
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import Placed, Service

URL = "http://192.0.2.10:8080/v1/AUTH_p"
STORAGE = ("192.0.2.1", "192.0.2.2")
CLOUD = Cloud("t0ken", (Endpoint("object-store", "public", URL),))
NODES = (
    Placed("controller", "192.0.2.10", services=(Service(swift.PROXY, (8080,)),)),
    *(
        Placed(f"storage{at[-1]}", at, services=tuple(map(Service, swift.SERVERS)))
        for at in STORAGE
    ),
)


class Swift:
    """A proxy and the servers of two storage nodes; tests make some answer otherwise."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.mock = mock
        self.stored: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.damaged = False
        for method in ("GET", "PUT", "DELETE"):
            mock.add_callback(method, re.compile(re.escape(URL) + "/.*"), self._proxy)
        for address in STORAGE:
            for port in swift.SERVERS.values():
                mock.add("GET", f"http://{address}:{port}/healthcheck", body="OK")
            self.rings(address, object="a")

    def rings(self, address: str, **md5: str) -> None:
        """What a storage node answers about its rings."""
        answer = {f"/etc/swift/{name}.ring.gz": value for name, value in md5.items()}
        self.mock.upsert("GET", f"http://{address}:6200/recon/ringmd5", json=answer)

    def _proxy(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        assert request.headers["X-Auth-Token"] == "t0ken"
        path = request.url.removeprefix(URL)
        self.seen.append(f"{request.method} {path.count('/')}")
        if request.method == "PUT":
            assert path.count("/") == 1 or request.headers["X-Delete-After"] == "3600"
            self.stored[path] = request.body
            return 201, {}, b""
        if path not in self.stored:
            return 404, {}, b"not found"
        if request.method == "GET":
            return 200, {}, b"other" if self.damaged else self.stored[path]
        if any(other.startswith(f"{path}/") for other in self.stored):
            return 409, {}, b"not empty"
        del self.stored[path]
        return 204, {}, b""


@pytest.fixture
def fake() -> Iterator[Swift]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Swift(mock)


class Sessions:
    """Storage nodes on which the mock answers their own servers."""

    def ask(self, node: Placed, kind: str, port: int, path: str) -> str:
        assert kind == "http"
        url = f"http://{node.address}:{port}{path}"
        response = requests.get(url, timeout=1)
        if response.status_code != 200:
            raise VerifyError(f"{url} returned {response.status_code}")
        return response.text


def checked(nodes: tuple[Placed, ...] = NODES, cloud: Cloud = CLOUD) -> Checks:
    return swift.checks(cloud, nodes, Sessions())  # type: ignore[arg-type]


def failures() -> list[Check]:
    return [check for check in checked() if not check.ok]


def test_everything_is_well(fake: Swift) -> None:
    found = checked()
    assert all(check.ok for check in found)
    assert {(check.name, check.node) for check in found} == {
        *(
            (f"{unit}'s health", node)
            for unit in swift.SERVERS
            for node in ("storage1", "storage2")
        ),
        ("Swift's rings", ""),
        ("an object in Swift", "controller"),
    }
    assert fake.seen == ["PUT 1", "PUT 2", "GET 2", "DELETE 2", "DELETE 1"]
    assert not fake.stored


def test_without_swift_there_is_nothing_to_check(fake: Swift) -> None:
    assert checked((Placed("controller", "192.0.2.10"),)) == ()


def test_a_server_that_does_not_answer(fake: Swift) -> None:
    fake.mock.replace("GET", "http://192.0.2.2:6201/healthcheck", status=503)
    (check,) = failures()
    assert (check.name, check.node) == ("swift-container's health", "storage2")
    assert "http://192.0.2.2:6201/healthcheck returned 503" in check.cause


def test_rings_that_differ(fake: Swift) -> None:
    fake.rings(STORAGE[1], object="b", account="c")
    (check,) = failures()
    assert check.name == "Swift's rings"
    assert check.cause.endswith("different files /etc/swift/object.ring.gz: storage1 / storage2")


def test_a_node_without_rings_is_left_to_its_own_checks(fake: Swift) -> None:
    fake.mock.replace("GET", "http://192.0.2.2:6200/recon/ringmd5", status=500)
    assert failures() == []


def test_an_object_that_comes_back_as_another(fake: Swift) -> None:
    fake.damaged = True
    (check,) = failures()
    assert check.name == "an object in Swift"
    assert check.cause.endswith("is not what was stored there")
    assert not fake.stored


def test_objects_of_others_in_the_container_stay(fake: Swift) -> None:
    fake.stored["/stackcook-verify/other"] = b"x"
    assert failures() == []
    assert list(fake.stored) == ["/stackcook-verify/other", "/stackcook-verify"]


def test_a_cloud_whose_catalog_lacks_swift() -> None:
    found = checked(NODES[:1], Cloud("t0ken", ()))
    assert [check.cause for check in found] == [
        "Keystone's catalog has no public endpoint of type object-store"
    ]
