"""What a native bootstrap leaves on the Chef server and in /etc/chef, beside what knife leaves."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stackcook.bootstrap import etc_chef, objects
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.knife import write_config
from stackcook.command import Command, find_program, run
from stackcook.errors import ChefServerError
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import ChefServer, Node
from tests.contract.conftest import AT
from tests.contract.servers import SERVERS, running

SECRET = "a secret that\r\nonly tests have"
OPTIONS = {
    "plain": "",
    "all": '--tags \'a, b\' -j \'{"web": {"port": 80}, "list": [1, null]}\' --hint ec2'
    " --hint own=own.json --secret-file own.secret --node-ssl-verify-mode none"
    " --no-node-verify-api-cert --bootstrap-proxy http://127.0.0.1:3128"
    " --bootstrap-no-proxy 127.0.0.2 --bootstrap-proxy-user me --bootstrap-proxy-pass geheim",
    "file": "--json-attribute-file web.json --node-ssl-verify-mode peer --secret 'by option'",
}

PROXIES = {
    "bootstrap_proxy": "http://127.0.0.1:8080",
    "bootstrap_proxy_user": "common",
    "bootstrap_proxy_pass": "it's common",
    "bootstrap_no_proxy": "*.example.com",
}
"""Those of the user's knife.rb, which options may override."""


@dataclass(frozen=True)
class Site:
    """A Chef server, and the directory of a manifest for it."""

    root: Path
    server: ChefServer
    client: ChefClient

    @property
    def context(self) -> BootstrapContext:
        return BootstrapContext(self.client, self.server, self.root / ".stackcook")

    @property
    def has_policies(self) -> bool:
        """True of chef-zero, which has all but a look at signatures."""
        return "/organizations/" in self.server.url

    def register(self, node: Node) -> tuple[dict[str, Any], bytes]:
        """Bootstrap natively, but for the node itself: its files, and its private key."""
        private, public = pair()
        options = self.context.options(node)
        attributes, secret = options.attributes(node.name), self.context.secret_of(node)
        found = etc_chef.files(self.server, node, options, first_boot=attributes, secret=secret)
        objects.register(self.client, node, public, attributes, options.tags)
        return {file.path: file.text for file in found}, private

    def as_node(self, name: str, key: bytes) -> ChefServer:
        """The server as the node sees it."""
        path = self.root / "node.pem"
        path.write_bytes(key)
        return replace(self.server, user=name, key=path)


def pair() -> tuple[bytes, str]:
    """A private and its public key, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return (
        key.private_bytes(encoding, private, serialization.NoEncryption()),
        key.public_key().public_bytes(encoding, public).decode(),
    )


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    (root / "own.json").write_text('{"zone": "a"}')
    (root / "web.json").write_text('{"web": {"port": 8080}}')
    (root / "own.secret").write_bytes(f"{SECRET}\r\n".encode())
    certificates = root / ".stackcook" / "chef" / "trusted_certs"
    certificates.mkdir(parents=True)
    with running(request.param, root) as server, ChefClient(server) as client:
        server = replace(server, proxies=PROXIES)
        write_config(root / ".stackcook", server)
        yield Site(root, server, client)


@pytest.fixture(scope="module")
def knifes(site: Site) -> Mapping[str, Any]:
    """What knife makes of each of OPTIONS, and of a policy: one knife for all, it starts slowly."""
    common = ["127.0.0.1"]
    ran = ["-E", "_default", "-r", "role[base],recipe[x::y]"]
    argv = {
        name: [*common, "-N", f"knife-{name}", *ran, *shlex.split(options)]
        for name, options in OPTIONS.items()
    }
    if site.has_policies:
        policy = ["--policy-name", "web", "--policy-group", "prod"]
        argv["policy"] = [*common, "-N", "knife-policy", *policy]
    command = Command(
        (str(find_program("knife")), "exec", str(Path(__file__).with_name("native.rb")))
        + ("-c", str(site.root / ".stackcook" / "chef" / "config.rb")),
        env={"ARGUMENTS": json.dumps(list(argv.values())), "CHEF_LICENSE": "accept-silent"},
        cwd=site.root,
    )
    done = run(command, timeout=120)
    lines = [line for line in done.output.splitlines() if line.startswith("JSON: ")]
    assert lines, done.output
    return dict(zip(argv, json.loads(lines[0].removeprefix("JSON: "))))


def bare(site: Site, path: str, kind: str) -> Any:
    """An object of the server, without its name."""
    return json.loads(json.dumps(site.client.get(path)).replace(f"{kind}-", "NAME-"))


@pytest.mark.parametrize("name", [*OPTIONS, "policy"])
def test_files_and_objects_are_knife_s(site: Site, knifes: Mapping[str, Any], name: str) -> None:
    if name == "policy":
        if not site.has_policies:
            pytest.skip("goiardi has no policies")
        node = Node("own-policy", AT, policy_name="web", policy_group="prod")
    else:
        run_list = ("role[base]", "recipe[x::y]")
        node = Node(f"own-{name}", AT, run_list, options=parse(OPTIONS[name]))
    files, _ = site.register(node)
    theirs = knifes[name]
    assert files["client.rb"].replace("own-", "knife-") == theirs["client.rb"]
    assert json.loads(files["first-boot.json"]) == theirs["first-boot.json"]
    hints = {
        path.removeprefix("ohai/hints/").removesuffix(".json"): json.loads(text)
        for path, text in files.items()
        if path.startswith("ohai/")
    }
    assert hints == theirs["hints"]
    secret = files.get("encrypted_data_bag_secret")
    assert (secret and secret.rstrip("\n")) == theirs["secret"]
    assert bare(site, f"/nodes/own-{name}", "own") == bare(site, f"/nodes/knife-{name}", "knife")
    ours = bare(site, f"/clients/own-{name}", "own")
    assert {**ours, "public_key": ""} == {
        **bare(site, f"/clients/knife-{name}", "knife"),
        "public_key": "",
    }


def test_a_node_logs_in_and_may_change_itself(site: Site) -> None:
    _, key = site.register(Node("one", AT, ("role[base]",)))
    with ChefClient(site.as_node("one", key)) as client:
        found = client.get("/nodes/one")
        client.put("/nodes/one", {**found, "normal": {"seen": True}})
    assert site.client.get("/nodes/one")["normal"] == {"seen": True}
    lists = objects.find(site.client, "/nodes/one/_acl") or {}
    assert all("one" in lists[name]["actors"] for name in lists)


def test_a_second_key_takes_the_place_of_the_first(site: Site) -> None:
    node = Node("again", AT, ("role[base]",))
    _, old = site.register(node)
    site.client.put("/nodes/again", {**site.client.get("/nodes/again"), "normal": {"stale": 1}})
    _, new = site.register(node)
    assert site.client.get("/nodes/again")["normal"] == {}
    with ChefClient(site.as_node("again", new)) as client:
        assert client.get("/nodes/again")["name"] == "again"
    if not site.has_policies:  # the other one looks at no signature
        with ChefClient(site.as_node("again", old)) as client:
            with pytest.raises(ChefServerError, match="401"):
                client.get("/nodes/again")


def test_what_is_forgotten_is_gone(site: Site) -> None:
    site.register(Node("gone", AT))
    assert objects.forget(site.client, "gone") and not objects.forget(site.client, "gone")
    assert objects.public_key(site.client, "gone") is None
