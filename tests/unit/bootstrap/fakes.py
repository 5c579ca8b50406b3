"""A node's shell, the Chef server's objects and knife, as far as a bootstrap asks them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stackcook.bootstrap.base import ConvergeResult, Deploy, Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.bootstrap.prebuilt import OnStart, Prebuilt
from stackcook.bootstrap.steps import steps_of
from stackcook.chef.rest.answers import Conflict, NotFound
from stackcook.command import Command, Completed, Say
from stackcook.manifest.model import ChefServer, Manifest, Node
from stackcook.remote.base import Host
from tests.fakes import node
from tests.runner import BaseRemote, FakeRun

ONE = node("one", "base", 10)
URL = "http://10.0.115.1:4545"
DEPLOY = Deploy("d-1")
DONE = "Infra Phase complete, 1/2 resources updated in 01 seconds\n"


class Chef:
    """The Chef server's objects, in a server without access control lists."""

    skew = 0.0

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        if path in ("/nodes", "/clients"):
            below = (other.rpartition("/") for other in self.objects)
            return {name: f"{URL}{path}/{name}" for kind, _, name in below if kind == path}
        if path not in self.objects:
            raise NotFound(path)
        return self.objects[path]

    def put(self, path: str, value: Any) -> Any:
        self.objects[path] = value

    def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
        path = f"{path}/{value['name']}"
        if path in self.objects:
            raise Conflict(path)
        self.objects[path] = value

    def delete(self, path: str) -> Any:
        self.get(path)
        del self.objects[path]


@dataclass
class Shell(BaseRemote):
    """A node's shell: answers each kind of command that is run on a node.

    ``asked`` and ``sent`` are the commands and their input, ``kind`` is the kind of the last one;
    ``opened`` are the hosts logged in to.
    """

    login: str = ""
    fit: str = "uid=0\nid=debian\nversion=13\nrelease=Debian 13\nclient=yes\nhost=one\n"
    converge: Completed = Completed(0, DONE)
    install: Completed = Completed(0, "")
    register: Completed = Completed(
        0, "-----BEGIN PUBLIC KEY-----\nnew\n-----END PUBLIC KEY-----\n"
    )
    fails: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    opened: list[Host] = field(default_factory=list)
    kind: str = ""

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Shell:
        self.opened.append(host)
        return self

    def run(self, command: str, **options: Any) -> Completed:  # type: ignore[override]
        done = super().run(command, **options)
        if self.kind in self.fails:
            raise self.fails[self.kind]  # after its output
        return done

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        self.asked.append(command)
        self.sent.append(stdin)
        self.kind, done = self._answer(command, stdin)
        return done

    def _answer(self, command: str, stdin: str) -> tuple[str, Completed]:
        if "kill -INT" in command:
            return "end", Completed(0, "")
        if "sha256sum --check" in command:
            return "send", Completed(0, "")
        if "chef-client --version" in command:
            return "version", Completed(0, "Chef Infra Client: 18.10.17\n")
        if "run-lock" in stdin:
            return "converge", self.converge
        if "wanted=" in stdin:
            return "install", self.install
        if "client.pem.new" in stdin:
            return "register", self.register
        if "os-release" in command:
            login = self.login if "client.pem" in command else ""
            return "look", Completed(0, f"{self.fit}time={time.time()}\n{login}")
        raise AssertionError(command)


@dataclass
class Knife(FakeRun):
    """``knife`` as a program: prints and ends."""

    done: Completed = Completed(0, f" [10.0.115.10] {DONE}")
    command: Command | None = None

    def answer(self, command: Command, say: Say) -> Completed:
        self.command = command
        for line in self.done.output.splitlines():
            say(line)
        return self.done


class NothingBuilt(Prebuilt):
    """Has an empty file for every node."""

    def package(self, codename: str, architecture: str, say: Say, on_start: OnStart) -> Path:
        return Path(os.devnull)

    def archive(self, say: Say, on_start: OnStart) -> Path:
        return Path(os.devnull)


@dataclass
class Setting:
    """Everything around one bootstrap; ``root`` is the manifest's directory."""

    root: Path
    chef: Chef = field(default_factory=Chef)
    shell: Shell = field(default_factory=Shell)
    knife: Knife = field(default_factory=Knife)
    host: Host = Host("one", "10.0.115.10", "vagrant", (Path("/key"),))
    openstack: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.root / ".stackcook"

    @property
    def context(self) -> BootstrapContext:
        server = ChefServer(URL, "me", self.state / "me.pem")
        secret = self.root / "secret"
        return BootstrapContext(
            self.chef,
            server,
            self.state,
            secret,
            self.openstack,
            opener=self.shell,
            runner=self.knife,
            grace=0,
            prebuilt=NothingBuilt(),
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
        self.shell.login = f"url={url}\nsecret={digest}  -\n{mine if own_key else other}"


def steps(
    chef: Bootstrap,
    node: Node,
    host: Host,
    registration: Registration = Registration.NEW,
    deploy: Deploy = DEPLOY,
) -> list[tuple[str, Callable[[Say], ConvergeResult | str]]]:
    """The steps of a node, as a plan has them: each with a function that performs it."""
    manifest = Manifest(Path("/x/infrastructure.yml"), "fake", nodes=(node,), bootstrap=chef.kind)
    known = registration is Registration.REGISTERED
    wanted = steps_of(node, manifest, registered=known, recipes=deploy.recipes.get(node.name, ()))
    return [
        (each.name, partial(chef.perform, each.name, node, host, deploy, each.timeout))
        for each in wanted
    ]


def take(
    chef: Bootstrap,
    node: Node,
    host: Host,
    say: Callable[[str], None] = print,
    registration: Registration = Registration.NEW,
    deploy: Deploy = DEPLOY,
) -> ConvergeResult:
    """Inspect a node and perform every step of it; returns what the last one says."""
    chef.look(node, host)
    *_, result = [work(say) for _, work in steps(chef, node, host, registration, deploy)]
    assert isinstance(result, ConvergeResult)
    return result


def again(
    chef: Bootstrap, node: Node, host: Host, say: Callable[[str], None] = print
) -> ConvergeResult:
    """Take every step of a node that is known."""
    return take(chef, node, host, say, Registration.REGISTERED)


def pem() -> str:
    """A new public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()
