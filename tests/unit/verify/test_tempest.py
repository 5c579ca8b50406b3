"""Tempest: the choice of tests, what results mean, tempest.conf, and that all is removed."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import responses

from stackcook.command import Completed
from stackcook.errors import NodeError, UsageError, VerifyError
from stackcook.remote.base import Host
from stackcook.verify.gate import Credentials
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import Placed, Service
from stackcook.verify.tempest import culprits, ground, guideline, known, results, selection
from stackcook.verify.tempest import settings
from stackcook.verify.tempest import run as tempest
from stackcook.verify.tempest.guideline import Verdict
from stackcook.verify.tempest.results import FAILED, NOT_RUN, PASSED, SKIPPED, Outcome
from stackcook.verify.tempest.run import Deployment, Request
from stackcook.verify.tempest.settings import Features, Resources
from tests.fakecloud import FakeCloud

LISTING = """\
INFO: something that is no test
tempest.api.compute.test_versions.TestVersions.test_list[id-a1,smoke]
tempest.api.compute.test_servers.ServersTest.test_create[id-b2]
tempest.api.compute.test_servers.ServersManualTest.test_create[id-b2]
tempest.api.network.admin.test_routers.RoutersAdminTest.test_gateway[id-c3,network]
tempest.api.network.test_ports.PortsTest.test_update[id-d4,network,smoke]
tempest.api.network.test_ports.PortsIpV6Test.test_update[id-d4,network,smoke]
heat_tempest_plugin.tests.api.test_heat_api.stacks_list.test_request(stacks)[id-e5]
"""
TESTS = selection.listed(LISTING)
BY_NAME = {test.name.partition("test_")[2]: test for test in TESTS}

GUIDELINE = {
    "metadata": {"id": "2026.01"},
    "platforms": {
        "OpenStack Powered Platform": {"components": [{"name": "compute"}, {"name": "storage"}]},
        "OpenStack Powered Compute": {"components": [{"name": "compute"}]},
    },
    "components": {
        "compute": {"capabilities": {"required": ["versions", "servers", "routers", "flagged"]}},
        "storage": {"capabilities": {"required": ["objects"], "advisory": ["versions"]}},
    },
    "capabilities": {
        "versions": {
            "project": "nova",
            "tests": {
                "tempest.api.compute.test_versions.TestVersions.test_list": {
                    "idempotent_id": "id-a1"
                }
            },
        },
        "servers": {
            "project": "nova",
            "tests": {
                "tempest.api.old.ServersTest.test_create": {
                    "idempotent_id": "id-b2",
                    "aliases": ["tempest.api.compute.test_servers.ServersTest.test_create"],
                }
            },
        },
        "routers": {
            "project": "neutron",
            "tests": {
                "tempest.api.network.test_routers.RoutersTest.test_gateway": {
                    "idempotent_id": "id-c3"
                },
                "tempest.api.network.test_ports.OtherTest.test_update": {
                    "idempotent_id": "id-d4",
                    "flagged": {"reason": "slow"},
                },
            },
        },
        "flagged": {
            "project": "nova",
            "tests": {"tempest.gone": {"idempotent_id": "id-ff", "flagged": True}},
        },
        "objects": {
            "project": "swift",
            "tests": {"tempest.api.object.test_get": {"idempotent_id": "id-99"}},
        },
    },
}


def line(name: str, status: str, reason: str = "", traceback: str = "", at: float = 100.0) -> str:
    said = {"id": name, "status": status, "began": at, "ended": at + 2}
    return json.dumps({**said, "reason": reason, "tracebacks": [traceback] if traceback else []})


def outcome(*lines: str, tests: tuple[selection.Listed, ...] = TESTS) -> Outcome:
    found = Outcome(tests)
    for each in lines:
        result = results.read(each)
        assert result, each
        found.take(result)
    return found


def test_the_listing_is_read_with_ids_and_tags() -> None:
    assert len(TESTS) == 7
    assert TESTS[0].id == "a1"
    assert TESTS[0].owner == "tempest.api.compute.test_versions.TestVersions"
    assert TESTS[0].tags == {"id-a1", "smoke"}


def test_smoke_is_a_tag_and_anything_else_a_regular_expression() -> None:
    assert [test.id for test in selection.chosen(TESTS, "smoke")] == ["a1", "d4", "d4"]
    assert [test.id for test in selection.chosen(TESTS, r"Servers\w*Test\.test_cr")] == ["b2", "b2"]


@pytest.mark.parametrize(
    ("what", "error"), [("(", "not a valid regular expression"), ("xyz", "none that matches 'xyz'")]
)
def test_what_matches_nothing_is_an_error(what: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        selection.chosen(TESTS, what)


def test_a_guideline_chooses_by_id_and_then_by_name() -> None:
    read = guideline.parse(GUIDELINE)
    assert [c.title for c in read.components] == ["storage", "OpenStack Powered Compute"]
    found = guideline.match(read.tests(), TESTS)
    assert {id: test.name for id, test in found.items()} == {
        "a1": "tempest.api.compute.test_versions.TestVersions.test_list",
        # by the alias; the class ServersManualTest has the same ID
        "b2": "tempest.api.compute.test_servers.ServersTest.test_create",
        # it has moved
        "c3": "tempest.api.network.admin.test_routers.RoutersAdminTest.test_gateway",
        # it has moved, and PortsIpV6Test inherits it
        "d4": "tempest.api.network.test_ports.PortsTest.test_update",
    }


def test_a_guideline_of_orchestration_has_addons_and_ids_without_prefix() -> None:
    stacks = {
        "project": "heat",
        "tests": {
            "heat_tempest_plugin.tests.api.test_heat_api.stacks_list.test_request": {
                "idempotent_id": "e5"
            }
        },
    }
    read = guideline.parse(
        {
            "metadata": {"id": "orchestration.2026.01"},
            "add-ons": {"Orchestration": {"components": [{"name": "heat"}]}},
            "components": {"heat": {"capabilities": {"required": ["stacks"]}}},
            "capabilities": {"stacks": stacks},
        }
    )
    assert read.components[0].title == "Orchestration"
    assert [test.id for test in guideline.match(read.tests(), TESTS).values()] == ["e5"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": {"id": "x"}, "components": []}'])
def test_a_file_that_is_no_guideline_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guideline.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not an interoperability guideline"):
        guideline.load(path)


def verdicts(*lines: str) -> dict[str, Verdict]:
    read = guideline.parse(GUIDELINE)
    matched = guideline.match(read.tests(), TESTS)
    found = outcome(*lines)
    return {
        verdict.capability.name: verdict
        for component in read.components
        for verdict in guideline.judged(component, matched, found)
    }


def test_a_capability_needs_all_tests_that_are_not_flagged() -> None:
    found = verdicts(
        line(TESTS[0].line, "success"),
        line(TESTS[1].line, "skip", "no room"),
        line(TESTS[2].line, "success"),
        line(TESTS[3].line, "success"),
        line(TESTS[4].line, "skip", "no ports"),
    )
    said = {name: (verdict.status, verdict.why) for name, verdict in found.items()}
    gone = "this Tempest no longer has the test"
    assert said == {
        "objects": (NOT_RUN, gone),
        "versions": (PASSED, ""),
        "servers": (SKIPPED, "no room"),
        "routers": (PASSED, "flagged tests did not pass: no ports"),
        "flagged": (NOT_RUN, f"{gone} (its tests are flagged in the guideline)"),
    }


def test_the_score_counts_capabilities_that_passed() -> None:
    read = guideline.parse(GUIDELINE)
    matched = guideline.match(read.tests(), TESTS)
    found = outcome(line(TESTS[0].line, "success"), line(TESTS[1].line, "fail"))
    judged = guideline.judged(read.components[1], matched, found)
    assert [verdict.status for verdict in judged] == [PASSED, FAILED, NOT_RUN, NOT_RUN]
    assert guideline.score(read.components[1], judged) == "OpenStack Powered Compute: 1 of 4"


@pytest.mark.parametrize("text", ["", "Timed out", '{"id": 5}', '{"id": "x", "status": "exists"}'])
def test_other_lines_are_no_results(text: str) -> None:
    assert results.read(text) is None


TRACEBACK = """\
Traceback (most recent call last):
  File "test_servers.py", line 5, in test_create
    self.fail()
tempest.lib.exceptions.Conflict: Conflict with state of target resource
Details: {'type': 'SubnetInUse'}
"""


def test_a_failure_says_the_exception_with_its_details() -> None:
    found = results.read(line(TESTS[1].line, "fail", traceback=TRACEBACK))
    assert found
    assert found.name == TESTS[1].name
    assert found.why == (
        "tempest.lib.exceptions.Conflict: Conflict with state of target resource "
        "Details: {'type': 'SubnetInUse'}"
    )
    assert found.seconds == 2


def test_a_test_that_did_not_end_has_failed() -> None:
    found = results.read(line(TESTS[1].line, "inprogress"))
    assert found and found.status == FAILED and "did not end" in found.why


def test_a_class_that_is_skipped_or_fails_stands_for_its_tests() -> None:
    skipped = f"setUpClass ({TESTS[1].owner})"
    torn = f"tearDownClass ({TESTS[0].owner})"
    found = outcome(
        line(skipped, "skip", "Cinder support is required"),
        line(TESTS[0].line, "success"),
        line(torn, "fail", traceback=TRACEBACK),
        tests=TESTS[:3],
    )
    assert found.done == 2
    assert [(result.name, result.status) for result in found.all()] == [
        (TESTS[0].name, PASSED),
        (TESTS[1].name, SKIPPED),
        (TESTS[2].name, NOT_RUN),
        (torn, FAILED),
    ]
    assert found.all()[1].why == "Cinder support is required"


def test_the_time_left_follows_from_the_speed() -> None:
    assert results.left(2, 100, 60) is None
    assert results.left(10, 40, 60) == 180
    found = outcome(*(line(test.line, "success") for test in TESTS[:4]))
    assert tempest.progress(found, 7, 240) == "4 of 7 tests, about 3 min left"


FEATURES = Features(
    auth_url="http://10.0.116.10:5000/v3",
    services=frozenset({"compute", "identity", "image", "network", "placement"}),
    compute_nodes=2,
    microversions={"compute": ("2.1", "2.100"), "placement": ("1.0", "1.39")},
    extensions=("router", "security-group"),
    external=("net-1", "public"),
    dashboard="http://10.0.116.10/",
)
RESOURCES = Resources("image-1", "image-2", "flavor-1", "flavor-2", "root")


def conf(
    features: Features = FEATURES, resources: Resources = RESOURCES, demo: str = ""
) -> ConfigParser:
    credentials = Credentials("pa$$word%", "queue", demo=demo)
    found = ConfigParser(interpolation=None)
    found.read_string(settings.config(features, resources, credentials))
    return found


def test_tempest_accepts_the_ca_of_the_cloud() -> None:
    assert "ca_certificates_file" not in conf()["identity"]
    features = replace(FEATURES, services=FEATURES.services | {"orchestration"})
    found = ConfigParser(interpolation=None)
    credentials = Credentials("admin", "queue", ca=Path("/here/ca.crt"))
    found.read_string(settings.config(features, RESOURCES, credentials))
    # of the node that Tempest runs on
    assert found["identity"]["ca_certificates_file"] == "/etc/openstack/ca.pem"
    assert found["heat_plugin"]["ca_file"] == "/etc/openstack/ca.pem"


def test_what_the_cloud_has_not_is_switched_off() -> None:
    found = conf()
    available = dict(found["service_available"])
    assert {name for name, value in available.items() if value == "true"} >= {"nova", "neutron"}
    assert available["cinder"] == available["swift"] == available["heat"] == "false"
    assert not {"volume", "object-storage", "heat_plugin"} & set(found.sections())
    assert found["compute"]["max_microversion"] == "2.100"
    assert found["compute"]["min_compute_nodes"] == "2"
    assert found["network-feature-enabled"]["api_extensions"] == "router,security-group"
    assert found["validation"]["run_validation"] == "true"
    assert found["dashboard"]["dashboard_url"] == "http://10.0.116.10/"
    assert available["horizon"] == "true"
    without = conf(replace(FEATURES, dashboard=""))
    assert without["service_available"]["horizon"] == "false"
    assert found["auth"]["admin_password"] == "pa$$$$word%"  # oslo.config reads $$ as $


def test_with_more_services_their_sections_are_there() -> None:
    features = replace(
        FEATURES,
        services=FEATURES.services | {"volumev3", "object-store", "orchestration"},
        microversions={"volume": ("3.0", "3.71")},
        backup=True,
        roles=frozenset({"member", "ResellerAdmin"}),
        object_storage={"swift": {}, "slo": {}, "bulk_upload": {}},
    )
    found = conf(features)
    assert found["service_available"]["cinder"] == "true"
    assert found["volume"]["max_microversion"] == "3.71"
    assert found["volume-feature-enabled"]["backup"] == "true"
    assert found["object-storage"]["operator_role"] == "member"
    assert found["object-storage"]["reseller_admin_role"] == "ResellerAdmin"
    assert found["object-storage-feature-enabled"]["discoverable_apis"] == "bulk_upload,slo"
    heat = found["heat_plugin"]
    assert heat["minimal_image_ref"] == "image-1"
    assert (heat["username"], heat["password"]) == ("admin", "pa$$$$word%")
    heat = conf(features, demo="d")["heat_plugin"]
    assert (heat["username"], heat["password"], heat["fixed_network_name"]) == ("demo", "d", "demo")
    assert heat["admin_password"] == "pa$$$$word%"


ANSWERS: dict[str, Any] = {
    "/networks?router:external=true": {"networks": [{"id": "n", "name": "public"}]},
    "/subnets?network_id=n&ip_version=4": {"subnets": [{"cidr": "10.100.1.0/24"}]},
    "/extensions": {"extensions": [{"alias": "router"}, {"alias": "dns"}]},
    "/roles": {"roles": [{"name": "member"}]},
    "/v2.1/": {"version": {"version": "2.100", "min_version": "2.1"}},
    ":8778/": {"versions": [{"max_version": "1.39", "min_version": "1.0"}]},
    "/v3/": {"versions": [{"version": "3.71", "min_version": "3.0"}]},
    "/os-services?binary=cinder-backup": {"services": [{"state": "up"}]},
    "/info": {"swift": {}, "slo": {}},
}


class Api:
    """What stands for the APIs of a cloud with everything; ``upload`` is Glance's answer."""

    def __init__(self, upload: int) -> None:
        self.status = upload
        self.deleted: list[str] = []

    def answer(self, url: str) -> tuple[int, str]:
        path = next((path for path in ANSWERS if url.endswith(path)), "")
        assert path, url
        return 200, json.dumps(ANSWERS[path])

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        if request.method == "POST":
            return 201, {}, json.dumps({"id": "probe"})
        if request.method == "PUT":
            return self.status, {}, ""
        if request.method == "DELETE":
            self.deleted.append(request.url)
            return 204, {}, ""
        status, body = self.answer(request.url.replace("%3A", ":"))
        return status, {}, body


@pytest.mark.parametrize(("upload", "formats"), [(415, True), (204, False)])
def test_the_apis_say_what_the_cloud_has(upload: int, formats: bool) -> None:
    urls = {
        "identity": "http://c:5000/v3",
        "compute": "http://c:8774/v2.1",
        "placement": "http://c:8778",
        "network": "http://c:9696",
        "image": "http://c:9292",
        "volumev3": "http://c:8776/v3/0a1b",
        "object-store": "http://c:8080/v1/AUTH_0a1b",
    }
    client = Cloud("t0ken", tuple(Endpoint(name, "public", url) for name, url in urls.items()))
    api = Api(upload)
    with responses.RequestsMock() as mock:
        for method in ("GET", "POST", "PUT", "DELETE"):
            mock.add_callback(method, re.compile("http://c:.*"), api)
        found = settings.discover(client, "http://c:5000/v3", NODES, resize=True)
    assert found == Features(
        auth_url="http://c:5000/v3",
        services=frozenset(urls),
        compute_nodes=1,
        microversions={
            "compute": ("2.1", "2.100"),
            "placement": ("1.0", "1.39"),
            "volume": ("3.0", "3.71"),
        },
        extensions=["dns", "router"],
        external=("n", "public"),
        network="172.30.0.0/16",
        roles=frozenset({"member"}),
        resize=True,
        backup=True,
        formats=formats,
        object_storage={"swift": {}, "slo": {}},
    )
    assert api.deleted == ["http://c:9292/v2/images/probe"]


@pytest.mark.parametrize(
    ("features", "resources"),
    [(replace(FEATURES, external=("", "")), RESOURCES), (FEATURES, replace(RESOURCES, user=""))],
)
def test_without_floating_ips_or_a_login_no_instance_is_logged_in_to(
    features: Features, resources: Resources
) -> None:
    assert conf(features, resources)["validation"]["run_validation"] == "false"


def test_the_projects_network_overlaps_nothing() -> None:
    assert str(settings.free_network([], ["controller"])) == "10.100.0.0/16"
    taken = settings.free_network(["10.100.7.0/24"], ["172.30.0.5", "2001:db8::1"])
    assert str(taken) == "192.168.0.0/16"


def test_the_test_image_or_the_smallest_is_used() -> None:
    large = {"id": "l", "name": "large", "size": 9, "container_format": "bare"}
    small = {**large, "id": "s", "name": "small", "size": 3, "os_admin_user": "debian"}
    public = [{**image, "visibility": "public"} for image in (large, small)]
    ours = {**public[0], "id": "t", "name": "test"}
    kernel = {**public[1], "id": "k", "size": 1, "container_format": "aki"}
    assert ground.chosen_image([*public, kernel])["id"] == "s"
    assert ground.chosen_image([*public, ours])["id"] == "t"
    assert [ground.login(image) for image in (*public, ours)] == ["", "debian", "root"]
    with pytest.raises(VerifyError, match="needs a public image"):
        ground.chosen_image([kernel, large])


@pytest.mark.parametrize(
    ("cpus", "memory", "instances", "workers"),
    [(4, 9000, 99, 4), (4, 1100, 99, 2), (4, 9000, 6, 2), (4, 100, 0, 1)],
)
def test_workers_fit_into_the_memory(cpus: int, memory: int, instances: int, workers: int) -> None:
    assert tempest.how_many(cpus, memory, instances) == workers


NODES = (
    Placed("controller", "10.0.116.10", services=(Service("keystone"), Service("neutron-api"))),
    Placed("compute1", "10.0.116.11", services=(Service("nova-compute", logs=("/n.log",)),)),
)
CREDENTIALS = Credentials("adm1n-pass", "queue-pass", ("adm1n-pass",))
HOSTS = {
    name: Host(name, "192.0.2.1", "root", (Path("/key"),)) for name in ("controller", "compute1")
}


class Node:
    """A node on which Tempest is installed and run: the script's calls, and its answers."""

    def __init__(self, output: dict[str, str]) -> None:
        self.calls: list[str] = []
        self.files: dict[str, str] = {}
        self.output = {"list": LISTING, "subunit": b64encode(gzip.compress(b"v2")).decode()}
        self.output |= output
        self.during: Callable[[], None] = lambda: None

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Any:
        return self

    def become(self) -> None:
        return None

    def run(self, command: str, *, stdin: str = "", on_line: Any = None, **_: Any) -> Completed:
        assert "adm1n-pass" not in command
        if "nproc" in command:
            return Completed(0, "2\n4000\n")
        if "journalctl" in command:
            return Completed(0, self.output.get("log", "") if "nova-compute" in command else "")
        if "cat >" in command:
            self.files[command.partition("cat >")[2].split("/")[-1].split("'")[0]] = stdin
            return Completed(0, "")
        verb = command.partition("tempest.sh ")[2].split()[0]
        self.calls.append(verb)
        answer = self.output.get(verb, "")
        if verb == "run":
            for each in answer.splitlines():
                on_line(each)
            self.during()
        failed = answer.startswith("FAIL")
        return Completed(int(failed), "" if failed else answer, answer if failed else "")

    def close(self) -> None:
        """There is nothing to close."""

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A cloud whose features are known, so that only what is created and removed counts."""
    cloud = FakeCloud()

    def created(client: Cloud) -> Resources:
        flavor = {"name": "stackcook-verify-x-1"}
        client.post("compute", "/flavors", {"flavor": flavor})
        return RESOURCES

    prepared = tempest.settings.config(FEATURES, RESOURCES, CREDENTIALS)
    monkeypatch.setattr(tempest, "sign_in", lambda *_, **__: cloud.client)

    def ready(deployment: Any, client: Cloud, node: Placed) -> Any:
        created(client)
        return tempest.Prepared(prepared, 30)

    monkeypatch.setattr(tempest, "prepare", ready)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        cloud.answer(mock)
        yield cloud


def verify(node: Any, state: Path, request: Request, shown: list[str] | None = None) -> Any:
    deployment = Deployment(NODES, HOSTS, state, state / "known_hosts", CREDENTIALS, node)
    lines = shown if shown is not None else []
    return tempest.run(deployment, request, lambda step, text: lines.append(f"{step}: {text}"))


SMOKE_OUTPUT = "\n".join(
    (
        line(TESTS[0].line, "success"),
        "a worker says something",
        line(TESTS[4].line, "fail", traceback="ValueError: adm1n-pass is wrong\n"),
        line(f"setUpClass ({TESTS[5].owner})", "skip", "no IPv6"),
    )
)


def test_a_run_keeps_its_results_and_removes_everything(cloud: FakeCloud, tmp_path: Path) -> None:
    node, shown = Node({"run": SMOKE_OUTPUT}), list[str]()
    report = verify(node, tmp_path / ".stackcook", Request("smoke"), shown)
    assert node.calls == ["prepare", "install", "list", "run", "subunit", "uninstall"]
    assert "admin_password = adm1n-pass" in node.files["tempest.conf"]
    assert node.files["tests.txt"].splitlines() == [TESTS[n].line for n in (0, 4, 5)]
    assert report.counts == {PASSED: 1, FAILED: 1, SKIPPED: 1, NOT_RUN: 0}
    assert not report.ok
    assert (report.directory / "tempest.subunit").read_bytes() == b"v2"
    assert (report.directory / "tempest.subunit").stat().st_mode & 0o777 == 0o600
    assert cloud.names() == set()
    assert "tempest: 3 of 3 tests, 1 failed" in shown[-2]
    assert "adm1n-pass" not in repr(report)


def test_results_that_arrive_damaged_are_a_note(cloud: FakeCloud, tmp_path: Path) -> None:
    report = verify(Node({"run": SMOKE_OUTPUT, "subunit": "abc"}), tmp_path, Request("smoke"))
    (note,) = report.notes
    assert note == "cannot read Tempest's results (Incorrect padding); run it again to keep them"
    assert report.counts[PASSED] == 1 and not report.ok


def test_a_failed_test_is_traced_to_a_services_log(cloud: FakeCloud, tmp_path: Path) -> None:
    log = "2026-11-28 10:00:00.1 77 ERROR nova.compute [req-1] libvirt refused: core limit\n"
    node = Node({"run": line(TESTS[1].line, "fail"), "log": log})
    report = verify(node, tmp_path, Request("ServersTest"))
    assert report.causes == {
        TESTS[1].name: "nova-compute on compute1: 10:00:00 libvirt refused: core limit"
    }


def test_a_test_that_is_known_to_fail_is_not_run(cloud: FakeCloud, tmp_path: Path) -> None:
    (name,) = known.KNOWN
    listing = f"{TESTS[0].line}\n{name}[id-1,smoke]\n"
    node = Node({"list": listing, "run": line(TESTS[0].line, "success")})
    report = verify(node, tmp_path, Request("smoke"))
    assert node.files["tests.txt"].splitlines() == [TESTS[0].line]
    assert report.ok and report.counts[SKIPPED] == 1
    assert "security fix" in report.results[1].why
    node = Node({"list": listing})
    assert not verify(node, tmp_path, Request("CredentialsTestJSON")).ok
    assert "run" not in node.calls


def test_packages_are_kept_if_asked(cloud: FakeCloud, tmp_path: Path) -> None:
    node = Node({"run": line(TESTS[0].line, "success")})
    assert verify(node, tmp_path, Request("TestVersions", keep=True)).ok
    assert node.calls[-1] == "remove"


def test_ctrl_c_removes_everything(cloud: FakeCloud, tmp_path: Path) -> None:
    node = Node({"run": SMOKE_OUTPUT})

    def interrupt() -> None:
        raise KeyboardInterrupt

    node.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        verify(node, tmp_path, Request("smoke"))
    assert node.calls[-1] == "uninstall"
    assert cloud.names() == set()


@pytest.mark.parametrize(
    ("verb", "remedy"),
    [
        ("install", "check that `stackcook ssh controller -- sudo apt-get update` succeeds"),
        ("list", "run `stackcook verify` to see which service fails"),
        (
            "run",
            "see why with `stackcook ssh controller -- "
            "sudo journalctl -n 50 -u stackcook-tempest`",
        ),
    ],
)
def test_if_tempest_cannot_run_all_is_removed(
    cloud: FakeCloud, tmp_path: Path, verb: str, remedy: str
) -> None:
    node = Node({verb: "FAIL: E: Unable to locate package tempest"})
    failed = f"{verb}` on controller failed: .*Unable to locate"
    with pytest.raises(VerifyError, match=failed) as raised:
        verify(node, tmp_path, Request("smoke"))
    assert raised.value.remedy == remedy
    assert node.calls[-1] == "uninstall"
    assert cloud.names() == set()


def test_what_cannot_be_removed_is_said(cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.stuck = {"flavors"}
    node = Node({"run": line(TESTS[0].line, "success"), "uninstall": "FAIL: dpkg: error"})
    report = verify(node, tmp_path, Request("TestVersions"))
    assert not report.ok
    assert "Tempest was not removed from controller" in report.notes[0]
    assert "flavor stackcook-verify-x-1 was not removed" in report.notes[1]


def test_a_guideline_is_run_and_judged(cloud: FakeCloud, tmp_path: Path) -> None:
    node = Node({"run": "\n".join(line(TESTS[n].line, "success") for n in (0, 1, 3, 4))})
    report = verify(node, tmp_path, Request(guideline=guideline.parse(GUIDELINE)))
    assert node.files["tests.txt"].splitlines() == [TESTS[n].line for n in (0, 1, 3, 4)]
    assert report.ok and report.what == "2026.01"
    component, judged = report.judged[-1]
    assert guideline.score(component, judged) == "OpenStack Powered Compute: 3 of 4"


def test_without_keystone_there_is_nothing_to_run(tmp_path: Path) -> None:
    deployment = Deployment((), {}, tmp_path, tmp_path / "hosts", CREDENTIALS, Node({}))
    with pytest.raises(VerifyError, match="no node runs Keystone"):
        tempest.run(deployment, Request("smoke"), lambda step, text: None)


def test_a_node_that_is_lost_is_named_and_its_rest_noted(cloud: FakeCloud, tmp_path: Path) -> None:
    class Lost(Node):
        def run(self, command: str, **options: Any) -> Completed:
            if "tempest.sh run" in command or "tempest.sh uninstall" in command:
                raise NodeError("the SSH connection was lost", where="controller")
            return super().run(command, **options)

    with pytest.raises(NodeError, match="was lost"):
        verify(Lost({}), tmp_path, Request("smoke"))
    assert cloud.names() == set()


@pytest.mark.parametrize("ca", ["", "/etc/openstack/ca.pem"])
def test_horizon_s_test_gets_the_ca_too(ca: str, tmp_path: Path) -> None:
    """It has no option for it, and asks the TLS library's usual file."""
    programs, etc = tmp_path / "bin", tmp_path / "workspace" / "etc"
    etc.mkdir(parents=True)
    programs.mkdir()
    (etc / "tempest.conf").write_text(f"[identity]\nca_certificates_file = {ca}\n" if ca else "")
    run_ = programs / "systemd-run"
    run_.write_text('#!/bin/sh\necho "$@"; echo done >tempest.subunit\n')
    run_.chmod(0o755)
    script = tmp_path / "tempest.sh"
    script.write_text(Path(tempest.__file__).with_name("tempest.sh").read_text())
    path = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", str(script), "run", "2"], env=path, capture_output=True, text=True, check=True
    )
    assert ("-E SSL_CERT_FILE=/etc/openstack/ca.pem " in done.stdout) is bool(ca)


def test_units_follow_from_the_tests_name() -> None:
    assert culprits.units("tempest.api.image.v2.test_images.X.test_y") == ("glance-",)
    assert culprits.units("tearDownClass (tempest.api.identity.X)") == ("keystone",)
    assert "nova-" in culprits.units("tempest.scenario.test_minimum.X.test_y")


def test_placement_says_how_many_instances_fit(cloud: FakeCloud) -> None:
    class Placement:
        def read(self, type_: str, path: str) -> Any:
            return {
                "/resource_providers": {"resource_providers": [{"uuid": "a"}, {"uuid": "shared"}]},
                "/resource_providers/a/inventories": {
                    "inventories": {
                        "MEMORY_MB": {"total": 2000, "reserved": 500, "allocation_ratio": 1.0}
                    }
                },
                "/resource_providers/a/usages": {"usages": {"MEMORY_MB": 300}},
                "/resource_providers/shared/inventories": {"inventories": {"DISK_GB": {}}},
            }[path]

    assert tempest.room(Placement(), 320) == 3  # type: ignore[arg-type]
