"""A running cloud changes to HTTPS by a deploy, gets a new certificate by another, goes back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from stackcook.certificates import DAY, Pair, end_of, issue
from stackcook.chef.objects import encryption
from stackcook.chef.objects.databags import generated_item, secret_file
from tests.acceptance.conftest import given_or_deployed
from tests.acceptance.test_allinone import one_node
from tests.labs import Lab

GAP = 30.0
"""Seconds that an API may be silent while the cloud changes."""

OLD = {"identity": 5000, "image": 9292, "placement": 8778, "compute": 8774, "network": 9696}
"""Where the APIs are without TLS."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A cloud on one node, without TLS."""
    yield from given_or_deployed("sctsecure", one_node)


def deploy(lab: Lab) -> Any:
    done = lab.stackcook("--json", "deploy", timeout=3600)
    assert done.status == 0, done.err
    return done


@contextmanager
def tls(lab: Lab) -> Iterator[None]:
    """The manifest has ``tls: public`` meanwhile."""
    before = lab.manifest.read_text()
    document = yaml.safe_load(before)
    document["stackcook"]["tls"] = "public"
    lab.manifest.write_text(yaml.safe_dump(document, sort_keys=False))
    try:
        yield
    finally:
        lab.manifest.write_text(before)


@contextmanager
def asked(urls: Mapping[str, str], verify: str | bool = True) -> Iterator[dict[str, float]]:
    """Name → the longest time in seconds without an answer from its URL, asked each second.

    ``verify`` is as for requests.
    """
    longest = dict.fromkeys(urls, 0.0)
    over = threading.Event()

    def ask(name: str, url: str) -> None:
        last = time.monotonic()
        while not over.wait(1.0):
            try:
                good = requests.get(url, timeout=5, verify=verify).status_code < 500
            except requests.RequestException:
                good = False
            now = time.monotonic()
            longest[name] = max(longest[name], now - last)
            last = now if good else last

    threads = [threading.Thread(target=ask, args=each) for each in urls.items()]
    for thread in threads:
        thread.start()
    try:
        yield longest
    finally:
        over.set()
        for thread in threads:
            thread.join()


def public_urls(lab: Lab) -> list[str]:
    return [row["URL"] for row in lab.openstack("endpoint", "list", "--interface", "public")]


def started(lab: Lab) -> str:
    """What changes if HAProxy is started again."""
    (node,) = lab.read().nodes
    return lab.on(node.name, "systemctl show --property=InvocationID --value haproxy").out.strip()


def test_a_running_cloud_changes_to_https_and_back(lab: Lab) -> None:
    address, ca = f"{lab.range}.10", lab.root / ".stackcook" / "tls" / "ca.crt"
    assert all(url.startswith("http://") for url in public_urls(lab))

    with tls(lab):
        with asked({name: f"http://{address}:{port}/" for name, port in OLD.items()}) as longest:
            deploy(lab)
        assert {name: gap for name, gap in longest.items() if gap > GAP} == {}

        urls = public_urls(lab)
        assert len(urls) >= len(OLD) and all(url.startswith("https://") for url in urls)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(urls[0], timeout=10)  # without our CA
        for url in (f"{urlsplit(each).scheme}://{urlsplit(each).netloc}/" for each in urls):
            links = requests.get(url, timeout=10, verify=str(ca)).text
            assert f"http://{address}" not in links

        horizon = requests.get(f"http://{address}/horizon/", timeout=60, verify=str(ca))
        assert horizon.url.startswith(f"https://{address}/horizon/") and horizon.status_code == 200
        assert "max-age" in horizon.headers["Strict-Transport-Security"]
        assert all(cookie.secure for cookie in horizon.cookies)

        again = deploy(lab)
        assert set(again.updated.values()) == {0}
        renewed_without_a_restart(lab, address, ca)

    deploy(lab)
    assert all(url.startswith("http://") for url in public_urls(lab))
    with pytest.raises(OSError):
        end_of(address, 13000, ca, timeout=5)


def renewed_without_a_restart(lab: Lab, address: str, ca: Path) -> None:
    """Let the node's certificate be an old one; a deploy replaces it, connections go on."""
    manifest, now = lab.read(), time.time()
    (node,) = manifest.nodes
    authority = Pair(ca.read_text(), ca.with_name("ca.key").read_text())
    old = issue(authority, (node.name, address), now - 350 * DAY)
    secret = encryption.read_secret(secret_file(manifest))
    file = generated_item(manifest, "certificates", node.name)
    item = {**encryption.decrypt(json.loads(file.read_text()), secret)}
    item |= {"certificate": old.certificate, "key": old.key}
    file.write_text(json.dumps(encryption.encrypt(item, secret)))

    before = started(lab)
    with asked({"identity": f"https://{address}:13000/v3"}, verify=str(ca)) as longest:
        deploy(lab)
    assert longest["identity"] < 5 and started(lab) == before
    assert end_of(address, 13000, ca, timeout=5) > now + 300 * DAY
    verified = lab.stackcook("verify", timeout=600)
    assert verified.status == 0 and "TLS: the certificates are valid for 36" in verified.out
