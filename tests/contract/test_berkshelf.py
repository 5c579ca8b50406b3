"""Real berks and librarian-chef, with a cookbook by path and one in a git repository."""

from __future__ import annotations

import io
import json
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stackcook.chef.loader.findings import Findings
from stackcook.chef.resolvers.fetch import fetch
from stackcook.command import Command, find_program, run
from stackcook.errors import Position
from stackcook.manifest.model import Berksfile, Manifest

LOCAL = "cookbook 'web', path: 'site/web'\ncookbook 'base', git: '{git}', branch: 'main'\n"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A repository with ``site/web``, which needs ``base`` of a git repository."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "repository"
    cookbook(root / "site" / "web", "depends 'base', '~> 1.0'\n")
    cookbook(tmp_path / "base", "version '1.3.0'\n")
    for words in ("init -q -b main", "add -A", "commit -q -m base"):
        git(tmp_path / "base", *words.split())
    file = root / "Berksfile"
    return Manifest(root / "infrastructure.yml", "berks", berksfile=Berksfile(file, Position(1, 1)))


def cookbook(directory: Path, metadata: str) -> None:
    (directory / "recipes").mkdir(parents=True)
    (directory / "metadata.rb").write_text(f"name '{directory.name}'\n{metadata}")
    (directory / "recipes" / "default.rb").write_text(f"log '{directory.name}'\n")


def git(directory: Path, *words: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    done = run(Command((str(find_program("git")), *who, *words), cwd=directory))
    assert done.status == 0, done.output


def brought(manifest: Manifest) -> dict[str, Path]:
    findings = Findings()
    found = dict(fetch(manifest, findings))
    assert findings.found == [], [*map(str, findings.found)]
    return found


def finding(manifest: Manifest) -> str:
    findings = Findings()
    assert fetch(manifest, findings) == {}
    assert len(findings.found) == 1
    return str(findings.found[0]).replace(f"{manifest.root}/", "")


def write(manifest: Manifest, text: str, name: str = "Berksfile") -> None:
    repository = manifest.root.parent / "base"
    (manifest.root / name).write_text(text.format(git=repository))


@pytest.fixture
def source() -> Iterator[socket.socket]:
    """What listens, and tells of nobody who comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_berks_asks_nobody_for_what_is_here(elsewhere: Manifest, source: socket.socket) -> None:
    write(elsewhere, f"source 'http://127.0.0.1:{source.getsockname()[1]}'\n{LOCAL}")
    first = brought(elsewhere)
    assert sorted(first) == ["base", "web"]
    assert (first["base"] / "recipes" / "default.rb").read_text() == "log 'base'\n"
    assert json.loads((first["base"] / "metadata.json").read_text())["version"] == "1.3.0"
    assert "revision: " in (elsewhere.root / "Berksfile.lock").read_text()
    with pytest.raises(BlockingIOError):
        source.accept()

    # As with berks itself, a new commit comes with `berks update` only, a new file at once.
    (elsewhere.root / "site" / "web" / "recipes" / "more.rb").write_text("# more\n")
    (elsewhere.root.parent / "base" / "recipes" / "more.rb").write_text("# more\n")
    git(elsewhere.root.parent / "base", "add", "-A")
    git(elsewhere.root.parent / "base", "commit", "-q", "-m", "more")
    again = brought(elsewhere)
    assert (again["web"] / "recipes" / "more.rb").exists()
    assert not (again["base"] / "recipes" / "more.rb").exists()
    with pytest.raises(BlockingIOError):
        source.accept()


def test_groups_of_the_berksfile(elsewhere: Manifest) -> None:
    write(elsewhere, f"source 'http://127.0.0.3:1'\n{LOCAL}")
    lines = (elsewhere.root / "Berksfile").read_text().replace("branch:", "group: :late, branch:")
    (elsewhere.root / "site" / "web" / "metadata.rb").write_text("name 'web'\n")
    (elsewhere.root / "Berksfile").write_text(lines)
    assert elsewhere.berksfile
    options = replace(elsewhere.berksfile, options="--except late")
    assert sorted(brought(replace(elsewhere, berksfile=options))) == ["web"]
    assert sorted(brought(elsewhere)) == ["base", "web"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("\ncookbook 'web, path: 'site/web'\n", "Berksfile:2:1: error: "),
        ("\ncookboook 'web', path: 'site/web'\n", 'did you mean "cookbook"?'),
        ("\n\ncookbook 'web', path: 'site/absent'\n", "Berksfile:3:11: error: The resource at "),
        ("cookbook 'base', git: '{git}', branch: 'absent'\n", "Berksfile:1:11: error: ambiguous"),
        ("cookbook 'web', path: 'site/web'\n", "Berksfile: error: there is no `source`"),
    ],
)
def test_what_is_wrong_in_a_berksfile(elsewhere: Manifest, text: str, said: str) -> None:
    write(elsewhere, text)
    line = finding(elsewhere)
    assert said in line and ".stackcook/berkshelf/log.txt" in line


def test_a_source_that_does_not_answer(elsewhere: Manifest) -> None:
    (elsewhere.root / ".chef").mkdir()
    (elsewhere.root / ".chef" / "config.rb").write_text("http_retry_count 0\n")
    write(elsewhere, "source 'http://127.0.0.3:1'\ncookbook 'web', path: 'site/web'\n")
    assert "cannot reach http://127.0.0.3:1 (Connection refused)" in finding(elsewhere)


class Supermarket(BaseHTTPRequestHandler):
    """Has ``base`` 1.3.0 and nothing else."""

    def do_GET(self) -> None:
        url = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        version = {"location_type": "opscode", "location_path": f"{url}/api/v1", "dependencies": {}}
        pages = {
            "/universe": {"base": {"1.3.0": version}},
            "/api/v1/cookbooks/base/versions/1_3_0": {"file": f"{url}/base.tgz"},
        }
        if self.path == "/base.tgz":
            body = archive("base/metadata.rb", b"name 'base'\nversion '1.3.0'\n")
        else:
            body = json.dumps(pages[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is not its log."""


def archive(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_a_source_is_asked_for_what_is_not_here(elsewhere: Manifest) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Supermarket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write(
            elsewhere,
            f"source 'http://127.0.0.1:{server.server_port}'\ncookbook 'web', path: 'site/web'\n",
        )
        found = brought(elsewhere)
        server.shutdown()
    assert sorted(found) == ["base", "web"]
    assert brought(elsewhere) == found, "and then no more"


CHEFFILE = LOCAL.replace("branch:", "ref:")


def test_librarian_asks_nobody_for_what_is_here(elsewhere: Manifest, source: socket.socket) -> None:
    manifest = replace(elsewhere, berksfile=None)
    site = f"site 'http://127.0.0.1:{source.getsockname()[1]}/api/v1'\n"
    write(manifest, site + CHEFFILE, "Cheffile")
    first = brought(manifest)
    assert sorted(first) == ["base", "web"]
    assert (first["base"] / "recipes" / "default.rb").read_text() == "log 'base'\n"
    assert not (first["base"] / ".git").exists()
    assert brought(manifest) == first
    assert sorted(path.name for path in manifest.root.iterdir()) == [
        ".stackcook",
        "Cheffile",
        "Cheffile.lock",
        "site",
    ]
    with pytest.raises(BlockingIOError):
        source.accept()


@pytest.mark.parametrize(
    "text, said",
    [
        ("\ncookbook 'web, path: 'site/web'\n", "Cheffile:2:1: error: "),
        ("cookbook 'web', '~> 7.0', path: 'site/web'\n", "Cheffile: error: Could not resolve"),
        ("site 'http://127.0.0.3:1/api'\ncookbook 'web'\n", "error: cannot reach 127.0.0.3:1"),
        ("cookbook 'web'\n", "Cheffile: error: a cookbook has neither path nor git"),
    ],
)
def test_what_is_wrong_in_a_cheffile(elsewhere: Manifest, text: str, said: str) -> None:
    manifest = replace(elsewhere, berksfile=None)
    write(manifest, text, "Cheffile")
    assert said in finding(manifest)
