"""The options of knife bootstrap: files, secrets and the way in; the same for every bootstrap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.options import Options, options_of
from stackcook.bootstrap.providers import create_arguments
from stackcook.errors import NodeError
from stackcook.knife import Form, commands
from stackcook.knife.files import Files
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import BootstrapKind
from stackcook.manifest.read import read
from stackcook.remote.base import Host
from tests.unit.bootstrap.fakes import ONE, Setting, take

HOST = Host("one", "10.0.115.10", "me", (Path("/key"),))


def options(text: str, root: Path = Path("/repo")) -> Options:
    return options_of(replace(ONE, options=parse(text)), root)


def test_hints_and_attributes_are_read_beside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"zone": "a"}')
    found = options("--hint ec2 --hint own=own.json --json-attribute-file own.json", tmp_path)
    assert found.hints("one") == {"ec2": {}, "own": {"zone": "a"}}
    assert found.attributes("one") == {"zone": "a"}


def test_a_file_of_a_user_whom_this_machine_does_not_know(tmp_path: Path) -> None:
    found = options("--json-attribute-file ~nobody-here/own.json", tmp_path)
    with pytest.raises(NodeError, match="cannot read .*/~nobody-here/own.json .No such file"):
        found.attributes("one")


def test_a_secret_is_the_node_s_own_or_the_deployment_s(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("everybody's\n")
    (tmp_path / "own").write_bytes(b" mine\r\nand more \r\n")
    own = "mine\r\nand more"
    for text, secret in (("", "everybody's"), ("--secret-file own", own), ("--secret x", "x")):
        found = options(text, tmp_path).secret("one", tmp_path / "common")
        assert found and found.reveal() == secret
    assert options("").secret("one", None) is None


def test_a_gateway_is_a_host_like_others() -> None:
    assert options("").reach(HOST) == HOST
    reached = options("-G gate").reach(HOST)
    gate = reached.gateway
    assert gate and (gate.name, gate.address) == ("gateway gate", "gate")
    assert (gate.user, gate.keys, gate.port) == (HOST.user, HOST.keys, 22)


@pytest.mark.parametrize(
    "common, own, password",
    [
        ("-P common", "", "common"),
        ("-P a -P b", "", "b"),
        ("-P common", "-P own", "own"),
        ("--ssh-password common", "-P first --connection-password=own", "own"),
    ],
)
def test_all_use_the_same_password(common: str, own: str, password: str, setting: Setting) -> None:
    """The last of a text, as knife has it; of several texts the one that is nearest to the node."""
    path = setting.root / "infrastructure.yml"
    entries = f"- one: {{options: {own}}}\n- ec2 1: {{name: cloud, options: {own}}}\n"
    path.write_text(f"options: {common} -i key\nnodes:\n{entries}")
    (setting.root / "key").touch()
    manifest, findings = read(path)
    assert manifest and not findings
    host, cloud = manifest.nodes
    assert host.options.one("password") == password

    native = Bootstrap(setting.context)
    reached = options_of(host, setting.root).reach(setting.host)
    native.look(host, reached)
    given = setting.shell.opened[-1].password
    assert given and given.reveal() == password

    take(Bootstrap(setting.context, BootstrapKind.KNIFE), host, reached)
    assert setting.knife.command
    config = setting.knife.command.argv[setting.knife.command.argv.index("-c") + 1]
    assert f'knife[:connection_password] = "{password}"' in Path(config).read_text()

    plan = commands(manifest, Files(), Form(("nodes",)))
    for line in (" ".join(create_arguments(cloud)), *plan):
        assert parse(line).one("password") == password, line


def test_the_nearest_counts_of_a_secret_and_attributes_however_they_are_given(
    tmp_path: Path, setting: Setting
) -> None:
    (tmp_path / "own").write_text('{"zone": "b"}')
    common = parse("--secret x -j '{}'")
    node = replace(ONE, options=parse("--secret-file own --json-attribute-file own").over(common))
    found = options_of(node, tmp_path)
    secret = found.secret("one", None)
    assert secret and secret.reveal() == '{"zone": "b"}'
    take(Bootstrap(setting.context, BootstrapKind.KNIFE), node, setting.host)
    assert setting.knife.command
    words = setting.knife.command.argv
    assert words[words.index("--secret-file") + 1] == str(tmp_path / "own")
    assert found.attributes("one") == {"zone": "b"}
