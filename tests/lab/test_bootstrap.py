"""One real node from unknown to known and back: bootstrap, repair, host keys, failures.

The tests are one story on one machine with a trivial cookbook, in a lab of its own; told twice,
with stackcook's own bootstrap and with knife's.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest

from stackcook.bootstrap import knife
from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.cache import cache
from stackcook.operations.site import Site
from stackcook.errors import NodeError
from stackcook.manifest.model import Manifest, Node
from stackcook.manifest.read import read
from tests.contract.servers import wait
from tests.started import Done, Started, command, environment

pytestmark = pytest.mark.incremental

SUDO = () if os.geteuid() == 0 else ("sudo", "-n")
NAME = "scte"
FILES = {
    "infrastructure.yml": f"""\
cookbooks: [{{trivial: }}]
environments: [{{lab: }}]
roles: [{{base: }}]
options: "-E lab --tags 'a b' --hint ec2 --json-attribute-file web.json"
nodes:
- one: {{run_list: "role[base]"}}
stackcook:
  name: {NAME}
  machines: vagrant
  provider: lxc
  network: 10.0.115.0/24
  passwords: {{}}
  bootstrap: KIND
  nodes:
    one: {{address: 10.0.115.10, memory: 512, cpus: 1}}
""",
    "web.json": '{"web": {"port": 80}}',
    "environments/lab.json": '{"name": "lab"}',
    "roles/base.json": '{"name": "base", "run_list": ["recipe[trivial]"]}',
    "cookbooks/trivial/metadata.rb": "name 'trivial'\nversion '0.1.0'\n",
    "cookbooks/trivial/recipes/default.rb": """\
file '/etc/trivial' do
  content "#{node['openstack']['address']} #{node.environment}\\n"
end
""",
    "cookbooks/trivial/recipes/broken.rb": "execute 'echo it is broken >&2; exit 3'\n",
    "cookbooks/trivial/recipes/endless.rb": "execute 'sleep 600'\n",
}
FIRST = {"native": "converge", "knife": "bootstrap"}
"""The last step of a node that was not known, by kind of bootstrap."""

log = logging.getLogger("lab")


@dataclass(frozen=True)
class OneNode:
    """The node's repository, and what its user runs there; ``kind`` is that of its bootstrap."""

    root: Path
    kind: str

    @property
    def manifest(self) -> Path:
        return self.root / "infrastructure.yml"

    def start(self, *argv: str) -> Started:
        """A command that goes on meanwhile."""
        words = command(self.manifest, *argv)
        return Started(words, cwd=self.root, tell=log.info, env=environment())

    def run(self, *argv: str) -> Done:
        return self.start(*argv).ended(600)

    def deploy(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, what became of the node, and the errors."""
        done = self.run("--json", "deploy")
        return done.status, done.data["nodes"]["one"], " ".join(done.errors.values())

    def choose(self, kind: str) -> None:
        """Let the manifest want that bootstrap."""
        text = FILES["infrastructure.yml"].replace("KIND", kind)
        self.manifest.write_text(text)

    def give(self, *run_list: str) -> None:
        """Change what the node's role is."""
        role = {"name": "base", "run_list": run_list}
        (self.root / "roles" / "base.json").write_text(json.dumps(role))

    @property
    def known_hosts(self) -> Path:
        return self.root / ".stackcook" / "known_hosts"


@pytest.fixture(scope="module", params=FIRST)
def one(request: pytest.FixtureRequest) -> Iterator[OneNode]:
    """The lab's directory, always the same: what a crashed run left is taken away first."""
    one = OneNode(cache() / "lab" / NAME, request.param)
    for path, text in FILES.items():
        (one.root / path).parent.mkdir(parents=True, exist_ok=True)
        (one.root / path).write_text(text)
    one.choose(one.kind)
    assert one.run("destroy", "--yes").status == 0
    yield one
    assert one.run("destroy", "--yes").status == 0
    shutil.rmtree(one.root)


def manifest_of(one: OneNode) -> tuple[Manifest, Node]:
    manifest, findings = read(one.manifest)
    assert manifest, findings
    return manifest, manifest.nodes[0]


def on_node(one: OneNode, script: str) -> str:
    done = one.run("ssh", "one", "--", script)
    assert done.status == 0, done.err
    return done.out


def left_by_bootstrap(one: OneNode) -> dict[str, Any]:
    """The files of /etc/chef with their modes, and the node object; without keys and times."""
    script = (
        "cd /etc/chef; find . -type f -printf '%p %m %u\\n' | sort;"
        " cat client.rb encrypted_data_bag_secret stackcook.rb ohai/hints/*"
    )
    manifest, node = manifest_of(one)
    found = Site(manifest).client.get(f"/nodes/{node.name}")
    assert found["normal"].pop("stackcook")["deploy"].startswith(("c-", "d-"))
    return {
        "files": on_node(one, f'sudo sh -c "{script}"').split("\n"),
        "first boot": json.loads(on_node(one, "sudo cat /etc/chef/first-boot.json")),
        "node": {key: found[key] for key in ("name", "chef_environment", "run_list", "normal")},
    }


def test_a_new_node_is_bootstrapped_with_its_address_and_environment(one: OneNode) -> None:
    code, node, errors = one.deploy()
    assert (code, errors) == (0, "")
    assert (node["step"], node["updated"], node["total"]) == (FIRST[one.kind], 1, 1)
    assert on_node(one, "cat /etc/trivial") == "10.0.115.10 lab\n"
    assert one.known_hosts.read_text().startswith("10.0.115.10 ssh-")


def test_a_known_node_is_converged_and_nothing_changes(one: OneNode) -> None:
    client = on_node(one, "sudo cat /etc/chef/client.pem")
    code, node, _ = one.deploy()
    assert (code, node["step"], node["updated"]) == (0, "converge", 0)
    assert on_node(one, "sudo cat /etc/chef/client.pem") == client
    assert one.run("converge", "--twice").status == 0


def test_what_it_leaves_is_what_the_other_bootstrap_leaves(one: OneNode) -> None:
    (other,) = FIRST.keys() - {one.kind}
    before = left_by_bootstrap(one)
    one.choose(other)
    on_node(one, "sudo rm -r /etc/chef")
    code, node, errors = one.deploy()
    assert (code, node["step"], errors) == (0, FIRST[other], "")
    assert left_by_bootstrap(one) == before
    assert "./first-boot.json 600 root" in before["files"]
    one.choose(one.kind)


def test_a_changed_host_key_is_refused_by_us_and_by_knife(one: OneNode) -> None:
    recorded = one.known_hosts.read_text()
    other = paramiko.RSAKey.generate(2048)
    one.known_hosts.write_text(f"10.0.115.10 {other.get_name()} {other.get_base64()}\n")
    try:
        code, _, errors = one.deploy()
        assert code == 4
        assert "the SSH host key of" in errors and "has changed" in errors
        manifest, node = manifest_of(one)
        site = Site(manifest)
        host = site.machines.hosts([node])["one"]
        why = 'fingerprint .* does not match for "10.0.115.10"|key of 10.0.115.10 has changed'
        bootstrap, deploy = site.bootstrap(), Deploy("d-0")
        with pytest.raises(NodeError, match=why):
            if one.kind == "knife":  # without facts, we would send it a client before knife begins
                task = NodeTask(bootstrap.context, "bootstrap", node, host, deploy, 600, log.info)
                knife.bootstrap(task, HostFacts({"client": "yes"}, "http://chef", 0.0))
            bootstrap.perform("converge", node, host, deploy, 600, log.info)
    finally:
        one.known_hosts.write_text(recorded)


def test_a_half_made_node_is_repaired(one: OneNode) -> None:
    """knife's try before has taken the node from the server; now its key is gone as well."""
    assert one.deploy()[1]["step"] == FIRST[one.kind]
    on_node(one, "sudo rm /etc/chef/client.pem")
    code, node, _ = one.deploy()
    assert (code, node["step"], node["updated"]) == (0, FIRST[one.kind], 0)
    assert one.deploy()[1]["step"] == "converge"


def test_a_machine_that_was_taken_away_by_hand_is_made_anew(one: OneNode) -> None:
    argv = [*SUDO, "lxc-destroy", "--force", "--name", f"{NAME}-one"]
    subprocess.run(argv, check=True, capture_output=True)
    code, node, _ = one.deploy()
    assert (code, node["step"], node["updated"]) == (0, FIRST[one.kind], 1)


def test_a_broken_recipe_is_one_line_and_the_log_has_the_rest(one: OneNode) -> None:
    one.give("recipe[trivial::broken]")
    code, node, errors = one.deploy()
    one.give("recipe[trivial]")
    assert (code, node["result"]) == (4, "failed")
    assert "(trivial/recipes/broken.rb:1): it is broken; " in errors
    assert "Mixlib::ShellOut::ShellCommandFailed" in one.run("logs", "one").out
    assert one.deploy()[0] == 0


def test_a_second_interrupt_ends_what_runs_on_the_node(one: OneNode) -> None:
    one.give("recipe[trivial::endless]")
    running = "pgrep -af '[s]leep 600|[c]hef-client' || echo none"  # not the shell that asks
    with one.start("deploy") as deploy:
        wait(lambda: deploy.process.poll() is not None or "sleep 600" in on_node(one, running))
        deploy.process.send_signal(signal.SIGINT)
        # Two signals at once would be one.
        deploy.wait_for(lambda lines: any("interrupted: " in line for line in lines))
        deploy.process.send_signal(signal.SIGINT)
        assert deploy.ended(60).status == 130
    assert on_node(one, running) == "none\n"
    one.give("recipe[trivial]")
    assert one.deploy()[0] == 0


def test_a_timer_converges_the_node(one: OneNode) -> None:
    timers = "systemctl list-timers --all --no-legend; ls /etc/chef"
    without = one.manifest.read_text()
    one.manifest.write_text(f"{without}  client: {{interval: 30m}}\n")
    assert one.deploy()[0] == 0
    assert "chef-client.timer" in on_node(one, timers)
    on_node(one, "sudo rm /etc/trivial && sudo systemctl start chef-client.service")
    assert on_node(one, "cat /etc/trivial") == "10.0.115.10 lab\n"
    one.manifest.write_text(without)
    assert one.deploy()[0] == 0
    left = on_node(one, timers)
    assert "chef-client.timer" not in left and "stackcook-timer" not in left


def test_destroy_leaves_no_state(one: OneNode) -> None:
    assert one.run("destroy", "--yes").status == 0
    assert not (one.root / ".stackcook").exists()
    assert one.run("destroy", "--yes").status == 0
