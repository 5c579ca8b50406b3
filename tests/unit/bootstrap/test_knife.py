"""Bootstrap and converge: what is asked of knife, of the server and of the node."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stackcook.bootstrap.base import Bootstrap, ConvergeResult, Deploy, Standing
from stackcook.bootstrap.knife import KnifeBootstrap, Underway
from stackcook.chef.client import NotFound
from stackcook.command import Command, Completed
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host
from tests.fakes import node

ONE = node("one", "base", 10)
URL = "http://10.0.115.1:4545"
DEPLOY = Deploy("d-1")
DONE = "Infra Phase complete, 1/2 resources updated in 01 seconds\n"


class Chef:
    """The Chef server's objects."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        if path not in self.objects:
            raise NotFound(path)
        return self.objects[path]

    def put(self, path: str, value: Any) -> Any:
        self.objects[path] = value

    def delete(self, path: str) -> Any:
        self.get(path)
        del self.objects[path]


@dataclass
class Shell:
    """A node's shell: answers the probe and chef-client."""

    probe: str = "root\n"
    converge: Completed = Completed(0, DONE)
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Shell:
        return self

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
        timeout: float | None = None,
    ) -> Completed:
        self.asked.append(command)
        self.sent.append(stdin)
        done = self.converge if "run-lock" in command else Completed(0, self.probe)
        for line in done.output.splitlines():
            if on_line:
                on_line(line)
        return done

    def put(self, data: bytes, path: str, mode: int) -> None:
        ...

    def get(self, path: str) -> bytes:
        raise AssertionError("nothing is fetched from a node")

    def close(self) -> None:
        ...

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        ...


@dataclass
class Knife:
    """``knife`` as a program: prints and ends."""

    done: Completed = Completed(0, f" [10.0.115.10] {DONE}")
    command: Command | None = None

    def __call__(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None] | None = None,
        timeout: float | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Completed:
        self.command = command
        for line in self.done.output.splitlines():
            if on_line:
                on_line(line)
        return self.done


@dataclass
class Setting:
    """Everything around one bootstrap."""

    state: Path
    chef: Chef = field(default_factory=Chef)
    shell: Shell = field(default_factory=Shell)
    knife: Knife = field(default_factory=Knife)
    host: Host = Host("one", "10.0.115.10", "vagrant", Path("/key"))

    @property
    def bootstrap(self) -> KnifeBootstrap:
        secret = self.state / "secret"
        return KnifeBootstrap(
            self.chef, URL, self.state, secret, opener=self.shell, runner=self.knife
        )

    def register(self, *, url: str = URL, secret: str = "s3", own_key: bool = True) -> None:
        """The server and the node know each other, unless told otherwise."""
        mine, other = pem(), pem()
        self.chef.objects = {
            "/clients/one": {"public_key": mine},
            "/nodes/one": {
                "name": "one",
                "run_list": ["role[base]"],
                "chef_environment": "lab",
                "normal": {"openstack": {"address": "10.0.115.10"}, "tags": ["a"]},
            },
        }
        digest = hashlib.sha256(f"{secret}\n".encode()).hexdigest()
        self.shell.probe = f"root\nurl={url}\nsecret={digest}  -\n{mine if own_key else other}"


def take(
    chef: Bootstrap,
    node: Node,
    host: Host,
    say: Callable[[str], None] = print,
    standing: Standing = Standing.NEW,
) -> ConvergeResult:
    """Take every step of a node, as the engine does; what the last one says."""
    steps = (
        *chef.ahead(node, host, standing, DEPLOY),
        *chef.converge(node, host, standing, DEPLOY),
    )
    *_, result = [step.work(say) for step in steps]
    assert isinstance(result, ConvergeResult)
    return result


def again(
    chef: Bootstrap, node: Node, host: Host, say: Callable[[str], None] = print
) -> ConvergeResult:
    """Take every step of a node that is known."""
    return take(chef, node, host, say, Standing.KNOWN)


def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    (tmp_path / "secret").write_text("s3\n")
    monkeypatch.setattr("stackcook.bootstrap.knife.find_program", lambda name: Path("/bin") / name)
    return Setting(tmp_path)


def test_a_node_that_nobody_knows_is_new(setting: Setting) -> None:
    assert setting.bootstrap.standing(ONE, setting.host) is Standing.NEW


def test_a_node_that_logs_in_is_known(setting: Setting) -> None:
    setting.register()
    assert setting.bootstrap.standing(ONE, setting.host) is Standing.KNOWN


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.register(url="http://10.9.9.9:4545"),
        lambda s: s.register(secret="another"),
        lambda s: s.register(own_key=False),
        lambda s: (s.register(), setattr(s.shell, "probe", "root\n")),
        lambda s: (s.register(), s.chef.objects.pop("/nodes/one")),
        lambda s: (s.register(), s.chef.objects.pop("/clients/one")),
    ],
    ids=["other server", "other secret", "other key", "fresh machine", "no node", "no client"],
)
def test_what_can_not_log_in_is_half_made(
    setting: Setting, change: Callable[[Setting], object]
) -> None:
    change(setting)
    assert setting.bootstrap.standing(ONE, setting.host) is Standing.HALF


def test_a_user_who_can_not_become_root_is_named(setting: Setting) -> None:
    setting.register()
    setting.shell.probe = "sudo: a password is required\n"
    with pytest.raises(NodeError, match="vagrant can't become root .*password is required"):
        setting.bootstrap.standing(ONE, setting.host)


def test_knife_gets_all_by_file_and_verifies_our_host_keys(setting: Setting) -> None:
    setting.register(own_key=False)
    lines: list[str] = []
    result = take(setting.bootstrap, ONE, setting.host, lines.append)
    assert (result.updated, result.total) == (1, 2)
    assert lines == [DONE.strip()]
    assert setting.chef.objects == {}, "what a half-made node left is gone"
    command = setting.knife.command
    assert command
    line = " ".join(command.argv)
    assert "knife bootstrap 10.0.115.10" in line
    assert "-N one -U vagrant -i /key" in line and "-E lab -r role[base]" in line
    assert "--ssh-verify-host-key always" in line
    assert "--sudo" in line and "s3" not in line
    assert "-p" not in command.argv, "22 as text is looked for as [ADDRESS]:22"
    attributes = command.argv[command.argv.index("--json-attribute-file") + 1]
    assert json.loads(Path(attributes).read_text()) == {
        "openstack": {"address": "10.0.115.10"},
        "stackcook": {"deploy": "d-1"},
    }
    config = Path(str(command.env["HOME"])) / ".ssh" / "config"
    assert f'GlobalKnownHostsFile "{setting.state}/known_hosts"' in config.read_text()


def test_a_policy_stands_for_run_list_and_environment(setting: Setting) -> None:
    node = replace(ONE, policy_name="web", policy_group="prod", run_list=())
    take(setting.bootstrap, node, setting.host)
    assert setting.knife.command
    line = " ".join(setting.knife.command.argv)
    assert "--policy-name web --policy-group prod" in line
    assert " -E " not in line and " -r " not in line
    setting.chef.objects["/nodes/one"] = {"run_list": ["role[base]"]}
    again(setting.bootstrap, node, setting.host)
    there = setting.chef.objects["/nodes/one"]
    assert (there["policy_name"], there["policy_group"]) == ("web", "prod")
    assert " -E " not in setting.shell.asked[-1]


def test_a_node_s_lines_come_out_of_knife_s_packets(setting: Setting) -> None:
    packets = ["Connecting to 10.0.115.10", " [10.0.115.10]   ", "", " [10.0.115.10] - one", "two"]
    setting.knife.done = Completed(0, "\n".join([*packets, f" [10.0.115.10] {DONE}"]))
    lines: list[str] = []
    take(setting.bootstrap, ONE, setting.host, lines.append)
    assert lines == ["Connecting to 10.0.115.10", "  - one", "two", DONE.strip()]


def test_root_needs_no_sudo_and_other_ports_are_said(setting: Setting) -> None:
    host = Host("one", "10.0.115.10", "root", Path("/key"), 2222)
    take(setting.bootstrap, ONE, host)
    assert setting.knife.command
    assert "--sudo" not in setting.knife.command.argv
    assert ("-p", "2222") == setting.knife.command.argv[-4:-2]


@pytest.mark.parametrize(
    "status, output, why",
    [
        (1, "ERROR: Train::Transports::SSHFailed: x\n", "one: Train::Transports::SSHFailed: x;"),
        (0, "WARN: nothing to do\n", "did not say that it ended"),
    ],
)
def test_success_takes_status_and_chef_s_own_word(
    setting: Setting, status: int, output: str, why: str
) -> None:
    setting.knife.done = Completed(status, output)
    with pytest.raises(NodeError, match=why):
        take(setting.bootstrap, ONE, setting.host)


def test_converging_leaves_a_node_that_is_in_step_alone(setting: Setting) -> None:
    setting.register()
    before = json.dumps(setting.chef.objects)
    result = again(setting.bootstrap, ONE, setting.host)
    assert (result.updated, result.total) == (1, 2)
    assert json.dumps(setting.chef.objects) == before
    assert "chef-client -E lab" in setting.shell.asked[-1]


def test_converging_brings_run_list_environment_and_address_in_step(setting: Setting) -> None:
    setting.register()
    old = setting.chef.objects["/nodes/one"]
    setting.chef.objects["/nodes/one"] = {**old, "run_list": ["role[old]"], "normal": {}}
    again(setting.bootstrap, ONE, setting.host)
    new = setting.chef.objects["/nodes/one"]
    assert new["run_list"] == ["role[base]"]
    sent = json.loads(setting.shell.sent[-1])
    assert sent == {"openstack": {"address": "10.0.115.10"}, "stackcook": {"deploy": "d-1"}}
    assert new["normal"] == {}, "the node itself says what a good run was"


def test_a_failed_recipe_is_one_line(setting: Setting) -> None:
    setting.register()
    text = (Path(__file__).parent / "broken.txt").read_text()
    setting.shell.converge = Completed(1, text)
    with pytest.raises(NodeError) as failed:
        again(setting.bootstrap, ONE, setting.host)
    assert str(failed.value) == (
        "one: Error executing action `run` on resource 'execute[boom]'"
        " (trivial/recipes/broken.rb:1): it is broken; see more with `stackcook logs one`"
    )


def test_an_interrupt_ends_what_runs_and_what_begins_later_but_not_what_is_over() -> None:
    underway, ended = Underway(), list[str]()
    with underway.noting() as note:
        note(lambda: ended.append("over"))
    with underway.noting() as note:
        note(lambda: ended.append("running"))
        underway.end()
        note(lambda: ended.append("later"))
    assert ended == ["running", "later"]
