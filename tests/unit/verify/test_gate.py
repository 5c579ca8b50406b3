"""Between stages: nothing goes on until what the next stage needs answers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stackcook.command import Completed
from stackcook.errors import ExitCode, VerifyError
from stackcook.manifest.model import Manifest
from stackcook.verify import gate
from stackcook.verify.gate import Credentials

BACKENDS = {"placement-api": {"ports": [8778]}, "rabbitmq-server": {}, "mariadb": {}}


@pytest.fixture
def ask(
    manifest: Manifest,
    chef: Any,
    ssh: Any,
    apis: Any,
    credentials: Credentials,
) -> Any:
    """Ask once whether the controller answers; the queue and the database do."""
    chef.nodes["controller"]["default"]["openstack"]["services"] |= BACKENDS
    return lambda patience=0.0: gate.answers(
        manifest, chef, ssh.hosts, credentials, patience=patience, opener=ssh
    )


def test_a_working_controller_opens_the_gate(ask: Any) -> None:
    ask()


def test_the_one_that_does_not_answer_is_named_with_its_log(ask: Any, apis: Any, ssh: Any) -> None:
    apis.instead("GET", "http://10.0.116.10:8778/", status=500)
    ssh.nodes["controller"].logs[
        "placement-api"
    ] = "\n2026-11-22 20:51:03.2 8 ERROR placement [-] (1045, \"Access denied for user 'p'\")\n"
    with pytest.raises(VerifyError) as caught:
        ask()
    assert caught.value.exit_code is ExitCode.VERIFY
    text = str(caught.value)
    assert "Placement on controller: http://10.0.116.10:8778/ returned 500" in text
    assert "the database rejects the service's password" in text
    assert "journalctl -u placement-api" in text
    assert "Keystone on" not in text


def test_a_queue_that_refuses_is_named(ask: Any, ssh: Any) -> None:
    why = "the message queue rejects user openstack"
    ssh.nodes["controller"].backends["queue"] = Completed(1, f"{why}\n")
    with pytest.raises(VerifyError, match=f"message queue on controller: {why}"):
        ask()


def test_the_queue_and_the_database_are_asked_on_their_node(ask: Any, ssh: Any) -> None:
    ask()
    asked = ssh.nodes["controller"].asked_backends
    assert asked == [("queue 10.0.116.10 5672 /", "queue-pass"), ("database 10.0.116.10 3306", "")]


def test_a_member_of_the_database_cluster_that_is_not_synced_is_named(
    ask: Any, chef: Any, ssh: Any
) -> None:
    services = chef.nodes["controller"]["default"]["openstack"]["services"]
    services["openstack-galera"] = {"ports": [9200]}
    why = "http://10.0.116.10:9200/ returned 503: not in a primary component"
    ssh.nodes["controller"].backends["http"] = Completed(1, f"{why}\n")
    with pytest.raises(VerifyError, match=f"Galera on controller: {why}"):
        ask()
    assert ("http 10.0.116.10 9200 /", "") in ssh.nodes["controller"].asked_backends


def test_the_last_of_the_tries_counts(ask: Any, apis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    apis.instead("GET", "http://10.0.116.10:8778/", status=503)

    def heal(_: float) -> None:
        apis.instead("GET", "http://10.0.116.10:8778/", status=200, json={})

    monkeypatch.setattr(time, "sleep", heal)  # between two tries
    ask(patience=60.0)


def test_where_no_node_records_openstack_the_gate_is_open(ask: Any, chef: Any) -> None:
    for node in chef.nodes.values():
        node["default"] = {}
    ask()
