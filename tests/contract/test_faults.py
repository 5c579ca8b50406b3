"""Through a bad network an upload ends right, or says why not and leaves nothing by halves."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.sync.upload import upload
from stackcook.errors import ChefServerError, ExitCode
from tests.contract.held import Held
from tests.contract.uploader import Clean, Uploader
from tests.contract.proxy import Fault, Faults, Judge, Proxy, Reply, Request

HTML = {"Content-Type": "text/html"}
STRANGE = {
    "a page of another program": Reply(200, b"<html><body>Welcome to nginx!</body></html>", HTML),
    "nothing": Reply(200),
    "a login page elsewhere": Reply(302, headers={"Location": "https://login.example.com/sso"}),
    "null": Reply(200, b"null"),
    "a list": Reply(200, b"[]"),
    "a text": Reply(200, b'"ok"'),
    "an empty map": Reply(200, b"{}"),
    "a map of something else": Reply(200, json.dumps({"status": ["ok"], "url": 7}).encode()),
}


ON_GOIARDI = pytest.mark.parametrize("uploader", ["goiardi"], indirect=True, scope="module")
ON_CHEF_ZERO = pytest.mark.parametrize("uploader", ["chef-zero"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def clean(uploader: Uploader) -> Clean:
    """An upload to a server with the old state."""
    return uploader.clean(update=True)


@ON_GOIARDI
@pytest.mark.parametrize("seed", range(14))
def test_faults_in_a_tenth_of_the_requests(uploader: Uploader, clean: Clean, seed: int) -> None:
    right_or_clear(uploader, clean, f"fault {seed}", Faults(seed))


@ON_CHEF_ZERO
@pytest.mark.parametrize("seed", range(4))
def test_faults_in_the_other_dialect(uploader: Uploader, clean: Clean, seed: int) -> None:
    right_or_clear(uploader, clean, f"fault {seed}", Faults(seed))


@ON_GOIARDI
@pytest.mark.parametrize("kind", [kind for kind in Fault if kind is not Fault.STALL])
def test_the_first_answer_to_everything_is_lost(
    uploader: Uploader, clean: Clean, kind: Fault
) -> None:
    """What may safely be repeated is repeated."""

    def judge(request: Request) -> Fault | None:
        return kind if request.nth == 1 and request.method in ("GET", "PUT") else None

    assert right_or_clear(uploader, clean, f"once {kind.name}", judge) is None


@ON_GOIARDI
def test_ten_seconds_of_nothing_are_waited_for(uploader: Uploader, clean: Clean) -> None:
    def judge(request: Request) -> Fault | None:
        return Fault.STALL if request.thing.startswith("PUT /cookbooks/app") else None

    assert right_or_clear(uploader, clean, "ten", judge, timeout=60, stall=10) is None


@ON_GOIARDI
@pytest.mark.parametrize("kind", STRANGE)
def test_what_no_chef_server_says_is_no_success(
    uploader: Uploader, clean: Clean, kind: str
) -> None:
    for number in (1, clean.requests // 2, clean.requests - 2):
        assert strange_from(number, uploader, clean, kind) is not None, f"from request {number} on"


@ON_CHEF_ZERO
@pytest.mark.parametrize("kind", ["a page of another program", "null", "an empty map"])
def test_nor_is_it_in_the_other_dialect(uploader: Uploader, clean: Clean, kind: str) -> None:
    assert strange_from(clean.requests // 2, uploader, clean, kind) is not None


def strange_from(
    number: int, uploader: Uploader, clean: Clean, kind: str
) -> ChefServerError | None:
    """All answers are strange from that request on."""

    def judge(request: Request) -> Reply | None:
        return STRANGE[kind] if request.number >= number else None

    return right_or_clear(uploader, clean, f"{kind} {number}", judge)


@ON_GOIARDI
@pytest.mark.parametrize(
    "kind, method, path",
    [(kind, "POST", "/sandboxes") for kind in STRANGE]
    + [(kind, "PUT", "/file_store/") for kind in list(STRANGE)[:3]],
)
def test_nobody_takes_the_files(
    uploader: Uploader, clean: Clean, kind: str, method: str, path: str
) -> None:
    def judge(request: Request) -> Reply | None:
        here = request.method == method and request.path.startswith(path)
        return STRANGE[kind] if here else None

    assert right_or_clear(uploader, clean, f"{kind} {method}", judge) is not None


@ON_GOIARDI
@pytest.mark.parametrize("number", [1, 20])
def test_the_command_says_it_in_one_line(uploader: Uploader, clean: Clean, number: int) -> None:
    def judge(request: Request) -> Reply | None:
        return STRANGE["a login page elsewhere"] if request.number >= number else None

    with ChefClient(uploader.server) as client:
        uploader.prepare(client, f"command {number}", update=True)
        before = Held.by(client)
        with Proxy(uploader.server.url, judge) as proxy:
            status = uploader.start(proxy.before(uploader.server)).wait(60)
        said = uploader.said.read_text().splitlines()
        assert status == ExitCode.CHEF_SERVER
        assert_clear(said[-1], proxy.url)
        assert ["login.example.com" in line for line in said] == [False] * (len(said) - 1) + [True]
        assert number > 1 or Held.by(client) == before


def right_or_clear(
    uploader: Uploader,
    clean: Clean,
    salt: str,
    judge: Judge,
    *,
    timeout: float = 1.0,
    stall: float = 5.0,
) -> ChefServerError | None:
    """Upload through the proxy, hold what the module says, mend it without faults.

    Returns the error, if there was one.
    """
    error = None
    with ChefClient(uploader.server) as client:
        uploader.prepare(client, salt, update=True)
        with Proxy(uploader.server.url, judge) as proxy:
            proxy.stall = stall
            error = _upload(uploader, proxy, timeout)
        held = Held.by(client)
        assert held.half_visible() == []
        if error is not None:
            upload(
                client, uploader.site.repository(uploader.site.manifest(uploader.server, new=True))
            )
            held = Held.by(client)
    assert held.bare(uploader.site) == clean.held
    return error


def _upload(uploader: Uploader, proxy: Proxy, timeout: float) -> ChefServerError | None:
    """Any other exception is a bug, and fails the test."""
    through = proxy.before(uploader.server)
    repository = uploader.site.repository(uploader.site.manifest(through, new=True))
    with ChefClient(through, timeout=timeout, sleep=_not_at_all) as client:
        try:
            upload(client, repository)
        except ChefServerError as error:
            assert error.exit_code == ExitCode.CHEF_SERVER
            assert_clear(str(error), through.url)
            return error
    return None


def _not_at_all(_: float) -> Any:
    """The client's pauses between its tries are not what is tested."""


def assert_clear(sentence: str, url: str) -> None:
    """Where, what, what to do; no Python and no page of HTML in it."""
    assert sentence.startswith(url) and len(sentence) < 400, sentence
    assert "; " in sentence, "it says what to do"
    assert not re.search(r"<html|object at 0x|Error\(|Exception|None", sentence), sentence
