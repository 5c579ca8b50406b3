"""The Vagrantfile makes the machines that `stackcook machines --json` describes."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from stackcook.cache import packages
from stackcook.chef.repository.packages import Packages
from stackcook.machines import vagrant
from stackcook.machines.box import ORDINARY, Box
from stackcook.machines.network import LabNetwork
from stackcook.machines.vagrant import VagrantMachines
from stackcook.manifest.read import read
from tests.unit.machines.fakes import FakeHost

# Stands for every object of Vagrant's: keeps what is set, follows blocks.
STUB = """
require 'json'
class Recorder
  attr_reader :seen

  def initialize = @seen = {}

  def method_missing(name, *values, **options)
    key, first = name.to_s.delete_suffix('='), values.first
    if %w(define provider before).include?(key)
      yield inner = Recorder.new
      @seen[first] = inner.seen
    elsif %w(vm ssh trigger).include?(key)
      return self
    elsif key == 'customize'
      (@seen[first] ||= []) << values.last
    else
      @seen[key] = options.empty? ? first : options
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
puts JSON.generate(MACHINES.seen.merge(provider: ENV['VAGRANT_DEFAULT_PROVIDER']))
"""

MANIFEST = """\
nodes:
- a b: {run_list: "role[x]"}
- ec2 1: {run_list: "role[x]"}
stackcook:
  name: lab
  network: 10.0.112.0/24
  nodes:
    a: &small {address: 10.0.112.10, memory: 2G, cpus: 1}
    b: {<<: *small, address: 10.0.112.11}
"""


def described(root: Path, provider: str, *, external: bool = False) -> dict[str, Any]:
    path = root / "infrastructure.yml"
    path.write_text(MANIFEST)
    manifest, _ = read(path)
    assert manifest is not None
    network = LabNetwork(manifest.name, IPv4Network("10.0.112.0/24"), root, FakeHost().run)
    second = replace(network, network=IPv4Network("10.0.113.0/24"), key="external_network")
    made = VagrantMachines(manifest, network, provider, external=second if external else None)
    packages = {"a": Packages(("mariadb-server",)), "b": Packages(("nova-compute",))}
    return replace(made, named_packages=lambda: packages).describe()


def load(root: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Load the Vagrantfile, where a `stackcook` beside the manifest prints ``text``."""
    program = root / ".venv" / "bin" / "stackcook"
    program.parent.mkdir(parents=True)
    (root / "answer").write_text(text)
    program.write_text(f'#!/bin/sh\necho "$*" >{root}/asked\ncat {root}/answer\n')
    program.chmod(0o755)
    (root / "stub.rb").write_text(STUB)
    manifest = str(root / "infrastructure.yml")
    return subprocess.run(
        ["ruby", root / "stub.rb", vagrant.HERE / "Vagrantfile"],
        env={**os.environ, "STACKCOOK_MANIFEST": manifest, **env},
        capture_output=True,
        text=True,
    )


def loaded(root: Path, lab: dict[str, Any], **env: str) -> dict[str, Any]:
    done = load(root, json.dumps({"data": lab}), **env)
    assert done.returncode == 0, done.stderr
    machines: dict[str, Any] = json.loads(done.stdout)
    return machines


def test_containers(tmp_path: Path) -> None:
    lab = described(tmp_path, "lxc")
    found = loaded(tmp_path, lab)
    asked = (tmp_path / "asked").read_text()
    assert asked == f"-f {tmp_path}/infrastructure.yml machines --json\n"
    assert (found["provider"], found["box"]) == ("lxc", ORDINARY.name)
    assert "ec2" not in str(lab["machines"]) and set(found) >= {"a", "b", "up"}
    b = found["b"]["lxc"]
    assert (b["container_name"], b["ssh_ip_addr"]) == ("lab-b", "10.0.112.11")
    assert b["net.0.ipv4.address"] == ["10.0.112.11/24"]
    assert b["net.0.hwaddr"] == [lab["machines"][1]["macs"][0]]
    assert (b["net.0.link"], b["net.0.ipv4.gateway"]) == (["br-lab"], ["10.0.112.1"])
    key = tmp_path / ".stackcook" / "ssh" / "id_ed25519"
    assert b["hook.mount"][0].endswith(f"identity.sh b 10.0.112.11 {key}.pub")
    assert (
        f"{tmp_path}/.stackcook/numa/b sys/devices/system/node none bind,ro 0 0" in b["mount.entry"]
    )
    limits = {name: value for setting, value in b.items() for name in setting.split(".")[2:]}
    assert limits["cpus"] == [lab["machines"][1]["cpuset"]]
    assert "2048M" in str(b) and str(packages() / "lab-b") in str(b["mount.entry"])
    assert not [setting for setting in b if setting.startswith("net.1.")]


def test_containers_have_a_second_interface_on_the_external_network(tmp_path: Path) -> None:
    lab = described(tmp_path, "lxc", external=True)
    b = loaded(tmp_path, lab)["b"]["lxc"]
    assert {setting: value for setting, value in b.items() if setting.startswith("net.1.")} == {
        "net.1.type": ["veth"],
        "net.1.link": ["ex-lab"],
        "net.1.name": ["eth1"],
        "net.1.flags": ["up"],
        "net.1.hwaddr": [lab["machines"][1]["macs"][1]],
    }
    assert b["net.0.link"] == ["br-lab"]


def test_a_warm_box_is_used_once_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    warm = Box(Packages(("nova-compute",)))
    warm.path.parent.mkdir(parents=True)
    assert {one["box"] for one in described(tmp_path, "lxc")["machines"]} == {ORDINARY.name}
    warm.path.touch()
    found = loaded(tmp_path, described(tmp_path, "lxc"))
    assert (found["a"]["box"], found["b"]["box"]) == (ORDINARY.name, warm.name)


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_virtual_machines(tmp_path: Path, provider: str) -> None:
    found = loaded(tmp_path, described(tmp_path, provider))
    assert (found["provider"], found["box"]) == (provider, vagrant.DEBIAN_BOX)
    assert found["a"][provider] == {"memory": 2048, "cpus": 1}
    assert found["a"]["hostname"] == "a"
    assert found["a"]["network"] == {"ip": "10.0.112.10", "netmask": "255.255.255.0"}


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_virtual_machines_have_a_second_interface_without_address(
    tmp_path: Path, provider: str
) -> None:
    network = loaded(tmp_path, described(tmp_path, provider, external=True))["a"]["network"]
    assert (network["ip"], network["auto_config"]) == ("10.0.113.2", False)


def test_stackcook_itself_has_provided_the_rest(tmp_path: Path) -> None:
    command = str(tmp_path / ".venv" / "bin" / "stackcook")
    found = loaded(tmp_path, described(tmp_path, "lxc"), STACKCOOK_COMMAND=command)
    assert "up" not in found


def test_errors_name_the_manifest(tmp_path: Path) -> None:
    done = load(tmp_path, '{"data": {"provider": null, "machines": []}}')
    assert done.returncode == 1
    assert f"{tmp_path}/infrastructure.yml: there are no Vagrant machines" in done.stderr
