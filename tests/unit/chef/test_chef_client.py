"""The client: what it sends, and what it makes of answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
import responses

from stackcook.chef.client import ChefClient, Conflict, NotFound
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer

URL = "https://chef.example.com/organizations/ops"
KEY = Path(__file__).parent / "data" / "pkcs1.pem"


def versions(low: int, high: int) -> dict[str, str]:
    return {"X-Ops-Server-API-Version": json.dumps({"min_version": low, "max_version": str(high)})}


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ChefClient:
    monkeypatch.setattr("stackcook.chef.client.time.sleep", lambda seconds: None)
    return ChefClient(ChefServer(URL, "alice", KEY))


def test_every_request_is_signed(client: ChefClient, server: responses.RequestsMock) -> None:
    server.add("GET", f"{URL}/nodes/one", json={"name": "one"})
    assert client.get("/nodes/one") == {"name": "one"}
    headers = server.calls[0].request.headers
    assert headers["X-Ops-Userid"] == "alice"
    assert headers["X-Ops-Sign"] == "algorithm=sha256;version=1.3;"
    assert "X-Ops-Authorization-6" in headers


def test_version_2_where_the_server_takes_it(
    client: ChefClient, server: responses.RequestsMock
) -> None:
    server.add("GET", f"{URL}/environments", json={}, headers=versions(0, 2))
    assert client.api_version == 2
    client.get("/environments")
    assert server.calls[1].request.headers["X-Ops-Server-API-Version"] == "2"


def test_version_1_where_the_server_says_nothing(
    client: ChefClient, server: responses.RequestsMock
) -> None:
    server.add("GET", f"{URL}/environments", json={})
    assert client.api_version == 1


def test_a_server_that_wants_another_version_gets_it(
    client: ChefClient, server: responses.RequestsMock
) -> None:
    server.add("GET", f"{URL}/nodes", json={"error": "no"}, status=406, headers=versions(2, 3))
    server.add("GET", f"{URL}/nodes", json={"one": "url"})
    assert client.get("/nodes") == {"one": "url"}
    assert server.calls[1].request.headers["X-Ops-Server-API-Version"] == "2"


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
        (409, Conflict, "there already, or frozen"),
        (413, ChefServerError, "too big"),
        (418, ChefServerError, "refused the request"),
        (503, ChefServerError, "the Chef server failed"),
    ],
)
def test_failures_are_one_line(
    client: ChefClient,
    server: responses.RequestsMock,
    status: int,
    kind: type[ChefServerError],
    words: str,
) -> None:
    server.add("GET", f"{URL}/x", json={"error": ["broken\ntwice"]}, status=status)
    with pytest.raises(kind) as error:
        client.get("/x")
    assert "\n" not in str(error.value)
    assert re.search(words, str(error.value))
    assert error.value.where == URL and error.value.remedy


@pytest.mark.parametrize(("minutes", "words"), [(20, "20 min ahead of"), (-34, "34 min behind")])
def test_a_wrong_clock_is_said(
    client: ChefClient, server: responses.RequestsMock, minutes: int, words: str
) -> None:
    theirs = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    headers = {"Date": format_datetime(theirs, usegmt=True)}
    server.add("GET", f"{URL}/x", json={"error": ["no"]}, status=401, headers=headers)
    with pytest.raises(ChefServerError, match=f"this clock is {words} the server's"):
        client.get("/x")


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("", "", "an empty answer"),
        ("<html>", "text/html; charset=x", "an answer of type text/html"),
    ],
)
def test_what_is_no_json_is_no_success(
    client: ChefClient, server: responses.RequestsMock, body: str, kind: str, words: str
) -> None:
    server.add("GET", f"{URL}/x", body=body, content_type=kind or None)
    with pytest.raises(ChefServerError, match=f"got {words}, which no Chef server gives"):
        client.get("/x")


def test_a_redirect_is_not_followed(client: ChefClient, server: responses.RequestsMock) -> None:
    server.add("GET", f"{URL}/x", status=302, headers={"Location": "https://login.example.com"})
    with pytest.raises(ChefServerError, match="sends us to https://login.example.com"):
        client.get("/x")


def test_what_is_safe_is_tried_again(client: ChefClient, server: responses.RequestsMock) -> None:
    server.add("PUT", f"{URL}/roles/a", status=502)
    server.add("PUT", f"{URL}/roles/a", body=requests.exceptions.ConnectionError("reset"))
    server.add("PUT", f"{URL}/roles/a", json={"name": "a"})
    assert client.put("/roles/a", {}) == {"name": "a"}


def test_what_is_not_safe_is_tried_once(client: ChefClient, server: responses.RequestsMock) -> None:
    server.add("POST", f"{URL}/roles", status=502)
    with pytest.raises(ChefServerError, match="HTTP 502"):
        client.post("/roles", {})
    assert len(server.calls) == 1


def test_files_are_sent_unsigned(
    client: ChefClient, server: responses.RequestsMock, tmp_path: Path
) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    server.add("PUT", "https://store.example.com/x?sig=1", body="")
    client.send_file("https://store.example.com/x?sig=1", file, "d41d8cd98f00b204e9800998ecf8427e")
    headers = server.calls[0].request.headers
    assert headers["Content-MD5"] == "1B2M2Y8AsgTpgAmY7PhCfg=="
    assert headers["Content-Length"] == "0"
    assert not any(name.startswith("X-Ops") for name in headers)


def test_a_dead_server_is_said_at_once() -> None:
    client = ChefClient(ChefServer("http://127.0.0.1:9", "alice", KEY))
    with pytest.raises(ChefServerError, match=r"can't be reached \(connection refused\); is it"):
        client.get("/nodes")
