"""The smoke check over a cloud of fakes: what is well, and what a failure says."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stackcook.errors import VerifyError
from stackcook.manifest.model import Manifest
from stackcook.verify.check import Check, Report
from stackcook.verify import outside, smoke
from stackcook.verify.gate import Credentials
from stackcook.verify.instance.proof import Proof
from stackcook.verify.placing import METADATA, placed
from stackcook.verify.smoke import verify
from tests.unit.verify.conftest import ACTIVE


@pytest.fixture
def look(manifest: Manifest, chef: Any, ssh: Any, apis: Any, credentials: Credentials) -> Any:
    """Verify the cloud as the test has left it."""

    def look(patience: float = 0.0, **options: Any) -> Report:
        nodes = placed(manifest, chef)
        return verify(
            manifest, nodes, ssh.hosts, credentials, patience=patience, opener=ssh, **options
        )

    return look


def failure(report: Report) -> Check:
    assert [str(check) for check in report.failures[1:]] == []
    return report.failures[0]


def test_a_working_cloud_passes(look: Any, ssh: Any) -> None:
    report = look()
    assert [str(check) for check in report.failures] == []
    assert report.ok
    names = {(check.name, check.node) for check in report.checks}
    assert {
        ("Keystone's token", "controller"),
        ("endpoint compute http://10.0.116.10:8774/v2.1", "controller"),
        ("Horizon's login", "controller"),
        ("nova-scheduler", "controller"),
        ("nova-compute in Nova", "compute1"),
        ("OVN controller agent", "compute1"),
        ("OVN metadata agent", "compute1"),
    } <= names
    assert [node.logins for node in ssh.nodes.values()] == [1, 1]


def test_a_stopped_service_is_named_with_its_node_and_log(look: Any, ssh: Any) -> None:
    node = ssh.nodes["controller"]
    node.stop("nova-scheduler")
    node.logs["nova-scheduler"] = (
        "ActiveEnterTimestamp=Sun 2026-11-22 20:51:01 UTC\n"
        "2026-11-22 20:40:00.000 7 ERROR nova.x [-] an error of an earlier run\n"
        "2026-11-22 21:03:59.123 7 ERROR oslo.messaging [-] Can't reach rabbit://u:n0va-db@mq\n"
    )
    check = failure(look())
    assert (check.name, check.node, check.unit) == (
        "nova-scheduler",
        "controller",
        "nova-scheduler",
    )
    assert "inactive since 2026-11-22 21:04:05" in check.cause
    assert "the message queue cannot be reached" in check.cause
    assert "21:03:59 Can't reach rabbit://u:****@mq" in check.cause
    assert "earlier run" not in check.cause
    assert "stackcook ssh controller -- sudo journalctl -u nova-scheduler -n 50" in check.remedy


def test_an_open_internal_port_is_a_failure(
    look: Any, chef: Any, ssh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = {"openstack-firewall": {}, "memcached": {"internal_ports": [11211]}}
    chef.nodes["controller"]["default"]["openstack"]["services"] |= services
    ssh.nodes["controller"].units |= {unit: dict(ACTIVE) for unit in services}
    monkeypatch.setattr(outside, "listening", lambda places, _: set(places))
    assert "can connect to port 11211 (memcached)" in failure(look()).cause
    monkeypatch.setattr(outside, "listening", lambda places, _: set())
    assert ("internal ports", True) in {(check.name, check.ok) for check in look().checks}


def test_a_deaf_service_is_a_failure(look: Any, ssh: Any) -> None:
    ssh.nodes["controller"].ports.discard(80)
    assert "nothing listens on port 80" in failure(look()).cause


def test_an_unreachable_node_is_one_failure(look: Any, ssh: Any) -> None:
    del ssh.nodes["compute1"]
    check = failure(look())
    assert (check.name, check.node, check.remedy) == ("SSH", "compute1", "turn it on")


def test_a_node_that_never_converged_is_told_so(look: Any, chef: Any) -> None:
    chef.nodes["compute1"] = {"name": "compute1"}
    check = failure(look())
    assert check.node == "compute1"
    assert check.remedy == "run `stackcook converge compute1`"


def test_a_node_unknown_to_the_chef_server_is_told_so(look: Any, chef: Any) -> None:
    del chef.nodes["compute1"]
    assert failure(look()).remedy == "run `stackcook converge compute1`"


def test_a_dead_agent_is_a_failure(look: Any, apis: Any) -> None:
    apis.agents[0] |= {"alive": False, "heartbeat_timestamp": "2026-11-22 20:00:00"}
    check = failure(look())
    assert (check.name, check.node) == ("OVN controller agent", "compute1")
    assert "dead (last report: 2026-11-22 20:00:00)" in check.cause


def test_a_compute_node_unknown_to_nova_is_a_failure(look: Any, apis: Any) -> None:
    del apis.services[0]
    assert "is not in Nova yet" in failure(look()).cause


def test_a_compute_node_in_no_cell_is_added_on_the_controller(
    look: Any, chef: Any, ssh: Any, apis: Any
) -> None:
    services = chef.nodes["controller"]["default"]["openstack"]["services"]
    services["nova-conductor"] = {}
    ssh.nodes["controller"].units["nova-conductor"] = dict(ACTIVE)
    apis.services.append(
        {"host": "controller", "binary": "nova-conductor", "state": "up", "status": "enabled"}
    )
    apis.instead("GET", "http://10.0.116.10:8774/v2.1/os-hypervisors", json={"hypervisors": []})
    check = failure(look())
    assert check.cause.startswith("nova-compute is up, but its host is not in a cell yet")
    assert check.remedy == (
        "add it with `stackcook ssh controller -- "
        "sudo -u nova nova-manage cell_v2 discover_hosts --by-service`"
    )


def test_a_failure_of_no_node_points_to_the_logs(look: Any, apis: Any) -> None:
    apis.instead("GET", "http://10.0.116.10:8774/v2.1/os-services", status=500)
    check = failure(look())
    assert (check.name, check.node) == ("compute nodes in Nova and Neutron", "")
    assert check.remedy.startswith("run `stackcook verify --logs`")


def test_a_node_that_is_twice_in_neutron_is_a_failure(look: Any, apis: Any) -> None:
    apis.agents.append({**apis.agents[0], "id": "0ld", "alive": False})
    check = failure(look())
    assert (check.name, check.node) == ("OVN controller agent", "compute1")
    assert check.cause.startswith("this node is 2 times in OpenStack: ")
    assert "`openstack --os-cloud ci-42 network agent delete 0ld`" in check.remedy


def test_a_disabled_compute_node_is_enabled_in_the_cloud_of_that_name(look: Any, apis: Any) -> None:
    apis.services[0].update(status="disabled", disabled_reason="maintenance")
    enable = "openstack --os-cloud ci-42 compute service set --enable compute1 nova-compute"
    assert failure(look()).remedy == f"enable it with `{enable}`"


def test_two_nodes_with_one_host_name_are_a_failure(look: Any, chef: Any) -> None:
    chef.nodes["controller"]["automatic"]["hostname"] = "compute1"
    checks = look().failures
    assert {(check.name, check.node) for check in checks} == {
        ("its own host name", "controller"),
        ("its own host name", "compute1"),
    }
    assert checks[1].cause.startswith("node controller has the same host name, compute1")


def test_nodes_that_only_the_cloud_has_are_failures(look: Any, apis: Any) -> None:
    apis.services.append({"id": 7, "host": "compute9", "binary": "nova-compute", "state": "down"})
    gateway = {"id": "a-9", "host": "compute9.lab", "agent_type": "OVN Controller agent"}
    apis.agents.append({**gateway, "alive": False})
    check = failure(look())
    assert (check.name, check.node) == ("unknown compute node compute9", "")
    assert check.cause == (
        "it is not in the manifest, but the cloud has its nova-compute (down), OVN Controller "
        "agent (dead)"
    )
    assert check.remedy == "add it to the manifest, or run `stackcook node remove compute9`"


def test_nodes_of_the_manifest_that_are_left_out_are_known(look: Any, apis: Any) -> None:
    apis.services.append({"id": 7, "host": "compute9", "binary": "nova-compute", "state": "up"})
    assert look(known=["Compute9"]).ok


def test_the_proof_by_instance_is_part_of_the_report(
    look: Any, ssh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    broken = Check("instance: metadata", "compute1", False, "none", unit=METADATA)
    well = Check("instance: libvirt", "compute1", True)

    def prove(*arguments: Any, **options: Any) -> Proof:
        asked.append(options)
        return Proof((well, Check("instance: DHCP", "compute1", True), broken), ("a note",))

    monkeypatch.setattr(smoke, "prove", prove)
    ssh.nodes["compute1"].logs[METADATA] = "\nERROR: boom\n"
    assert look(instance=False).ok and asked == []
    report = look(instance=None)
    assert failure(report).cause == "none; last error in its log:  ERROR: boom"
    assert report.notes == ("a note",)
    assert [check.name for check in report.by_node()["compute1"]][-2:] == [
        "instance: libvirt",
        "instance: DHCP",
    ]
    look(patience=600.0, instance=True)
    assert [(each["required"], each["limit"]) for each in asked] == [(False, 180), (True, 600)]


def test_a_disabled_compute_node_says_why_and_how_to_enable_it(look: Any, apis: Any) -> None:
    apis.services[0] |= {"status": "disabled", "disabled_reason": "new disk"}
    check = failure(look())
    assert "new disk" in check.cause
    assert check.remedy.endswith("compute service set --enable compute1 nova-compute`")


def test_a_compute_node_that_nova_itself_disabled_is_not_to_be_enabled(
    look: Any, apis: Any
) -> None:
    reason = "AUTO: Connection to libvirt lost: 1"
    apis.services[0] |= {"status": "disabled", "disabled_reason": reason}
    check = failure(look())
    assert reason in check.cause
    assert (
        "stackcook ssh compute1 -- sudo tail -n 50 /var/log/nova/nova-compute.log" in check.remedy
    )


def test_an_endpoint_that_distrusts_tokens_is_a_failure(look: Any, apis: Any) -> None:
    apis.instead("GET", "http://10.0.116.10:9292/v2/images", status=401)
    check = failure(look())
    assert check.name == "endpoint image http://10.0.116.10:9292"
    assert "[keystone_authtoken] in the configuration of glance-api" in check.remedy


def test_a_broken_endpoint_says_its_status(look: Any, apis: Any) -> None:
    apis.instead("GET", "http://10.0.116.10:8778/", status=503)
    assert "http://10.0.116.10:8778/ returned 503" in failure(look()).cause


@pytest.mark.parametrize(
    "method, url",
    [
        ("POST", "http://10.0.116.10:5000/v3/auth/tokens"),
        ("GET", "http://10.0.116.10:8778/"),
        ("GET", "http://10.0.116.10/horizon/auth/login/"),
    ],
)
def test_what_still_comes_up_is_waited_for(
    look: Any, apis: Any, monkeypatch: pytest.MonkeyPatch, method: str, url: str
) -> None:
    """After a restore from a snapshot, nothing has waited for the services of the controller."""
    (works,) = (each for each in apis.mock.registered() if (each.method, each.url) == (method, url))
    apis.instead(method, url, status=503)
    assert look().failures
    monkeypatch.setattr(time, "sleep", lambda _: apis.mock.replace(works))  # between two looks
    assert look(patience=600.0).failures == ()


def test_without_a_token_only_keystone_and_the_nodes_are_told_of(look: Any, apis: Any) -> None:
    apis.instead("POST", "http://10.0.116.10:5000/v3/auth/tokens", status=500)
    report = look()
    assert failure(report).name == "Keystone's token"
    assert not any("endpoint" in check.name for check in report.checks)


def test_a_login_that_horizon_refuses_while_it_starts_is_tried_again(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def refuse_once(url: str, *_: Any) -> None:
        tried.append(url)
        if len(tried) == 1:
            raise VerifyError("Horizon rejects the login")

    monkeypatch.setattr("stackcook.verify.horizon.sign_in", refuse_once)
    assert look(patience=30.0).ok and len(tried) == 2


def test_a_refused_login_says_what_horizon_says(look: Any, apis: Any) -> None:
    url = "http://10.0.116.10/horizon/auth/login/"
    apis.instead("POST", url, body='<p class="alert-danger">Invalid <b>credentials.</b></p>')
    check = failure(look())
    assert check.name == "Horizon's login"
    assert check.cause == "Horizon rejects the login: Invalid credentials."


def test_no_password_is_in_the_report(
    look: Any, apis: Any, ssh: Any, credentials: Credentials
) -> None:
    for unit in ("keystone", "nova-scheduler", "apache2"):
        ssh.nodes["controller"].stop(unit)
        secrets = " ".join(credentials.secrets)
        ssh.nodes["controller"].logs[unit] = f"\nERROR: wrong {secrets}\n"
    text = str(look().data())
    assert not [secret for secret in credentials.secrets if secret in text]


def test_nothing_but_machines_is_looked_at_without_openstack(look: Any, chef: Any) -> None:
    for node in chef.nodes.values():
        node["default"] = {}
    report = look()
    assert report.ok
    assert {check.name for check in report.checks} == {"SSH"}


def test_the_report_has_the_cloud_first_and_failures_before_the_rest(look: Any, ssh: Any) -> None:
    ssh.nodes["compute1"].stop("nova-compute")
    groups = look().by_node()
    assert list(groups) == ["", "controller", "compute1"]
    assert groups["compute1"][0].name == "nova-compute"


def test_a_wrong_password_is_told(look: Any, apis: Any) -> None:
    apis.instead("POST", "http://10.0.116.10:5000/v3/auth/tokens", status=401, json={})
    assert failure(look()).cause == "Keystone rejects the password of user admin"


def test_a_cloud_without_keystone_is_a_failure(look: Any, chef: Any) -> None:
    del chef.nodes["controller"]["default"]["openstack"]["services"]["keystone"]
    check = failure(look())
    assert (check.name, check.cause) == ("Keystone", "no node runs Keystone")


def test_apis_that_can_not_be_asked_for_agents_are_one_failure(look: Any, apis: Any) -> None:
    said = {"forbidden": {"message": "Policy doesn't allow it", "code": 403}}
    apis.instead("GET", "http://10.0.116.10:9696/v2.0/agents", status=403, json=said)
    cause = failure(look()).cause
    assert cause.startswith("http://10.0.116.10:9696/v2.0/agents returned 403")
    assert cause.endswith("Policy doesn't allow it")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"status": 500}, "login page http://10.0.116.10/horizon/auth/login/ returned 500"),
        ({"body": "It works!"}, "without Horizon's login form"),
        (
            {"status": 302, "headers": {"Location": "http://192.0.2.1/"}},
            "redirects to another host",
        ),
        ({"status": 302, "headers": {"Location": ""}}, "too many redirects"),
    ],
)
def test_what_is_no_login_page_is_told(look: Any, apis: Any, answer: Any, cause: str) -> None:
    apis.instead("GET", "http://10.0.116.10/horizon/auth/login/", **answer)
    check = failure(look())
    assert check.name == "Horizon's login page"
    assert cause in check.cause


def test_a_name_that_horizon_does_not_know_is_to_be_added(look: Any, apis: Any) -> None:
    apis.instead("GET", "http://10.0.116.10/horizon/auth/login/", status=400)
    check = failure(look())
    assert check.cause.startswith("Horizon does not accept the host name 10.0.116.10: http://")
    assert check.remedy == (
        "add it to the attribute openstack.dashboard.allowed_hosts, and run `stackcook converge`"
    )


def test_a_node_whose_answer_can_not_be_read_is_told(look: Any, ssh: Any) -> None:
    ssh.nodes["compute1"].units.clear()
    check = failure(look())
    assert (check.name, check.node) == ("services", "compute1")
    assert "cannot read the state of its services" in check.cause


def test_a_full_disk_is_named(look: Any, ssh: Any) -> None:
    ssh.nodes["controller"].free = 1 << 10
    check = failure(look())
    assert (check.name, check.node) == ("disk space", "controller")
    assert check.cause == "the disk is full: / has 1 MiB free, but services need 64 MiB"
    assert "stackcook ssh controller -- sudo du " in check.remedy


def test_a_full_disk_that_only_root_sees_is_named(look: Any, ssh: Any) -> None:
    ssh.nodes["controller"].free_of_database = 0
    check = failure(look())
    assert check.cause.startswith("the disk is full: /var/lib/mysql/x has 0 MiB free")


@pytest.mark.parametrize(("ahead", "words"), [(3600.0, "ahead of"), (-60.0, "behind")])
def test_a_wrong_clock_is_named(look: Any, ssh: Any, ahead: float, words: str) -> None:
    ssh.nodes["compute1"].ahead = ahead
    check = failure(look())
    assert (check.name, check.node) == ("clock", "compute1")
    assert f" s {words} this machine's, but may differ by only 30 s" in check.cause


def test_a_southbound_database_out_of_reach_is_named(look: Any, ssh: Any) -> None:
    ssh.nodes["compute1"].southbound = "not connected"
    check = failure(look())
    assert (check.name, check.node, check.unit) == (
        "OVN southbound connection",
        "compute1",
        "ovn-controller",
    )
    assert 'database at "tcp:10.0.116.10:6642" (not connected)' in check.cause


def test_warnings_of_sudo_are_not_taken_for_answers(look: Any, ssh: Any) -> None:
    for node in ssh.nodes.values():
        node.warning = "sudo: unable to resolve host compute1: Name or service not known\n"
    assert look().ok


def test_a_scheduler_that_does_not_report_to_nova_is_a_failure(look: Any, apis: Any) -> None:
    apis.services[1] |= {"state": "down", "updated_at": "2026-11-22T20:00:00"}
    check = failure(look())
    assert (check.name, check.node) == ("nova-scheduler in Nova", "controller")
    assert check.cause == "Nova lists it as down (last report: 2026-11-22T20:00:00)"


def test_logs_are_read_if_asked_for(look: Any, ssh: Any) -> None:
    group = ["restart", "nova-scheduler", "Failed with result 'signal', n0va-db", 60.0, 2]
    known = ["critical", "/var/log/libvirt/libvirtd.log", "no dmidecode", 9.0, 4]
    ssh.nodes["controller"].scanned["groups"] = [group, known]
    assert look().ok
    report = look(logs_since=30.0)
    check = failure(report)
    assert (check.name, check.node) == ("restart in the log of nova-scheduler", "controller")
    assert check.cause == (
        "Failed with result 'signal', **** "
        "(2 times on controller, first at 1970-01-01 00:01:00 UTC)"
    )
    assert report.notes == ("2,000 lines of logs read; 4 known messages left out",)
    assert ("logs", "compute1", True) in {(c.name, c.node, c.ok) for c in report.checks}


def test_logs_of_a_node_that_can_not_be_reached_are_not_well(look: Any, ssh: Any) -> None:
    del ssh.nodes["compute1"]
    report = look(logs_since=30.0)
    assert failure(report).name == "SSH"
    assert [check.node for check in report.checks if check.name == "logs"] == ["controller"]


def test_a_service_whose_password_is_rejected_is_named(look: Any, ssh: Any) -> None:
    node, line = ssh.nodes["compute1"], "2026-11-22 21:09:59.9 7 ERROR x [-] (403) ACCESS_REFUSED"
    node.rejected = f"nova-compute {line}\n"
    node.logs["nova-compute"] = f"ActiveState=active\nNow=2026-11-22 21:10:00\n{line}\n"
    check = failure(look())
    assert (check.name, check.node) == ("nova-compute", "compute1")
    assert check.cause.startswith(
        "a password in its configuration is rejected; the message queue rejects the service's "
        "password; last error in its log:  21:09:59"
    )
