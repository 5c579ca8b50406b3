"""The certificates of the nodes, in data bags."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from cryptography import x509

from stackcook.certificates import DAY, issue, new_authority
from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects import databags, encryption
from stackcook.chef.objects.certificates import (
    check_own,
    due_soon,
    ensure_certificates,
    public_hosts,
)
from stackcook.errors import InputError, Position
from stackcook.manifest.model import Manifest, Node, Tls, VirtualAddress
from stackcook.redact import Redactor
from stackcook.report.secrets import known_secrets

AT = Position(4, 8)
NOW = time.time()
ROLES = {"controller": {"run_list": ["recipe[openstack-identity::controller]"]}}


@pytest.fixture
def manifest(make: Any) -> Manifest:
    made: Manifest = make({})
    nodes = (
        Node("controller", AT, ("role[controller]",), address=IPv4Address("10.0.116.10")),
        Node("compute1", AT, address=IPv4Address("10.0.116.11")),
    )
    return replace(made, nodes=nodes, tls=Tls(AT))


def items(manifest: Manifest, name: str = "certificates") -> Mapping[str, Mapping[str, Any]]:
    """What would be uploaded, decrypted."""
    secret = encryption.read_secret(databags.secret_file(manifest))
    (bag,) = (b for b in databags.read_data_bags(manifest, Findings()) if b.name == name)
    assert bag.generated and not bag.fixed
    assert all(encryption.is_encrypted(item) for item in bag.items.values())
    return {name: encryption.decrypt(item, secret) for name, item in bag.items.items()}


def test_each_node_gets_a_certificate_once(manifest: Manifest) -> None:
    assert ensure_certificates(manifest, (), NOW) == ("controller", "compute1")
    before = items(manifest)
    assert ensure_certificates(manifest, (), NOW + 300 * DAY) == ()
    assert items(manifest) == before
    assert before["controller"]["certificate"] != before["compute1"]["certificate"]
    assert before["controller"]["ca"] == (manifest.state / "tls" / "ca.crt").read_text()


def test_without_tls_there_are_none(manifest: Manifest) -> None:
    plain = replace(manifest, tls=None)
    assert ensure_certificates(plain, (), NOW) == ()
    assert databags.read_data_bags(plain, Findings()) == () and not plain.state.exists()


def test_which_are_due_is_told_before(manifest: Manifest) -> None:
    assert due_soon(manifest, (), NOW) == {}
    assert not manifest.state.exists()
    ensure_certificates(manifest, (), NOW)
    assert due_soon(manifest, (), NOW + 300 * DAY) == {}
    why = "it ends in 24 days"
    assert due_soon(manifest, (), NOW + 340 * DAY) == {"controller": why, "compute1": why}
    assert due_soon(manifest, ("cloud",), NOW)["compute1"] == "its names are others"
    assert due_soon(replace(manifest, tls=None), (), NOW) == {}


def test_they_are_renewed_in_time_and_for_new_names(manifest: Manifest) -> None:
    ensure_certificates(manifest, (), NOW)
    assert len(ensure_certificates(manifest, (), NOW + 340 * DAY)) == 2
    moved = replace(manifest.nodes[0], address=IPv4Address("10.0.116.20"))
    changed = replace(manifest, nodes=(moved, manifest.nodes[1]))
    assert ensure_certificates(changed, (), NOW + 340 * DAY) == ("controller",)
    assert len(ensure_certificates(changed, ("cloud.example.com",), NOW + 340 * DAY)) == 2


def subject_names(certificate: str) -> set[str]:
    found = x509.load_pem_x509_certificate(certificate.encode()).extensions
    listed = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in listed}


def test_the_address_that_controllers_share_is_in_them(manifest: Manifest) -> None:
    shared = VirtualAddress(IPv4Address("10.0.116.9"), AT)
    ensure_certificates(replace(manifest, virtual_addresses=(shared,)), ("cloud",), NOW)
    assert subject_names(items(manifest)["controller"]["certificate"]) == {
        "controller",
        "10.0.116.10",
        "10.0.116.9",
        "cloud",
    }


def test_internal_certificates_are_of_our_ca_also_beside_the_users(own: Manifest) -> None:
    assert own.tls
    both = replace(own, tls=replace(own.tls, internal=True))
    assert ensure_certificates(both, ("cloud",), NOW) == ("controller", "compute1")
    assert ensure_certificates(both, ("cloud",), NOW + 300 * DAY) == ()
    assert ensure_certificates(both, ("cloud",), NOW + 340 * DAY) == ("controller", "compute1")
    item = items(both, "internal_certificates")["compute1"]
    assert item["ca"] == both.internal_ca.read_text() != items(both)["compute1"]["ca"]
    assert subject_names(item["certificate"]) == {
        "compute1",
        "10.0.116.11",
        "127.0.0.1",
        "localhost",
    }
    found = x509.load_pem_x509_certificate(item["certificate"].encode()).extensions
    uses = {use.dotted_string for use in found.get_extension_for_class(x509.ExtendedKeyUsage).value}
    assert uses == {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}, "a server, and a client"


def test_the_key_of_the_ca_stays_on_this_machine(manifest: Manifest) -> None:
    ensure_certificates(manifest, (), NOW)
    key = manifest.state / "tls" / "ca.key"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    lines = [line for line in key.read_text().splitlines() if "-----" not in line]
    assert lines and not [line for line in lines if line in json.dumps(items(manifest))]


def test_reports_mask_the_keys(manifest: Manifest) -> None:
    ensure_certificates(manifest, (), NOW)
    mask = Redactor(known_secrets(manifest.state, "", manifest))
    key = (manifest.state / "tls" / "ca.key").read_text()
    for text in (key, items(manifest)["compute1"]["key"]):
        line = text.splitlines()[1]
        assert line not in mask(f"the line {line} of a key")


def test_a_lost_key_of_the_ca_is_not_replaced(manifest: Manifest) -> None:
    ensure_certificates(manifest, (), NOW)
    (manifest.state / "tls" / "ca.key").unlink()
    with pytest.raises(InputError, match="the key of the CA cannot be read"):
        ensure_certificates(manifest, (), NOW)


def test_nobody_is_led_to_a_new_ca_that_nodes_would_not_trust(manifest: Manifest) -> None:
    internal = replace(manifest, tls=Tls(AT, internal=True))
    ensure_certificates(internal, (), NOW)
    (manifest.state / "tls" / "ca.key").unlink()
    with pytest.raises(InputError) as lost:
        ensure_certificates(internal, (), NOW)
    assert "restore it; docs/tls.md says" in str(lost.value) and "remove" not in str(lost.value)


def test_a_ca_that_was_half_made_is_made_anew(manifest: Manifest) -> None:
    (manifest.state / "tls").mkdir(parents=True)
    (manifest.state / "tls" / "ca.key").write_text("half")
    assert len(ensure_certificates(manifest, (), NOW)) == 2


def test_a_damaged_item_is_made_anew(manifest: Manifest) -> None:
    ensure_certificates(manifest, (), NOW)
    databags.generated_item(manifest, "certificates", "compute1").write_text("{")
    assert ensure_certificates(manifest, (), NOW) == ("compute1",)


def test_the_users_certificate_is_used_as_it_is(own: Manifest) -> None:
    assert own.tls and own.tls.certificate and own.tls.ca
    assert len(ensure_certificates(own, (), NOW)) == 2
    assert {item["certificate"] for item in items(own).values()} == {
        own.tls.certificate.read_text()
    }
    assert items(own)["controller"]["ca"] == own.tls.ca.read_text()
    assert not (own.state / "tls").exists()
    assert own.cacert == own.tls.ca


@pytest.fixture
def own(manifest: Manifest) -> Manifest:
    """The user's certificate is for the controller only."""
    ca = new_authority("CA", NOW)
    made = issue(ca, ("10.0.116.10",), NOW)
    texts = {"a.crt": made.certificate, "a.key": made.key, "ca.crt": ca.certificate}
    for name, text in texts.items():
        (manifest.root / name).write_text(text)
    certificate, key, ca_file = (manifest.root / name for name in texts)
    return replace(manifest, tls=Tls(AT, certificate, key, ca_file))


def test_it_has_to_be_for_the_address_of_the_controller(own: Manifest) -> None:
    findings = Findings()
    check_own(own, ROLES, {}, findings)
    assert findings.found == []


def test_it_has_to_be_for_the_public_hosts(own: Manifest) -> None:
    findings = Findings()
    hosts = {"endpoints": {"public": {"identity": {"host": "cloud.example.com"}}}}
    check_own(own, ROLES, {"lab": {"override_attributes": {"openstack": hosts}}}, findings)
    (finding,) = findings.found
    assert str(finding).endswith(
        ":4:8: error: stackcook: tls: clients would reject a.crt for cloud.example.com: Hostname "
        "mismatch, certificate is not valid for 'cloud.example.com'; name a certificate for it and "
        "its key, and in `ca` the CA that signed it"
    )


def test_public_hosts_are_those_of_attributes() -> None:
    attributes = {"openstack": {"endpoints": {"public": {"image": {"host": "a"}, "x": None}}}}
    assert public_hosts(
        [{"default_attributes": attributes}, {}, {"override_attributes": None}]
    ) == {"a"}
