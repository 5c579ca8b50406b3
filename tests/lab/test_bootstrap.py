"""One real node from unknown to known and back: bootstrap, repair, host keys, failures.

The tests are one story on one machine with a trivial cookbook, in a lab of its own; told twice,
with stackcook's own bootstrap and with knife's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest

from stackcook.bootstrap.base import Deploy, Standing
from stackcook.cli.wiring import RealSite
from stackcook.errors import NodeError
from stackcook.machines.cache import cache
from stackcook.manifest.model import Manifest, Node
from stackcook.manifest.read import read
from tests.contract.servers import wait

pytestmark = pytest.mark.incremental

REPOSITORY = Path(__file__).resolve().parents[2]
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


@dataclass(frozen=True)
class Lab:
    """The repository and what its user runs there; ``kind`` is that of its bootstrap."""

    root: Path
    kind: str

    @contextmanager
    def start(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on meanwhile; it does not outlive the block."""
        program = (sys.executable, "-m", "stackcook", "-f", str(self.root / "infrastructure.yml"))
        with subprocess.Popen(
            [*program, *argv],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        with self.start(*argv) as process:
            out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def deploy(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, what became of the node, and the errors."""
        done = self.run("--json", "deploy")
        data = json.loads(done.stdout)
        return done.returncode, data["nodes"]["one"], " ".join(e["error"] for e in data["errors"])

    def choose(self, kind: str) -> None:
        """Let the manifest want that bootstrap."""
        text = FILES["infrastructure.yml"].replace("KIND", kind)
        (self.root / "infrastructure.yml").write_text(text)

    def give(self, *run_list: str) -> None:
        """Change what the node's role is."""
        role = {"name": "base", "run_list": run_list}
        (self.root / "roles" / "base.json").write_text(json.dumps(role))

    @property
    def known_hosts(self) -> Path:
        return self.root / ".stackcook" / "known_hosts"


@pytest.fixture(scope="module", params=FIRST)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab's directory, always the same: what a crashed run left is taken away first."""
    lab = Lab(cache() / "lab" / NAME, request.param)
    for path, text in FILES.items():
        (lab.root / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path).write_text(text)
    lab.choose(lab.kind)
    assert lab.run("destroy", "--yes").returncode == 0
    yield lab
    assert lab.run("destroy", "--yes").returncode == 0
    shutil.rmtree(lab.root)


def manifest_of(lab: Lab) -> tuple[Manifest, Node]:
    manifest, findings = read(lab.root / "infrastructure.yml")
    assert manifest, findings
    return manifest, manifest.nodes[0]


def on_node(lab: Lab, command: str) -> str:
    done = lab.run("ssh", "one", "--", command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def left_by_bootstrap(lab: Lab) -> dict[str, Any]:
    """The files of /etc/chef with their modes, and the node object; without keys and times."""
    script = (
        "cd /etc/chef; find . -type f -printf '%p %m %u\\n' | sort;"
        " cat client.rb encrypted_data_bag_secret stackcook.rb ohai/hints/*"
    )
    manifest, node = manifest_of(lab)
    found = RealSite(manifest).client.get(f"/nodes/{node.name}")
    assert found["normal"].pop("stackcook")["deploy"].startswith(("c-", "d-"))
    return {
        "files": on_node(lab, f'sudo sh -c "{script}"').split("\n"),
        "first boot": json.loads(on_node(lab, "sudo cat /etc/chef/first-boot.json")),
        "node": {key: found[key] for key in ("name", "chef_environment", "run_list", "normal")},
    }


def test_a_new_node_is_bootstrapped_with_its_address_and_environment(lab: Lab) -> None:
    code, node, errors = lab.deploy()
    assert (code, errors) == (0, "")
    assert (node["step"], node["updated"], node["total"]) == (FIRST[lab.kind], 1, 1)
    assert on_node(lab, "cat /etc/trivial") == "10.0.115.10 lab\n"
    assert lab.known_hosts.read_text().startswith("10.0.115.10 ssh-")


def test_a_known_node_is_converged_and_nothing_changes(lab: Lab) -> None:
    client = on_node(lab, "sudo cat /etc/chef/client.pem")
    code, node, _ = lab.deploy()
    assert (code, node["step"], node["updated"]) == (0, "converge", 0)
    assert on_node(lab, "sudo cat /etc/chef/client.pem") == client
    assert lab.run("converge", "--twice").returncode == 0


def test_what_it_leaves_is_what_the_other_bootstrap_leaves(lab: Lab) -> None:
    (other,) = FIRST.keys() - {lab.kind}
    before = left_by_bootstrap(lab)
    lab.choose(other)
    on_node(lab, "sudo rm -r /etc/chef")
    code, node, errors = lab.deploy()
    assert (code, node["step"], errors) == (0, FIRST[other], "")
    assert left_by_bootstrap(lab) == before
    assert "./first-boot.json 600 root" in before["files"]
    lab.choose(lab.kind)


def test_a_changed_host_key_is_refused_by_us_and_by_knife(lab: Lab) -> None:
    recorded = lab.known_hosts.read_text()
    other = paramiko.RSAKey.generate(2048)
    lab.known_hosts.write_text(f"10.0.115.10 {other.get_name()} {other.get_base64()}\n")
    try:
        code, _, errors = lab.deploy()
        assert code == 4
        assert "is not the one recorded on first contact" in errors
        manifest, node = manifest_of(lab)
        site = RealSite(manifest)
        host = site.machines.hosts([node])["one"]
        why = 'fingerprint .* does not match for "10.0.115.10"|recorded on first contact'
        steps = site.bootstrap().converge(node, host, Standing.NEW, Deploy("d-0"))
        with pytest.raises(NodeError, match=why):
            steps[-1].work(lambda line: None)
    finally:
        lab.known_hosts.write_text(recorded)


def test_a_half_made_node_is_repaired(lab: Lab) -> None:
    """knife's try before has taken the node from the server; now its key is gone as well."""
    assert lab.deploy()[1]["step"] == FIRST[lab.kind]
    on_node(lab, "sudo rm /etc/chef/client.pem")
    code, node, _ = lab.deploy()
    assert (code, node["step"], node["updated"]) == (0, FIRST[lab.kind], 0)
    assert lab.deploy()[1]["step"] == "converge"


def test_a_machine_that_was_taken_away_by_hand_is_made_anew(lab: Lab) -> None:
    argv = [*SUDO, "lxc-destroy", "--force", "--name", f"{NAME}-one"]
    subprocess.run(argv, check=True, capture_output=True)
    code, node, _ = lab.deploy()
    assert (code, node["step"], node["updated"]) == (0, FIRST[lab.kind], 1)


def test_a_broken_recipe_is_one_line_and_the_log_has_the_rest(lab: Lab) -> None:
    lab.give("recipe[trivial::broken]")
    code, node, errors = lab.deploy()
    lab.give("recipe[trivial]")
    assert (code, node["result"]) == (4, "failed")
    assert "(trivial/recipes/broken.rb:1): it is broken; " in errors
    assert "Mixlib::ShellOut::ShellCommandFailed" in lab.run("logs", "one").stdout
    assert lab.deploy()[0] == 0


def test_a_second_interrupt_ends_what_runs_on_the_node(lab: Lab) -> None:
    lab.give("recipe[trivial::endless]")
    running = "pgrep -af '[s]leep 600|[c]hef-client' || echo none"  # not the shell that asks
    with lab.start("deploy") as process:
        wait(lambda: process.poll() is not None or "sleep 600" in on_node(lab, running))
        process.send_signal(signal.SIGINT)
        # Two signals at once would be one.
        assert process.stderr and any("Interrupted: " in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    assert on_node(lab, running) == "none\n"
    lab.give("recipe[trivial]")
    assert lab.deploy()[0] == 0


def test_destroy_leaves_no_state(lab: Lab) -> None:
    assert lab.run("destroy", "--yes").returncode == 0
    assert not (lab.root / ".stackcook").exists()
    assert lab.run("destroy", "--yes").returncode == 0
