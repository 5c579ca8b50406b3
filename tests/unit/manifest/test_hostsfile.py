"""Hosts files mean what they mean to Ansible."""

from __future__ import annotations

from pathlib import Path

from stackcook.errors import Position
from stackcook.manifest.fields import FieldReader
from stackcook.manifest.hostsfile import Hosts, read_ini, read_json
from stackcook.manifest.inventory import NO_EFFECT, VARIABLES

ANSIBLE = Path(__file__).parent / "ansible"
WANTED = {*NO_EFFECT, *(variable for names in VARIABLES.values() for variable in names)}


def test_a_hosts_file_gives_what_ansible_prints_for_it() -> None:
    reader = FieldReader(ANSIBLE / "infrastructure.yml")
    ours = read_ini(reader, ANSIBLE / "hosts", (ANSIBLE / "hosts").read_text(), WANTED)
    printed = (ANSIBLE / "list.json").read_text()
    theirs = read_json(reader, Position(1, 1), "list.json", printed, WANTED)
    assert theirs is not None
    assert reader.findings == []
    assert variables(ours) == variables(theirs)
    assert variables(ours)["control02"] == {
        "ansible_host": "10.0.0.2",
        "ansible_port": "2222",
        "ansible_ssh_common_args": '-o ProxyCommand="ssh x"',
        "ansible_ssh_private_key_file": "~/.ssh/k   # comment",
        "ansible_user": "all",
    }
    assert groups(ours) == groups(theirs)
    assert len(groups(ours)["baremetal"]) == 16


def variables(hosts: Hosts) -> dict[str, dict[str, str]]:
    return {
        host: {name: value.text for name, value in found.items()}
        for host, found in hosts.variables.items()
    }


def groups(hosts: Hosts) -> dict[str, list[str]]:
    """The hosts of the groups that have some: Ansible doesn't print others."""
    return {name: sorted(members) for name, members in hosts.groups.items() if members}


def test_many_groups_inside_each_other_and_many_hosts(tmp_path: Path) -> None:
    lines = [f"[g{number}:children]\ng{number + 1}" for number in range(2000)]
    text = "\n".join((*lines, "[g2000]", "n[1:5000]", "[g2000:vars]", "ansible_port=2222"))
    reader = FieldReader(tmp_path / "infrastructure.yml")
    hosts = read_ini(reader, tmp_path / "hosts", text, WANTED)
    assert reader.findings == []
    assert len(hosts.groups["g0"]) == len(hosts.variables) == 5000
    assert hosts.variables["n5000"]["ansible_port"].text == "2222"
