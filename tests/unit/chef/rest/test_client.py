"""The client: what it sends, and what it makes of answers."""

from __future__ import annotations

import hashlib
import json
import logging
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


def test_a_server_that_wants_older_signatures(client: ChefClient, server: Scripted) -> None:
    answer = {"error": ["Unsupported authentication protocol version"]}
    server.add("GET", f"{ORGANIZATION}/nodes", answer, status=400)
    with pytest.raises(ChefServerError, match="does not support signatures of version 1.3"):
        client.get("/nodes")
    assert len(server.received) == 1


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
        (
            401,
            ChefServerError,
            f"rejected alice's signature .* check that {KEY} is the private key of alice",
        ),
        (403, ChefServerError, "permission denied"),
        (
            404,
            NotFound,
            "no such object on the Chef server .*GET /organizations/ops/x: HTTP 404: b",
        ),
        (405, ChefServerError, "does not support this operation"),
        (406, ChefServerError, "supports no API version"),
        (409, Conflict, "already exists, or the cookbook version is frozen"),
        (413, ChefServerError, "too large"),
        (
            400,
            ChefServerError,
            r"refused the request \(GET .*: HTTP 400: broken twice\); correct what it rejects",
        ),
        (500, ChefServerError, "the Chef server failed"),
        (503, ChefServerError, "overloaded, or not ready"),
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


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "no such version"}, "HTTP 400: no such version); correct what it rejects"),
        ({"error": [{"message": "no solution"}]}, "HTTP 400: no solution); correct what it"),
        (["bad"], "HTTP 400); check the server's log"),
        ({"error": []}, "HTTP 400); check the server's log"),
    ],
)
def test_a_refusal_gives_the_reason_of_the_server(
    client: ChefClient, server: Scripted, body: Any, words: str
) -> None:
    server.add("GET", f"{ORGANIZATION}/x", body, status=400)
    with pytest.raises(ChefServerError) as error:
        client.get("/x")
    assert words in str(error.value)


@pytest.mark.parametrize(("minutes", "words"), [(20, "20 min ahead of"), (-34, "34 min behind")])
def test_a_wrong_clock_is_reported(
    client: ChefClient, server: Scripted, minutes: int, words: str
) -> None:
    theirs = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    headers = {"Date": format_datetime(theirs, usegmt=True)}
    server.add("GET", f"{ORGANIZATION}/x", {"error": ["no"]}, status=401, headers=headers)
    with pytest.raises(ChefServerError, match=f"this machine's clock is {words} the server's"):
        client.get("/x")


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", "", "empty"),
        (b"<html>", "text/html; charset=x", r"not JSON \(text/html\)"),
        (b'{"one": ', "application/json", "broken JSON"),
    ],
)
def test_a_response_that_is_not_json_is_an_error(
    client: ChefClient, server: Scripted, body: bytes, kind: str, words: str
) -> None:
    server.add("GET", f"{ORGANIZATION}/x", body=body, headers={"Content-Type": kind})
    with pytest.raises(
        UnexpectedAnswer, match=f"the response to GET {ORGANIZATION}/x is {words}; check"
    ):
        client.get("/x")


@pytest.mark.parametrize("value", [None, [], "ok", 1])
def test_an_object_must_be_a_json_map(client: ChefClient, server: Scripted, value: Any) -> None:
    server.add("GET", f"{ORGANIZATION}/x", value)
    with pytest.raises(
        UnexpectedAnswer, match="response to GET /x does not come from a Chef server"
    ):
        client.get_map("/x")


def test_a_redirect_is_not_followed(client: ChefClient, server: Scripted) -> None:
    there = {"Location": "https://login.example.com"}
    server.add("GET", f"{ORGANIZATION}/x", status=302, headers=there)
    with pytest.raises(ChefServerError, match="redirects to https://login.example.com"):
        client.get("/x")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_idempotent_requests_are_retried(
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


def test_retries_end(client: ChefClient, server: Scripted) -> None:
    server.add("GET", f"{ORGANIZATION}/x", status=500)
    with pytest.raises(ChefServerError, match="HTTP 500"):
        client.get("/x")
    assert 3 < len(server.received) < 10


def test_retry_after_is_respected(client: ChefClient, server: Scripted, waits: list[float]) -> None:
    path = f"{ORGANIZATION}/x"
    server.add("GET", path, status=503, headers={"Retry-After": "7"})
    later = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)
    server.add("GET", path, status=429, headers={"Retry-After": later})
    server.add("GET", path, status=503, headers={"Retry-After": "soon"})
    server.add("GET", path, {})
    assert client.get("/x") == {}
    assert waits[0] == 7 and waits[1] == 30 and waits[2] < 7


def test_other_requests_are_tried_once(client: ChefClient, server: Scripted) -> None:
    server.add("POST", f"{ORGANIZATION}/roles", status=502)
    server.add("POST", f"{ORGANIZATION}/roles", status=502)
    server.add("POST", f"{ORGANIZATION}/roles", {"uri": "x"}, status=201)
    with pytest.raises(ChefServerError, match="HTTP 502"):
        client.post("/roles", {})
    assert client.post("/roles", {}, repeat=True) == {"uri": "x"}


def test_a_retried_delete_may_find_nothing(client: ChefClient, server: Scripted) -> None:
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
    with pytest.raises(
        ChefServerError, match="file: the file changed during the upload; upload again"
    ):
        client.send_file("/store/x", file, "d41d8cd98f00b204e9800998ecf8427e")
    assert not server.received


def test_a_web_page_in_response_to_a_file_is_an_error(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    server.add("PUT", "/store/x", body=b"<html>Log in", headers={"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer, match=r"not JSON \(text/html\)"):
        client.send_file("/store/x", file, "d41d8cd98f00b204e9800998ecf8427e")


def test_a_server_that_was_never_reached_is_not_retried(waits: list[float]) -> None:
    chef = ChefServer(f"http://127.0.0.1:{free_port()}", "alice", KEY)
    client = ChefClient(chef, sleep=waits.append)
    with pytest.raises(
        ChefServerError,
        match=r"cannot connect to the Chef server \(connection refused\); check that it",
    ):
        client.get("/nodes")
    assert not waits


def test_each_try_is_logged_without_secrets(
    client: ChefClient, server: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "stackcook")
    server.add("PUT", f"{ORGANIZATION}/data/a/b", status=503)
    server.add("PUT", f"{ORGANIZATION}/data/a/b", {"password": "s3cret"})
    server.add("PUT", "/store/x?signature=s3cret", body=b"")
    client.put("/data/a/b", {"password": "s3cret"})
    (tmp_path / "empty").write_bytes(b"")
    url = f"{server.url}/store/x?signature=s3cret"
    client.send_file(url, tmp_path / "empty", "d41d8cd98f00b204e9800998ecf8427e")
    logged = [
        (record.levelname, re.sub(r"\d+ ms|[\d.]+ s", "N", record.getMessage()))
        for record in caplog.records
        if record.name.startswith("stackcook")
    ]
    assert logged == [
        ("DEBUG", f"PUT {ORGANIZATION}/data/a/b: HTTP 503, N, try 1"),
        ("INFO", f"PUT {ORGANIZATION}/data/a/b: HTTP 503; retrying in N"),
        ("DEBUG", f"PUT {ORGANIZATION}/data/a/b: HTTP 200, N, try 2"),
        ("DEBUG", "PUT /store/x: HTTP 200, N, try 1"),
    ]


def test_a_signed_url_is_not_in_the_error(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    server.add("PUT", "/store/x?signature=s3cret", status=403)
    with pytest.raises(ChefServerError, match="PUT /store/x: HTTP 403") as error:
        url = f"{server.url}/store/x?signature=s3cret"
        client.send_file(url, tmp_path / "empty", "d41d8cd98f00b204e9800998ecf8427e")
    assert "s3cret" not in str(error.value)
