"""The client: what it sends, and what it makes of answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.rest.answers import UnexpectedAnswer
from stackcook.chef.rest.client import ChefClient, Conflict, NotFound
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from tests.contract.servers import free_port
from tests.scripted import Fault, Scripted, scripted

ORGANIZATION = "/organizations/ops"
KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"


def versions(low: int, high: int) -> dict[str, str]:
    return {"X-Ops-Server-API-Version": json.dumps({"min_version": low, "max_version": str(high)})}


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client waited before it tried again."""
    return []


@pytest.fixture
def client(server: Scripted, waits: list[float]) -> Iterator[ChefClient]:
    chef = ChefServer(server.url + ORGANIZATION, "alice", KEY)
    with ChefClient(chef, timeout=0.2, sleep=waits.append) as client:
        yield client


def test_every_request_is_signed(client: ChefClient, server: Scripted) -> None:
    server.add("GET", f"{ORGANIZATION}/nodes/one", {"name": "one"})
    assert client.get("/nodes/one") == {"name": "one"}
    headers = server.received[0].headers
    assert headers["X-Ops-Userid"] == "alice"
    assert headers["X-Ops-Sign"] == "algorithm=sha256;version=1.3;"
    assert "X-Ops-Authorization-6" in headers


def test_older_signatures_for_a_server_that_wants_them(
    client: ChefClient, server: Scripted
) -> None:
    said = {"error": ["Unsupported authentication protocol version"]}
    server.add("GET", f"{ORGANIZATION}/nodes", said, status=400)
    server.add("GET", f"{ORGANIZATION}/nodes", {})
    assert client.get("/nodes") == {} == client.get("/nodes")
    signs = [request.headers["X-Ops-Sign"][-4:-1] for request in server.received]
    assert signs == ["1.3", "1.1", "1.1"]


def test_version_2_where_the_server_takes_it(client: ChefClient, server: Scripted) -> None:
    server.add("GET", f"{ORGANIZATION}/environments", {}, headers=versions(0, 2))
    assert client.api_version == 2
    client.get("/environments")
    assert server.received[1].headers["X-Ops-Server-API-Version"] == "2"


def test_version_1_where_the_server_says_nothing(client: ChefClient, server: Scripted) -> None:
    server.add("GET", f"{ORGANIZATION}/environments", {})
    assert client.api_version == 1


def test_a_server_that_wants_another_version_gets_it(client: ChefClient, server: Scripted) -> None:
    path = f"{ORGANIZATION}/nodes"
    server.add("GET", path, {"error": "no"}, status=406, headers=versions(2, 3))
    server.add("GET", path, {"one": "url"})
    assert client.get("/nodes") == {"one": "url"}
    assert server.received[1].headers["X-Ops-Server-API-Version"] == "2"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, ChefServerError, f"does not accept alice's signature .* is {KEY} alice's key?"),
        (403, ChefServerError, "the user may not do this"),
        (
            404,
            NotFound,
            "no such object on the Chef server .*GET /organizations/ops/x: HTTP 404: b",
        ),
        (405, ChefServerError, "does not know this operation"),
        (406, ChefServerError, "speaks no version of the API"),
        (409, Conflict, "there already, or frozen"),
        (413, ChefServerError, "too big"),
        (418, ChefServerError, "refused the request"),
        (500, ChefServerError, "the Chef server failed"),
        (503, ChefServerError, "has no time, or is not ready"),
    ],
)
def test_failures_are_one_line(
    client: ChefClient, server: Scripted, status: int, kind: type[ChefServerError], words: str
) -> None:
    server.add("GET", f"{ORGANIZATION}/x", {"error": ["broken\ntwice"]}, status=status)
    with pytest.raises(kind) as error:
        client.get("/x")
    assert "\n" not in str(error.value)
    assert re.search(words, str(error.value))
    assert error.value.where == server.url + ORGANIZATION and error.value.remedy


@pytest.mark.parametrize(("minutes", "words"), [(20, "20 min ahead of"), (-34, "34 min behind")])
def test_a_wrong_clock_is_said(
    client: ChefClient, server: Scripted, minutes: int, words: str
) -> None:
    theirs = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    headers = {"Date": format_datetime(theirs, usegmt=True)}
    server.add("GET", f"{ORGANIZATION}/x", {"error": ["no"]}, status=401, headers=headers)
    with pytest.raises(ChefServerError, match=f"this clock is {words} the server's"):
        client.get("/x")


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", "", "an empty answer"),
        (b"<html>", "text/html; charset=x", "an answer of type text/html"),
        (b'{"one": ', "application/json", "broken JSON"),
    ],
)
def test_what_is_no_json_is_no_success(
    client: ChefClient, server: Scripted, body: bytes, kind: str, words: str
) -> None:
    server.add("GET", f"{ORGANIZATION}/x", body=body, headers={"Content-Type": kind})
    with pytest.raises(UnexpectedAnswer, match=f"got {words}, which no Chef server gives"):
        client.get("/x")


@pytest.mark.parametrize("value", [None, [], "ok", 1])
def test_what_is_no_map_is_no_object(client: ChefClient, server: Scripted, value: Any) -> None:
    server.add("GET", f"{ORGANIZATION}/x", value)
    with pytest.raises(UnexpectedAnswer, match="GET /x got an answer that no Chef server gives"):
        client.get_map("/x")


def test_a_redirect_is_not_followed(client: ChefClient, server: Scripted) -> None:
    there = {"Location": "https://login.example.com"}
    server.add("GET", f"{ORGANIZATION}/x", status=302, headers=there)
    with pytest.raises(ChefServerError, match="sends us to https://login.example.com"):
        client.get("/x")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_is_safe_is_tried_again(
    client: ChefClient, server: Scripted, method: str, fault: Fault, waits: list[float]
) -> None:
    path = f"{ORGANIZATION}/roles/a"
    server.add(method, path, {"name": "a"})
    server.add(method, path, status=502)
    server.add(method, path, {"name": "a"}, fault=fault)
    server.add(method, path, {"name": "b"})
    ask = client.get if method == "GET" else lambda path: client.put(path, {})
    assert ask("/roles/a") == {"name": "a"}
    assert ask("/roles/a") == {"name": "b"}
    assert len(server.received) == 4
    assert len(waits) == 2 and waits[0] < waits[1]


def test_what_never_gets_better_ends(client: ChefClient, server: Scripted) -> None:
    server.add("GET", f"{ORGANIZATION}/x", status=500)
    with pytest.raises(ChefServerError, match="HTTP 500"):
        client.get("/x")
    assert 3 < len(server.received) < 10


def test_the_server_says_how_long_to_wait(
    client: ChefClient, server: Scripted, waits: list[float]
) -> None:
    path = f"{ORGANIZATION}/x"
    server.add("GET", path, status=503, headers={"Retry-After": "7"})
    later = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)
    server.add("GET", path, status=429, headers={"Retry-After": later})
    server.add("GET", path, status=503, headers={"Retry-After": "soon"})
    server.add("GET", path, {})
    assert client.get("/x") == {}
    assert waits[0] == 7 and waits[1] == 30 and waits[2] < 7


def test_what_is_not_safe_is_tried_once(client: ChefClient, server: Scripted) -> None:
    server.add("POST", f"{ORGANIZATION}/roles", status=502)
    server.add("POST", f"{ORGANIZATION}/roles", status=502)
    server.add("POST", f"{ORGANIZATION}/roles", {"uri": "x"}, status=201)
    with pytest.raises(ChefServerError, match="HTTP 502"):
        client.post("/roles", {})
    assert client.post("/roles", {}, repeat=True) == {"uri": "x"}


def test_a_second_delete_finds_nothing_and_is_content(client: ChefClient, server: Scripted) -> None:
    path = f"{ORGANIZATION}/roles/a"
    server.add("GET", path, {})
    server.add("DELETE", path, {"name": "a"}, fault=Fault.CLOSED)
    server.add("DELETE", path, {"error": ["gone"]}, status=404)
    client.get("/roles/a")
    client.delete("/roles/a")
    with pytest.raises(NotFound):
        client.delete("/roles/a")


def test_files_are_sent_unsigned(client: ChefClient, server: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    server.add("PUT", "/store/x?sig=1", body=b"")
    client.send_file(f"{server.url}/store/x?sig=1", file, "d41d8cd98f00b204e9800998ecf8427e")
    headers = server.received[0].headers
    assert headers["Content-MD5"] == "1B2M2Y8AsgTpgAmY7PhCfg=="
    assert headers["Content-Length"] == "0"
    assert not any(name.startswith("X-Ops") for name in headers)


def test_big_files_are_sent_again_from_their_beginning(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    file = tmp_path / "big"
    file.write_bytes(bytes(range(256)) * 8192)
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    server.add("PUT", "/store/x", body=b"", status=500)
    server.add("PUT", "/store/x", body=b"")
    client.send_file("/store/x", file, md5)
    assert [len(request.body) for request in server.received] == [1 << 21] * 2
    assert hashlib.md5(server.received[1].body).hexdigest() == md5


def test_a_file_that_changes_is_not_sent(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("other than when its checksum was made")
    with pytest.raises(ChefServerError, match="file: it has just changed; upload again"):
        client.send_file("/store/x", file, "d41d8cd98f00b204e9800998ecf8427e")
    assert not server.received


def test_a_web_page_is_no_success_for_a_file(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    server.add("PUT", "/store/x", body=b"<html>Log in", headers={"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer, match="an answer of type text/html"):
        client.send_file("/store/x", file, "d41d8cd98f00b204e9800998ecf8427e")


def test_a_dead_server_is_said_at_once(waits: list[float]) -> None:
    chef = ChefServer(f"http://127.0.0.1:{free_port()}", "alice", KEY)
    client = ChefClient(chef, sleep=waits.append)
    with pytest.raises(ChefServerError, match=r"can't be reached \(connection refused\); is it"):
        client.get("/nodes")
    assert not waits


@pytest.fixture
def proxy(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """A proxy that the user's environment names."""
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:p%40ss@"))
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    return server


def test_the_users_proxy_leads_there(proxy: Scripted) -> None:
    proxy.add("GET", "http://chef.example.com/nodes", {"one": "url"})
    with ChefClient(ChefServer("http://chef.example.com", "alice", KEY)) as client:
        assert client.get("/nodes") == {"one": "url"}
    assert proxy.received[0].headers["Proxy-Authorization"] == "Basic bWU6cEBzcw=="


def test_a_proxy_that_refuses_is_said(proxy: Scripted) -> None:
    with ChefClient(ChefServer("https://chef.example.com", "alice", KEY)) as client:
        with pytest.raises(
            ChefServerError, match=r"the proxy does not lead there .*: 501 .*_proxy"
        ):
            client.get("/nodes")


def test_a_private_address_needs_no_proxy(proxy: Scripted) -> None:
    chef = ChefServer(f"http://127.0.0.1:{free_port()}", "alice", KEY)
    with ChefClient(chef) as client, pytest.raises(ChefServerError, match="connection refused"):
        client.get("/nodes")
