"""Uploads that something gets in the way of: answers that get lost, sandboxes that get too old."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackcook.chef.objects.cookbook import CookbookFile
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync import sandbox
from stackcook.chef.sync.changes import Difference, ObjectChange
from stackcook.chef.sync.sandbox import Progress, send_files, size
from stackcook.chef.sync.upload import UploadResult, apply
from stackcook.errors import ChefServerError
from stackcook.manifest.model import ChefServer
from tests.scripted import Fault, Received, Reply, Scripted, scripted

KEY = Path(__file__).parents[1] / "data" / "pkcs1.pem"
ROLE = {"name": "web", "run_list": []}


def silent(_: str) -> None:
    """Hear nothing."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        server.add("GET", "/roles", {})
        yield server


@pytest.fixture
def client(server: Scripted) -> Iterator[ChefClient]:
    with ChefClient(ChefServer(server.url, "me", KEY), sleep=lambda seconds: None) as client:
        client.get("/roles")
        server.received.clear()
        yield client


def put(client: ChefClient, *changes: ObjectChange) -> UploadResult:
    return apply(client, Difference((), changes, ()))


def asked(server: Scripted) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.received]


def test_a_post_whose_answer_got_lost_is_done(client: ChefClient, server: Scripted) -> None:
    server.add("POST", "/roles", {"uri": "lost"}, fault=Fault.CLOSED)
    server.add("POST", "/roles", {"error": ["there"]}, status=409)
    server.add("PUT", "/roles/web", ROLE)
    assert put(client, ObjectChange("role web", "/roles", "web", ROLE, new=True)).created
    assert asked(server) == ["POST /roles", "POST /roles", "PUT /roles/web"]
    assert json.loads(server.received[-1].body) == ROLE


def test_a_data_bag_that_is_there_is_enough(client: ChefClient, server: Scripted) -> None:
    server.add("POST", "/data", {"error": ["there"]}, status=409)
    put(client, ObjectChange("data bag x", "/data", "x", {"name": "x"}, new=True))
    assert asked(server) == ["POST /data"]


@pytest.mark.parametrize("ours", [True, False])
def test_a_generated_password_is_never_replaced(
    client: ChefClient, server: Scripted, ours: bool
) -> None:
    value = {"data_bag": "keys", "raw_data": {"id": "db", "db": "sealed"}}
    change = ObjectChange("item", "/data/keys", "db", value, new=True, fixed=True)
    server.add("POST", "/data/keys", {"error": ["there"]}, status=409)
    server.add("GET", "/data/keys/db", {"id": "db", "db": "sealed" if ours else "another"})
    if ours:
        put(client, change)
    else:
        with pytest.raises(
            ChefServerError, match="the password keys/db on the Chef server differs from .stackcook"
        ):
            put(client, change)
    assert asked(server) == ["POST /data/keys", "GET /data/keys/db"]


@pytest.mark.parametrize("value", [None, [], {}, "ok", {"name": "other"}])
def test_an_answer_about_something_else_is_no_success(
    client: ChefClient, server: Scripted, value: object
) -> None:
    for method, path in (("PUT", "/roles/web"), ("POST", "/roles")):
        server.add(method, path, value)
        change = ObjectChange("role web", "/roles", "web", ROLE, new=method == "POST")
        with pytest.raises(ChefServerError, match=f"response to {method} {path} does not come"):
            put(client, change)


class Store:
    """Sandboxes and files, as far as a server has them."""

    def __init__(self, server: Scripted) -> None:
        self.files: set[str] = set()
        self.sandboxes: list[list[str]] = []
        self.failures: list[int] = []
        self.server = server
        server.take = self.take  # type: ignore[method-assign]

    def take(self, received: Received) -> Reply:
        self.server.received.append(received)
        value: object = {}
        if received.path == "/sandboxes":
            sums = list(json.loads(received.body)["checksums"])
            self.sandboxes.append(sums)
            told = {
                md5: {"needs_upload": md5 not in self.files, "url": f"/store/{md5}"} for md5 in sums
            }
            value = {"sandbox_id": str(len(self.sandboxes)), "uri": "x", "checksums": told}
        elif self.failures:
            return Reply(self.failures.pop(0), {}, b"{}", Fault.NONE)
        elif received.path.startswith("/store/"):
            self.files.add(received.path.rpartition("/")[2])
        else:
            value = {"is_completed": True}
        return Reply(200, {}, json.dumps(value).encode(), Fault.NONE)


def files(directory: Path, number: int) -> list[CookbookFile]:
    found = []
    for name in map(str, range(number)):
        (directory / name).write_text(name)
        md5 = hashlib.md5(name.encode()).hexdigest()
        found.append(CookbookFile(name, directory / name, md5, len(name)))
    return found


@pytest.mark.parametrize("failures", [[403], [404] * 2, [503] * 6])
def test_a_sandbox_that_got_too_old_is_opened_again(
    client: ChefClient, server: Scripted, tmp_path: Path, failures: list[int]
) -> None:
    store, wanted = Store(server), files(tmp_path, 1)
    store.failures = list(failures)
    send_files(client, wanted, silent)
    assert store.files == {wanted[0].md5}
    assert len(store.sandboxes) == 2 + (failures == [404] * 2)


def test_what_does_not_help_is_not_tried_for_ever(
    client: ChefClient, server: Scripted, tmp_path: Path
) -> None:
    store = Store(server)
    store.failures = [404] * 9
    with pytest.raises(ChefServerError, match="HTTP 404"):
        send_files(client, files(tmp_path, 1), silent)
    assert len(store.sandboxes) == 3


def test_many_files_go_in_several_sandboxes(
    client: ChefClient, server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_FILES", 4)
    store, wanted = Store(server), files(tmp_path, 10)
    store.files = {wanted[0].md5}
    said: list[str] = []
    send_files(client, [*wanted, *wanted], said.append)
    assert [len(sums) for sums in store.sandboxes] == [4, 4, 2]
    assert store.files == {file.md5 for file in wanted}
    assert said == ["uploading 10 cookbook files, 10 B"]
    assert sum(request.path.startswith("/store/") for request in server.received) == 9


def test_big_files_go_in_several_sandboxes(
    client: ChefClient, server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_BYTES", 3)
    store, wanted = Store(server), files(tmp_path, 12)
    send_files(client, wanted, silent)
    assert [len(sums) for sums in store.sandboxes] == [3, 3, 3, 2, 1]


def test_no_file_is_no_question(client: ChefClient, server: Scripted) -> None:
    send_files(client, [], silent)
    assert not server.received


def test_the_progress_is_said_now_and_then(tmp_path: Path) -> None:
    said: list[str] = []
    one, two, three = (
        CookbookFile(name, tmp_path, name, 1_500_000) for name in ("one", "two", "three")
    )
    progress = Progress(said.append, 3, 4_500_000)
    progress.sent(one)
    progress.reported -= 100
    progress.sent(one)
    progress.sent(two)
    progress.reported -= 100
    progress.sent(three)
    assert said == ["uploaded 2 of 3 files, 3.0 MB of 4.5 MB"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (5e9, "5.0 GB")],
)
def test_sizes_are_for_people(number: float, text: str) -> None:
    assert size(number) == text
