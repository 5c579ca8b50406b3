"""The certificates of the nodes, as encrypted data bag items, and the CA that signs them.

The CA's key is only in ``.stackcook/tls`` on this machine. Instead, the manifest may name a
certificate of the user's for public endpoints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackcook.certificates import Pair, due, issue, new_authority, rejected
from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects import encryption
from stackcook.chef.objects.attributes import values_set
from stackcook.chef.objects.databags import (
    INTERNAL_CERTIFICATES,
    certificate_bags,
    ensure_passwords,
    generated_item,
    secret_file,
    write_item,
)
from stackcook.chef.objects.runlist import recipes_of
from stackcook.errors import Finding, InputError
from stackcook.files import write_private
from stackcook.manifest.model import Manifest, Node, Tls

PUBLIC = frozenset(
    f"openstack-{service}::controller"
    for service in ("identity", "image", "placement", "compute", "network", "dashboard")
)
"""The recipes of every cloud that have public endpoints."""

LOCAL = ("127.0.0.1", "localhost")
"""More names that internal certificates have: services listen there behind HAProxy."""

_DNS_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}")


def public_hosts(documents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The hosts of public endpoints that the attributes of roles and environments set."""
    found: set[str] = set()
    for document in documents:
        for endpoints in values_set(document, "openstack.endpoints.public"):
            for service in endpoints.values() if isinstance(endpoints, Mapping) else ():
                host = service.get("host") if isinstance(service, Mapping) else None
                found.update([host] if isinstance(host, str) else ())
    return frozenset(found)


def ensure_certificates(manifest: Manifest, hosts: Collection[str], now: float) -> tuple[str, ...]:
    """Make the certificates of all nodes that are missing or due; the nodes that got a new one.

    ``hosts`` are names that every public certificate has besides those of its node. Raises
    InputError if a file of the user's cannot be read, or if the key of the CA is lost.
    """
    if manifest.tls is None:
        return ()
    secret = encryption.read_secret(ensure_passwords(manifest))
    changed: dict[str, None] = {}
    for bag in certificate_bags(manifest):
        internal = bag == INTERNAL_CERTIFICATES
        own = not internal and manifest.tls.certificate
        authority = None if own else _authority(manifest, now)
        for node in manifest.nodes:
            names = _names_in(bag, manifest, node, hosts)
            file = generated_item(manifest, bag, node.name)
            old = _read(file, secret)
            if authority is None:
                pair, ca = _own(manifest.tls)
            else:
                ca = authority.certificate
                pair = Pair(old.get("certificate", ""), old.get("key", ""))
                if due(pair.certificate, ca, names, now):
                    pair = issue(authority, names, now, client=node.name if internal else "")
            new = {"id": node.name, "certificate": pair.certificate, "key": pair.key, "ca": ca}
            if new != old:
                write_item(file, new, secret)
                changed[node.name] = None
    return tuple(changed)


def due_soon(manifest: Manifest, hosts: Collection[str], now: float) -> Mapping[str, str]:
    """Node → why :func:`ensure_certificates` would replace a certificate that it has.

    Changes nothing; those that the user provides are not renewed.
    """
    key, ca = secret_file(manifest), manifest.state / "tls" / "ca.crt"
    if manifest.tls is None or not key.exists() or not ca.exists():
        return {}
    secret, authority = encryption.read_secret(key), ca.read_text()
    found: dict[str, str] = {}
    for bag in certificate_bags(manifest):
        if manifest.tls.certificate and bag != INTERNAL_CERTIFICATES:
            continue
        for node in manifest.nodes:
            old = _read(generated_item(manifest, bag, node.name), secret)
            names = _names_in(bag, manifest, node, hosts)
            if old and (why := due(old.get("certificate", ""), authority, names, now)):
                found.setdefault(node.name, why)
    return found


def check_own(
    manifest: Manifest,
    roles: Mapping[str, Mapping[str, Any]],
    environments: Mapping[str, Mapping[str, Any]],
    findings: Findings,
) -> None:
    """Add a finding if clients would reject the user's certificate for one of the public hosts.

    These are the ones that attributes set; without any, the virtual addresses, or those of the
    nodes with the APIs.
    """
    tls = manifest.tls
    if tls is None or tls.certificate is None or tls.key is None:
        return
    if not all(file.is_file() for file in (tls.certificate, tls.key)):
        return  # a finding already
    hosts = public_hosts((*roles.values(), *environments.values()))
    for host in sorted(hosts or _addresses(manifest, roles)):
        if why := rejected(tls.certificate, tls.key, tls.ca, host):
            what = f"stackcook: tls: clients would reject {tls.certificate.name} for {host}: {why}"
            remedy = "name a certificate for it and its key, and in `ca` the CA that signed it"
            findings.error(manifest.path, tls.at, what, remedy)
            return


def _addresses(manifest: Manifest, roles: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for node in manifest.nodes:
        recipes = recipes_of(node.run_list, node.environment, roles)
        address = manifest.zone(manifest.zone_of(node)).virtual_address or node.address
        if address and PUBLIC.intersection(recipes):
            yield str(address)


def _names(manifest: Manifest, node: Node) -> set[str]:
    """The node's names and address, and the virtual address of its cloud."""
    virtual = manifest.zone(manifest.zone_of(node)).virtual_address
    names = {name for name in (node.name, node.host) if _DNS_NAME.fullmatch(name)}
    return names | {str(address) for address in (node.address, virtual) if address}


def _names_in(bag: str, manifest: Manifest, node: Node, hosts: Collection[str]) -> set[str]:
    """The names that a node's certificate in that data bag needs."""
    return _names(manifest, node).union(LOCAL if bag == INTERNAL_CERTIFICATES else hosts)


def _authority(manifest: Manifest, now: float) -> Pair:
    """The deployment's CA; made if there is none."""
    directory = manifest.state / "tls"
    certificate, key = directory / "ca.crt", directory / "ca.key"
    if not certificate.exists():
        made = new_authority(f"stackcook CA of {manifest.name}", now)
        write_private(key, made.key)
        write_private(certificate, made.certificate)  # last: with it, the CA is complete
        return made
    try:
        return Pair(certificate.read_text(), key.read_text())
    except OSError as error:
        what = f"the key of the CA cannot be read ({error.strerror})"
        remedy = f"restore it; or remove {certificate} for a new CA, which clients do not know yet"
        if manifest.tls and manifest.tls.internal:
            remedy = (
                "restore it; docs/tls.md says why nodes cannot change to a new CA without a gap"
            )
        raise InputError([Finding(key, None, what, remedy)]) from error


def _own(tls: Tls) -> tuple[Pair, str]:
    """The user's certificate with its key, and the CAs for it."""
    assert tls.certificate and tls.key
    try:
        ca = tls.ca.read_text() if tls.ca else ""
        return Pair(tls.certificate.read_text(), tls.key.read_text()), ca
    except (OSError, UnicodeDecodeError) as error:
        file = Path(getattr(error, "filename", None) or tls.certificate)
        finding = Finding(file, None, "the file cannot be read", "correct `stackcook: tls`")
        raise InputError([finding]) from error


def _read(file: Path, secret: str) -> Mapping[str, str]:
    """The item in a file; empty if it is not there or cannot be read, as it is made anew then."""
    try:
        return encryption.decrypt(json.loads(file.read_text()), secret)
    except (OSError, ValueError, AttributeError):
        return {}
