"""The Vagrantfile reads the manifest by itself, and finds the same machines in it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from stackcook.command import find_program
from stackcook.manifest.read import read

REPOSITORY = Path(__file__).parents[3]

OURS = (REPOSITORY / "infrastructure.yml").read_text()

STUB = """
require 'json'
# Stands for every object of Vagrant's: keeps what is set, follows `define` and `provider`.
class Recorder
  attr_reader :seen

  def initialize = @seen = {}

  def method_missing(name, *values, **)
    @seen[name.to_s.delete_suffix('=')] = values.first if name.end_with?('=')
    if %i(define provider).include?(name)
      inner = Recorder.new
      yield inner, inner
      @seen[values.first] = inner.seen
    end
    self
  end

  def respond_to_missing?(*) = true
end

module Vagrant
  def self.configure(_) = yield(MACHINES)
end

MACHINES = Recorder.new
load ARGV.fetch(0)
puts JSON.generate(MACHINES.seen)
"""

MANIFEST = """\
nodes:
- a b: {run_list: "role[x]"}
- "c"
clusters:
- lab: [d: ]
stackcook:
  network: 10.0.112.0/24
  nodes:
    a: &small {address: 10.0.112.10, memory: 2G, cpus: 1}
    b: {<<: *small, address: 10.0.112.11}
    c: {address: 10.0.112.12, memory: 1536 MiB}
    d: {address: 10.0.112.13, memory: "8192"}
"""


@pytest.mark.parametrize("text", [MANIFEST, OURS], ids=["shapes", "ours"])
def test_same_machines(text: str, tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    path.write_text(text)
    manifest, findings = read(path)
    assert manifest is not None and not findings

    stub = tmp_path / "stub.rb"
    stub.write_text(STUB)
    done = subprocess.run(
        [find_program("ruby"), stub, REPOSITORY / "stackcook" / "machines" / "Vagrantfile"],
        env={**os.environ, "STACKCOOK_MANIFEST": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    machines = json.loads(done.stdout)

    assert {
        name: (seen["lxc"]["container_name"], seen["lxc"]["ssh_ip_addr"], seen["libvirt"])
        for name, seen in machines.items()
        if isinstance(seen, dict)
    } == {
        node.name: (
            f"{manifest.name}-{node.name}",
            str(node.address),
            {
                "box": "cloud-image/debian-13",
                "hostname": node.name,
                "memory": node.memory,
                "cpus": node.cpus,
            },
        )
        for node in manifest.nodes
    }
