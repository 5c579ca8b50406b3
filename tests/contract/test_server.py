"""The embedded server keeps what it was given, whatever becomes of it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from stackcook.chef.objects import databags
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient, NotFound
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.server.process import Process
from stackcook.chef.sync.upload import upload
from stackcook.errors import ChefServerError
from stackcook.manifest.model import Manifest
from stackcook.operations.chefsite import ChefSite
from tests.contract.servers import free_port, wait

NODE = {"name": "one", "json_class": "Chef::Node", "chef_type": "node", "run_list": ["role[web]"]}


def fill(manifest: Manifest, embedded: EmbeddedServer) -> None:
    """Start, upload, register a node; then all of it is on disk."""
    databags.ensure_passwords(manifest)
    with ChefClient(embedded.start()) as client:
        upload(client, Repository.read(manifest))
        client.post("/nodes", NODE)
    embedded.settle()


def kill(embedded: EmbeddedServer) -> None:
    """End the server without a chance to save anything."""
    process = Process.load(embedded.state / "chef" / "server" / "pid")
    assert process and process.alive
    os.kill(process.pid, signal.SIGKILL)
    assert process.end(20)


def assert_whole(manifest: Manifest, embedded: EmbeddedServer) -> None:
    """Nothing is missing: objects, files, search, keys."""
    with ChefClient(embedded.start()) as client:
        assert not upload(client, Repository.read(manifest)).changed
        assert client.get("/nodes/one")["run_list"] == ["role[web]"]
        assert client.get("/search/node?q=name:one")["total"] == 1
        stored = client.get("/cookbooks/base/1.2.0")
        for file in (*stored["recipes"], *stored["files"], *stored["root_files"]):
            content = requests.get(file["url"], timeout=20).content
            assert hashlib.md5(content).hexdigest() == file["checksum"]


def test_survives_being_killed(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    for _ in range(3):
        kill(embedded)
        assert not embedded.status().running
        assert_whole(manifest, embedded)


def site_of(manifest: Manifest, server: EmbeddedServer) -> ChefSite:
    """The manifest's site, with this embedded server."""

    class Site(ChefSite):
        own_server = None

        @property
        def embedded(self) -> EmbeddedServer:
            return server

    return Site(manifest)


def test_a_deploy_s_upload_is_safe_at_once(manifest: Manifest, embedded: EmbeddedServer) -> None:
    """And with it the server's own keys, which it makes at its first start."""
    databags.ensure_passwords(manifest)
    site_of(manifest, embedded).upload(print)
    kill(embedded)
    with ChefClient(embedded.start()) as client:
        assert not upload(client, Repository.read(manifest)).changed


def test_nodes_that_the_manifest_has_no_more(manifest: Manifest, embedded: EmbeddedServer) -> None:
    deployed = {**NODE, "normal": {"stackcook": {"deploy": "d-1"}}, "chef_environment": "lab"}
    with ChefClient(embedded.start()) as client:
        for made in (deployed, {**deployed, "name": "gone"}, {**NODE, "name": "foreign"}):
            client.post("/nodes", made)
    site = site_of(manifest, embedded)
    wait(lambda: site.unlisted() == ("gone",))
    own = replace(manifest, chef_server=embedded.chef_server)
    assert ChefSite(own).unlisted() == (), "other clouds of the same server are not this one's"
    nodes = (replace(own.nodes[0], environment="lab"),)
    assert ChefSite(replace(own, nodes=nodes)).unlisted() == ("gone",)


def test_run_lists_are_safe_at_once(manifest: Manifest, embedded: EmbeddedServer) -> None:
    (node,) = manifest.nodes
    assert site_of(manifest, embedded).outdated([node]) == set(), "no server is running"
    with ChefClient(embedded.start()) as client:
        client.post("/nodes", {**NODE, "run_list": ["role[db]"]})
    assert site_of(manifest, embedded).outdated([node]) == {node.name}
    assert site_of(manifest, embedded).set_run_lists([node]) == "1 node updated"
    kill(embedded)
    with ChefClient(embedded.start()) as client:
        assert client.get("/nodes/one")["run_list"] == ["role[web]"]
    assert site_of(manifest, embedded).set_run_lists([node]) == "0 nodes updated"


def test_survives_being_stopped(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    assert embedded.stop()
    assert not embedded.stop()
    assert_whole(manifest, embedded)


def test_half_written_data_never_wins(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    kill(embedded)
    directory = embedded.state / "chef" / "server"
    half = (directory / "data").read_bytes()[:-100]
    (directory / "data").unlink()  # the good one is another name of the same file
    (directory / "data").write_bytes(half)
    (directory / "ds-store123").write_bytes(half)
    (directory / "index").write_bytes(b"rubbish")
    assert_whole(manifest, embedded)
    assert not list(directory.glob("ds-store*"))


def test_says_when_no_good_data_is_left(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    kill(embedded)
    for name in ("data", "data.good"):
        (embedded.state / "chef" / "server" / name).write_bytes(b"rubbish")
    with pytest.raises(ChefServerError, match="damaged; remove"):
        embedded.start()


def test_a_file_that_came_half_is_sent_again(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    files = embedded.state / "chef" / "server" / "files"
    kill(embedded)
    (files / ("0" * 32)).write_text("half a file")
    assert_whole(manifest, embedded)
    assert not (files / ("0" * 32)).exists()


def test_starting_twice_is_starting_once(manifest: Manifest, embedded: EmbeddedServer) -> None:
    embedded.start()
    pid = embedded.status().pid
    again = EmbeddedServer(manifest.state, "127.0.0.1", int(embedded.url.rpartition(":")[2]))
    assert again.start() == embedded.chef_server
    assert again.status().pid == pid


def test_another_address_moves_it(manifest: Manifest, embedded: EmbeddedServer) -> None:
    fill(manifest, embedded)
    port = int(embedded.url.rpartition(":")[2])
    moved = EmbeddedServer(manifest.state, "127.0.0.2", port)
    assert moved.status().url == embedded.url
    assert EmbeddedServer.running(manifest.state) == embedded.chef_server
    with ChefClient(embedded.chef_server) as client:
        client.put("/nodes/one", {**NODE, "run_list": ["role[db]"]})
    with ChefClient(moved.start()) as client:
        assert client.get("/nodes/one")["run_list"] == ["role[db]"]
    assert embedded.status().url == moved.url


def test_keys_and_data_are_nobody_elses_business(embedded: EmbeddedServer) -> None:
    embedded.start()
    embedded.settle()
    assert stat.S_IMODE(embedded.state.stat().st_mode) == 0o700
    keys = list((embedded.state / "chef").glob("*.pem"))
    assert keys and all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in keys)


def test_a_pid_that_is_somebody_elses_is_left_alone(embedded: EmbeddedServer) -> None:
    embedded.start()
    embedded.stop()
    with subprocess.Popen(("sleep", "60")) as innocent:
        try:
            data = {"pid": innocent.pid, "started": 1, "boot": "another"}
            (embedded.state / "chef" / "server" / "pid").write_text(json.dumps(data))
            assert not embedded.status().running
            assert not embedded.stop()
            embedded.start()
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_says_that_the_port_is_taken(embedded: EmbeddedServer) -> None:
    port = int(embedded.url.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(ChefServerError, match="another program uses its port"):
            embedded.start()
    assert not embedded.status().running


def test_two_deployments_at_one_address_take_two_ports(tmp_path: Path) -> None:
    address = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.1"
    one, two = (EmbeddedServer(tmp_path / name / ".stackcook", address) for name in ("a", "b"))
    try:
        with ThreadPoolExecutor(2) as pool:  # at the same time: both find the first port free
            found = {each.result().url for each in [pool.submit(s.start) for s in (one, two)]}
        assert found == {f"http://{address}:4545", f"http://{address}:4546"}
        urls = one.url, two.url
        for server in (one, two):
            server.stop()
        first = two if two.url.endswith("4546") else one
        first.start()  # it keeps its port, although 4545 is free
        other = one if first is two else two
        other.start()
        assert (one.url, two.url) == urls
        assert EmbeddedServer(first.state).status().url == first.url
    finally:
        one.stop()
        two.stop()


def test_an_ipv6_address(manifest: Manifest) -> None:
    server = EmbeddedServer(manifest.state, "::1", free_port())
    try:
        fill(manifest, server)
        assert server.url.startswith("http://[::1]:")
        assert EmbeddedServer.running(manifest.state) == server.chef_server
        kill(server)
        assert_whole(manifest, server)  # also the files, whose URLs the server makes
    finally:
        server.stop()


def test_a_symbolic_link_leads_to_the_same_server(embedded: EmbeddedServer, tmp_path: Path) -> None:
    server = embedded.start()
    (tmp_path / "link").symlink_to(embedded.state)
    linked = EmbeddedServer(tmp_path / "link")
    assert linked.status().pid == embedded.status().pid
    running = EmbeddedServer.running(tmp_path / "link")
    assert running and running.url == server.url and linked.stop()


def test_a_copied_deployment_leaves_the_server_of_the_original_alone(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    embedded.start()
    embedded.settle()
    pid, address = embedded.status().pid, "127.0.0.1"
    build = shutil.ignore_patterns("ds-store*", "idx-build*")  # which come and go
    shutil.copytree(embedded.state, tmp_path / "copy" / ".stackcook", ignore=build)
    copy = EmbeddedServer(tmp_path / "copy" / ".stackcook", address)
    assert EmbeddedServer.running(copy.state) is None and not copy.stop()
    try:
        assert copy.start().url != embedded.url
        assert copy.status().pid != pid
    finally:
        copy.stop()
    assert embedded.status().pid == pid


def test_says_that_the_address_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(ChefServerError, match="does not have that address"):
        EmbeddedServer(tmp_path / ".stackcook", "192.0.2.1", 4545).start()


def test_an_address_that_cannot_be_used_is_to_be_corrected(tmp_path: Path) -> None:
    with pytest.raises(ChefServerError, match="Invalid argument; correct `server_address`"):
        EmbeddedServer(tmp_path / ".stackcook", "fe80::1", 4545).start()  # which interface?


def test_a_wrong_key_is_named(embedded: EmbeddedServer, tmp_path: Path) -> None:
    server = embedded.start()
    wrong = replace(server, key=embedded.state / "chef" / "chef-validator.pem")
    with ChefClient(wrong) as client, pytest.raises(ChefServerError) as error:
        client.get("/nodes")
    assert f"check that {wrong.key} is the private key of admin" in str(error.value)
    with ChefClient(replace(server, user="nobody")) as client, pytest.raises(ChefServerError):
        client.get("/nodes")


def test_an_empty_answer_is_no_success(embedded: EmbeddedServer) -> None:
    server = embedded.start()
    wrong = replace(server, url=f"{server.url}/organizations/none")
    with ChefClient(wrong) as client, pytest.raises(ChefServerError, match="is empty"):
        client.get("/nodes")
    with ChefClient(server) as client, pytest.raises(NotFound, match="no such object"):
        client.get("/nodes/none")
