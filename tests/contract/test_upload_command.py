"""``stackcook upload`` and ``stackcook server``, as a user calls them."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.command import Command, run
from stackcook.errors import ExitCode
from stackcook.manifest.model import ChefServer, Manifest
from stackcook.verify import clouds
from tests.started import ROOT
from tests.output import data

Stackcook = Callable[..., tuple[int, str]]

MANIFEST = """\
cookbooks: [{base: }, {users: {version: 0.1.3}}]
environments: [{qa: }, {prod: }]
roles: [{web: }, {db: }]
data bags: [{accounts: {items: [alice]}}]
nodes:
- one: {run_list: "role[web]", options: -E qa}
stackcook:
  name: contract
  machines: ssh
  server_address: ADDRESS
  nodes:
    one: {address: 127.0.0.1, user: root, key: KEY}
  passwords: {db_passwords: [nova]}
"""


@pytest.fixture
def stackcook(manifest: Manifest, tmp_path: Path) -> Iterator[Stackcook]:
    """Runs the command in the repository; gives its exit code and output."""
    address = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.1"
    key = tmp_path / "id"
    key.write_text("")
    text = MANIFEST.replace("ADDRESS", address).replace("KEY", str(key))
    manifest.path.write_text(text)

    def stackcook(*arguments: str) -> tuple[int, str]:
        argv = (sys.executable, "-m", "stackcook", *arguments)
        environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        done = run(Command(argv, env=environment, cwd=manifest.root), timeout=60)
        return done.status, done.output

    yield stackcook
    EmbeddedServer(manifest.state, address).stop()


def document(output: str) -> Any:
    """The data at the end of the output, after the notes."""
    return data(output[output.index("{") :])


def test_upload_twice(stackcook: Stackcook, manifest: Manifest) -> None:
    status, output = stackcook("server", "status", "--json")
    assert status == ExitCode.DONE and document(output)["running"] is False
    status, output = stackcook("upload")
    assert status == ExitCode.DONE, output
    assert "10 created, 0 updated, 0 unchanged" in output
    status, output = stackcook("upload", "--json")
    assert status == ExitCode.DONE
    assert len(document(output)["unchanged"]) == 10
    password = (manifest.state / "data_bags" / "db_passwords" / "nova.json").read_text()
    assert "encrypted_data" in password

    status, output = stackcook("server", "status", "--json")
    assert document(output)["running"] is True
    assert os.path.exists(f"/proc/{document(output)['pid']}")
    assert "stopped" in stackcook("server", "stop")[1]
    assert "the server was not running" in stackcook("server", "stop")[1]
    assert stackcook("server", "start")[0] == ExitCode.DONE


def test_nothing_begins_with_a_bad_repository(stackcook: Stackcook, manifest: Manifest) -> None:
    (manifest.root / "roles" / "db.rb").write_text("name 'db'\nrun_list 'recipe[usrs]'\n")
    status, output = stackcook("upload")
    assert status == ExitCode.INPUT
    assert 'error: cookbook "usrs" is not in the manifest' in output
    assert 'did you mean "users"?' in output
    assert not manifest.state.exists()


def test_an_own_server_that_is_not_there(stackcook: Stackcook, manifest: Manifest) -> None:
    key = Path(__file__).parents[1] / "unit" / "chef" / "data" / "pkcs1.pem"
    own = f"  chef_server: {{url: 'http://127.0.0.1:9', user: me, key: {key}}}\n"
    manifest.path.write_text(manifest.path.read_text() + own)
    status, output = stackcook("upload")
    assert status == ExitCode.CHEF_SERVER
    assert "http://127.0.0.1:9: cannot connect to the Chef server (connection refused)" in output
    assert not manifest.state.exists()
    status, output = stackcook("server", "start")
    assert status == ExitCode.USAGE and "there is no embedded Chef server" in output


def test_an_upload_to_an_own_server_needs_no_machines(
    stackcook: Stackcook, manifest: Manifest, zero: ChefServer
) -> None:
    own = f"chef_server: {{url: '{zero.url}', user: {zero.user}, key: {zero.key}}}"
    section = f"stackcook:\n  {own}\n"
    text = manifest.path.read_text().partition("stackcook:")[0] + section
    vagrant = (
        "  network: 10.0.115.0/24\n  provider: virtualbox\n  nodes: {one: {address: 10.0.115.9}}"
    )
    for more in ("", vagrant):
        manifest.path.write_text(text + more)
        status, output = stackcook("upload")
        assert status == ExitCode.DONE, output
    assert "0 created, 0 updated, 8 unchanged" in output


def test_without_nodes_a_deploy_uploads(stackcook: Stackcook, manifest: Manifest) -> None:
    text = manifest.path.read_text()
    nodes, section = text.index("nodes:"), text.index("stackcook:")
    address = text.partition("server_address: ")[2].split()[0]
    manifest.path.write_text(
        f"{text[:nodes]}{text[section:]}".partition("  nodes:")[0] + "  passwords: {}\n"
    )
    status, output = stackcook("deploy")
    assert status == ExitCode.DONE, output
    done = "8 created, 0 updated, 0 unchanged; the manifest has no nodes to deploy"
    assert f"http://{address}:4545" in output and done in output
    assert stackcook("verify") == (0, "nothing to verify: the manifest has no nodes\n")
    status, output = stackcook("destroy", "--yes")
    assert status == ExitCode.DONE and "machines" not in output, output
    assert not manifest.state.exists()


def test_passwords_are_not_replaced(stackcook: Stackcook, manifest: Manifest) -> None:
    assert stackcook("upload")[0] == ExitCode.DONE
    (manifest.state / "data_bags" / "db_passwords" / "nova.json").unlink()
    status, output = stackcook("upload")
    assert status == ExitCode.CHEF_SERVER
    assert "the password db_passwords/nova on the Chef server differs from .stackcook" in output


def test_certificates_are_replaced(stackcook: Stackcook, manifest: Manifest) -> None:
    text = manifest.path.read_text()
    manifest.path.write_text(text.replace("stackcook:\n", "stackcook:\n  tls: public\n"))
    assert stackcook("upload")[0] == ExitCode.DONE
    (node,) = manifest.nodes
    (manifest.state / "data_bags" / "certificates" / f"{node.name}.json").unlink()
    status, output = stackcook("upload")
    assert status == ExitCode.DONE and "0 created, 1 updated" in output, output


def test_what_is_deleted(stackcook: Stackcook, manifest: Manifest) -> None:
    assert stackcook("upload")[0] == ExitCode.DONE
    manifest.path.write_text(
        manifest.path.read_text().replace("{web: }, ", "").replace("[web]", "[db]")
    )
    status, output = stackcook("upload", "--prune", "--only", "cookbooks,data_bags", "--json")
    assert status == ExitCode.DONE and document(output)["deleted"] == []
    status, output = stackcook("upload", "--prune", "--json")
    assert status == ExitCode.DONE and document(output)["deleted"] == ["role web"], output

    status, output = stackcook("upload", "--delete")
    assert (
        status == ExitCode.USAGE
        and "cannot ask for confirmation without a terminal; add --yes" in output
    )
    status, output = stackcook("upload", "--delete", "--prune")
    assert (
        status == ExitCode.USAGE
        and "--delete cannot be combined with --freeze, --force, --prune or --keep" in output
    )
    status, output = stackcook("upload", "--delete", "--yes", "--json")
    assert status == ExitCode.DONE
    assert set(document(output)["deleted"]) == {
        "role db",
        "environment qa",
        "environment prod",
        "cookbook base 1.2.0",
        "cookbook users 0.1.3",
        "data bag accounts",
    }
    status, output = stackcook("upload", "--only", "rules")
    assert status == ExitCode.USAGE and 'unknown section "rules"' in output


def test_git_adds_nothing_secret(stackcook: Stackcook, manifest: Manifest) -> None:
    text = manifest.path.read_text()
    manifest.path.unlink()
    assert stackcook("init", "--from-repository")[0] == 0
    manifest.path.write_text(text)
    assert stackcook("upload")[0] == 0
    clouds.write(manifest.root / "clouds.yaml", "http://127.0.0.1:5000", "geheim")
    assert (manifest.state / "chef" / "encrypted_data_bag_secret").exists()
    assert run(Command(("git", "init", "-q"), cwd=manifest.root), timeout=60).status == 0
    done = run(Command(("git", "add", "-A", "-n"), cwd=manifest.root), timeout=60)
    assert "add 'infrastructure.yml'" in done.output and "add 'roles/web.json'" in done.output
    assert ".stackcook" not in done.output and "clouds.yaml" not in done.output
