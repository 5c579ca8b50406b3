"""Removing a compute node: what is deleted from the cloud, and which messages name what is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from stackcook.errors import VerifyError
from stackcook.verify import member as members
from stackcook.verify.contents import Contents, contents
from stackcook.verify.member import Instance, Member
from stackcook.verify.openstack import Cloud, Endpoint, survey

AT = "http://10.0.116.10"
TYPES = ("compute", "placement", "network", "image", "block-storage")
NAMES = frozenset({"compute2", "compute2.lab"})
SERVICES, AGENTS, SERVERS = "os-services", "v2.0/agents", "servers"
PROVIDERS, ALLOCATIONS = "resource_providers", "allocations"


class Apis:
    """All APIs of a cloud: ``things`` by path, each with its ID.

    As in Nova, a provider goes with its service, unless it has allocations.
    """

    def __init__(self) -> None:
        self.things: dict[str, dict[str, dict[str, Any]]] = {
            SERVICES: {
                "s-0": {"id": "s-0", "host": "controller", "binary": "nova-scheduler"},
                "s-1": {"id": "s-1", "host": "compute1", "binary": "nova-compute"},
                "s-2": {"id": "s-2", "host": "compute2", "binary": "nova-compute"},
            },
            AGENTS: {
                f"a-{n}": {"id": f"a-{n}", "host": f"compute{n}.lab", "agent_type": "OVN"}
                for n in (1, 2)
            },
            PROVIDERS: {f"p-{n}": {"uuid": f"p-{n}", "name": f"compute{n}.lab"} for n in (1, 2)},
            ALLOCATIONS: {},
            SERVERS: {},
            "os-hypervisors": {},
            "v2/images": {},
            "volumes": {},
        }

    def add_server(self, id: str, host: str, status: str = "ACTIVE") -> None:
        made = {"id": id, "name": id, "status": status, "OS-EXT-SRV-ATTR:host": host}
        self.things[SERVERS][id] = made

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urlsplit(request.url)
        path, query = url.path.strip("/"), {k: v[0] for k, v in parse_qs(url.query).items()}
        if path.endswith("/allocations"):
            provider = path.split("/")[1]
            held = self.things[ALLOCATIONS].items()
            found = {each: {} for each, where in held if provider in where}
            return self._said({"allocations": found}, provider in self.things[PROVIDERS])
        kind, _, id = path.rpartition("/")
        if path in self.things or id == "detail":
            return self._listed(path.removesuffix("/detail"), query)
        there = id in self.things[kind]
        if request.method == "DELETE" and there:
            return self._delete(kind, id)
        if request.method == "PUT" and there:
            self.things[kind][id] |= json.loads(request.body)
        return self._said({"allocations": self.things[kind].get(id)}, there)

    def _listed(self, kind: str, query: dict[str, str]) -> tuple[int, dict[str, str], str]:
        found = list(self.things.get(kind, {}).values())
        if "host" in query:
            found = [each for each in found if each["OS-EXT-SRV-ATTR:host"] == query["host"]]
        if "marker" in query:
            found = found[[each["id"] for each in found].index(query["marker"]) + 1 :]
        found = found[: int(query.get("limit", 1000))]
        key = kind.rpartition("/")[2].removeprefix("os-")
        return self._said({key: found}, True)

    def _delete(self, kind: str, id: str) -> tuple[int, dict[str, str], str]:
        used = any(id in where for where in self.things[ALLOCATIONS].values())
        if kind == PROVIDERS and used:
            return 409, {}, json.dumps({"errors": [{"detail": "it has allocations"}]})
        if kind == SERVICES:
            host = self.things[kind][id]["host"]
            if any(each["OS-EXT-SRV-ATTR:host"] == host for each in self.things[SERVERS].values()):
                return 409, {}, json.dumps({"conflict": {"message": "it hosts instances"}})
            self._delete(PROVIDERS, id.replace("s-", "p-"))
        self.things[kind].pop(id, None)
        return 204, {}, ""

    @staticmethod
    def _said(body: dict[str, Any], there: bool) -> tuple[int, dict[str, str], str]:
        return (200, {}, json.dumps(body)) if there else (404, {}, '{"errors": []}')

    def left(self) -> set[str]:
        """The IDs of all that is there."""
        return {id for kind in self.things.values() for id in kind}


@pytest.fixture
def apis() -> Iterator[Apis]:
    made = Apis()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "PUT", "DELETE"):
            mock.add_callback(method, re.compile(f"{AT}/.*"), made.answer)
        yield made


@pytest.fixture
def cloud(apis: Apis) -> Cloud:
    return Cloud("t0ken", tuple(Endpoint(each, "public", AT) for each in TYPES))


def find(cloud: Cloud) -> Member:
    return members.find(cloud, survey(cloud), NAMES)


def test_what_the_cloud_has_of_a_node(cloud: Cloud, apis: Apis) -> None:
    apis.add_server("web", "compute2", "SHUTOFF")
    apis.add_server("db", "compute1")
    apis.things[SERVICES]["s-9"] = {"id": "s-9", "host": "compute2", "binary": "nova-conductor"}
    found = find(cloud)
    assert found.hosts == ("compute2", "compute2.lab") and found.computes == ("compute2",)
    assert (found.services, found.agents, found.providers) == (("s-2",), ("a-2",), ("p-2",))
    assert found.instances == (Instance("web", "web", "SHUTOFF"),)
    assert found.others == ("nova-conductor",) and not found.last
    del apis.things[SERVICES]["s-1"]
    assert find(cloud).last


def test_nothing_of_the_node_is_left_and_all_of_the_others(cloud: Cloud, apis: Apis) -> None:
    before = apis.left()
    found = find(cloud)
    members.disable(cloud, found)
    assert apis.things[SERVICES]["s-2"]["status"] == "disabled"
    members.leave_nova(cloud, found)
    members.leave_neutron(cloud, found)
    assert before - apis.left() == {"s-2", "p-2", "a-2"}
    assert find(cloud) == Member()
    members.leave_nova(cloud, found)  # a second try
    members.leave_neutron(cloud, found)


def test_a_provider_that_nova_has_left_goes_too(cloud: Cloud, apis: Apis) -> None:
    apis.things[ALLOCATIONS] = {"gone": {"p-2": {}}, "web": {"p-1": {}}}
    members.leave_nova(cloud, find(cloud))
    assert not apis.left() & {"p-2", "gone"} and "web" in apis.left()


def test_an_instance_that_is_in_use_elsewhere_keeps_its_allocations(
    cloud: Cloud, apis: Apis
) -> None:
    apis.things[ALLOCATIONS] = {"web": {"p-1": {}, "p-2": {}}}
    with pytest.raises(VerifyError, match="still has allocations .*: web on provider p-2"):
        members.leave_nova(cloud, find(cloud))
    assert {"web", "p-2"} <= apis.left()


def test_nova_says_why_it_keeps_a_service(cloud: Cloud, apis: Apis) -> None:
    found = find(cloud)
    apis.add_server("web", "compute2")  # a moment ago
    with pytest.raises(VerifyError, match="409.*: it hosts instances"):
        members.leave_nova(cloud, found)


def test_instances_are_deleted(cloud: Cloud, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    apis.add_server("web", "compute2")
    apis.add_server("db", "compute1")
    members.delete_instances(cloud, find(cloud))
    assert list(apis.things[SERVERS]) == ["db"]
    apis.add_server("stuck", "compute2")
    monkeypatch.setattr(apis, "_delete", lambda *_: (204, {}, ""))
    monkeypatch.setattr(members, "GONE", 0.0)
    with pytest.raises(VerifyError, match="Nova has not deleted stuck") as caught:
        members.delete_instances(replace(cloud, os_cloud="ci-42"), find(cloud))
    delete = "openstack --os-cloud ci-42 server delete --force"
    assert caught.value.remedy == f"delete them with `{delete}`"


SCHEDULER = """\
#!/bin/sh
# nova-manage, as far as the script calls it. The host is in its cell while `mapping` exists, and
# its record has the mark while `mapped` does. The scheduler looks `races` times in between.
cd "$(dirname "$0")"
scheduler() { test -e mapping || touch mapping mapped; }
case "$*" in
  *list_hosts) test ! -e mapping || echo '| cell1 | 5a1b | compute2 |' ;;
  *'delete_host --cell_uuid 5a1b --host compute2')
    rm mapping mapped
    if [ "$(cat races)" -gt 0 ]; then echo $(($(cat races) - 1)) >races; scheduler; fi ;;
  *'discover_hosts --by-service --verbose')
    echo 'Found 2 cell mappings.'
    if [ ! -e mapping ]; then touch mapping; echo 'Creating host mapping for service compute2'; fi
    scheduler ;;
  *) echo "unknown: $*"; exit 1 ;;
esac
"""


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("races, status", [(0, 0), (2, 0), (3, 1)])
def test_the_scheduler_can_not_mark_the_node_again(
    tmp_path: Path, mapped: bool, races: int, status: int
) -> None:
    nova = tmp_path / "runuser"
    nova.write_text(SCHEDULER)
    nova.chmod(0o755)
    (tmp_path / "races").write_text(str(races))
    for name in ("mapping", "mapped") if mapped else ():
        (tmp_path / name).touch()
    script = members.cell_script(Member(("compute2",), ("s-2",), ("compute2",)))
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, timeout=60
    )
    if not mapped and races:
        status = 0  # nothing was deleted, so there was no moment for the scheduler
    assert done.returncode == status, done.stdout + done.stderr
    assert (tmp_path / "mapped").exists() == bool(status)
    assert ("Nova maps compute2 to its cell again and again" in done.stdout) == bool(status)


def test_a_chassis_has_the_short_name() -> None:
    script = members.southbound_script(Member(("compute2.lab",)))
    assert "chassis-del compute2\n" in script and "chassis-del compute2.lab\n" in script


def test_what_users_would_lose(cloud: Cloud, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackcook.verify.contents.PAGE", 2)
    for number in range(1, 6):
        apis.add_server(f"web{number}", "compute1", "ACTIVE" if number < 5 else "SHUTOFF")
    apis.things["volumes"] = {"v-1": {"id": "v-1", "name": ""}}
    apis.things["v2/images"] = {"i-1": {"id": "i-1", "name": "test"}}
    found = contents(cloud)
    assert found.instances == tuple(f"web{n} on compute1" for n in range(1, 5))
    assert (found.volumes, found.images) == (("v-1",), ("test",))
    without_cinder = Cloud("t0ken", cloud.catalog[:-1])
    assert contents(without_cinder).volumes == ()


def test_a_long_list_is_cut_short() -> None:
    many = tuple(f"v{number}" for number in range(22))
    _, volumes, images = Contents(volumes=many).lines()
    assert volumes.endswith("v19 and 2 more") and images == "images: none"
