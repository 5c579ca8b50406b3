"""The whole way on real machines: deploy, verify, deploy again, destroy.

The tests are one story, each going on where the one before has ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook import Cloud

pytestmark = pytest.mark.incremental

CONTROLLER = "http://10.0.116.10"
NODES = {"controller", "compute1"}
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")
FRESH = 20 * 60.0
"""Seconds that a deploy may take on a machine without caches."""


@pytest.fixture(scope="session")
def others() -> dict[str, str]:
    """The machines of a cloud that is deployed here, by their first process."""
    return running_containers()


def running_containers() -> dict[str, str]:
    listed = subprocess.run(
        [*SUDO, "lxc-ls", "-f", "-F", "NAME,PID"], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listed.stdout.splitlines()[1:])
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[0].startswith("stackcook-")}


def knife(lab: Any, *argv: str) -> Any:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("knife", path=path)
    assert program, "knife is not installed"
    return lab.run(program, "-c", str(lab.root / ".stackcook/chef/config.rb"), *argv)


def test_a_deploy_brings_up_the_cloud(lab: Any, others: dict[str, str]) -> None:
    done = lab.stackcook("deploy", timeout=FRESH)
    assert done.status == 0
    assert f"{CONTROLLER}/" in done.out + done.err


def test_the_standard_client_sees_all_of_it_up(lab: Any) -> None:
    assert (lab.root / "clouds.yaml").stat().st_mode & 0o777 == 0o600
    services = lab.openstack("compute", "service", "list")
    assert {service["Binary"] for service in services} >= {
        "nova-scheduler",
        "nova-conductor",
        "nova-compute",
    }
    assert {(s["Status"], s["State"]) for s in services} == {("enabled", "up")}
    agents = lab.openstack("network", "agent", "list")
    assert len(agents) >= 2
    assert all(agent["Alive"] and agent["State"] for agent in agents)
    catalog = {entry["Type"] for entry in lab.openstack("catalog", "list")}
    assert catalog >= {"identity", "image", "placement", "compute", "network"}
    assert lab.openstack("server", "list") == []


def test_the_objects_of_the_environment_exist_and_no_others(lab: Any) -> None:
    def names(*argv: str) -> set[str]:
        return {row["Name"] for row in lab.openstack(*argv)}

    assert names("image", "list") == {"test"}
    assert names("flavor", "list") == {"m1.tiny", "m1.small", "m1.medium"}
    assert names("network", "list") == names("subnet", "list") == {"demo", "public"}
    assert {r["Name"] for r in lab.openstack("router", "list", cloud="stackcook-demo")} == {"demo"}


def test_nova_offers_what_the_manifest_gives_a_node(lab: Any) -> None:
    (hypervisor,) = lab.openstack("hypervisor", "list", "--long")
    node = yaml.safe_load(lab.manifest.read_text())["stackcook"]["nodes"]["compute1"]
    assert (hypervisor["vCPUs"], hypervisor["Memory MB"]) == (node["cpus"], node["memory"])


def test_verify_passes(lab: Any) -> None:
    done = lab.stackcook("verify", "--instance", timeout=600)
    assert done.status == 0
    assert "an instance answered on" in done.out


def test_python_reaches_nodes_and_apis(lab: Any) -> None:
    with Cloud.open(lab.manifest) as cloud:
        assert {*cloud.nodes} == NODES
        node = cloud.nodes["compute1"]
        assert node.run(["uname", "-n"]).output == "compute1\n"
        node.put(b"\0 from Python\n", "/root/there", mode=0o600, sudo=True)
        assert node.get("/root/there", sudo=True) == b"\0 from Python\n"
        node.run(["rm", "/root/there"], sudo=True)
        assert cloud.endpoints["identity"].startswith(CONTROLLER)
        services = {service.binary for service in cloud.connection().compute.services()}
        assert services >= {"nova-scheduler", "nova-conductor", "nova-compute"}
        assert [image.name for image in cloud.connection("demo").image.images()] == ["test"]
        assert cloud.report().run.exit_code == 0
        assert cloud.verify(instance=False).ok


def test_pytest_uses_the_cloud_and_leaves_it(lab: Any) -> None:
    (lab.root / "test_it.py").write_text(
        "def test_it(openstack_cloud):\n"
        "    assert openstack_cloud.nodes['controller'].run('uname -n').output == 'controller\\n'\n"
    )
    before = Cloud.open(lab.manifest).report().run.id
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    done = lab.run(*argv, "--stackcook-manifest", str(lab.manifest), timeout=600)
    (lab.root / "test_it.py").unlink()
    assert done.status == 0, done.out
    assert Cloud.open(lab.manifest).report().run.id == before


def test_verify_names_a_stopped_service_and_its_node(lab: Any) -> None:
    assert lab.on("controller", "systemctl stop nova-scheduler").status == 0
    try:
        done = lab.stackcook("verify", "--no-instance")
    finally:
        assert lab.on("controller", "systemctl start nova-scheduler").status == 0
    assert done.status == 5
    (line,) = [line for line in done.out.splitlines() if "✗" in line]
    assert "nova-scheduler" in line and "controller" in line and "inactive" in line
    assert "journalctl -u nova-scheduler" in done.out


def test_knife_finds_no_difference_after_an_upload(lab: Any) -> None:
    assert lab.stackcook("upload").status == 0
    done = knife(lab, "diff")
    assert (done.status, done.out.strip()) == (0, "")


def test_a_second_deploy_changes_nothing(lab: Any) -> None:
    done = lab.stackcook("--json", "deploy", timeout=600)
    assert done.status == 0
    assert done.updated == {"controller": 0, "compute1": 0}


def test_status_shows_both_nodes(lab: Any) -> None:
    done = lab.stackcook("status")
    assert done.status == 0
    assert all(node in done.out for node in NODES)


def test_the_software_of_the_nodes_is_listed(lab: Any) -> None:
    done = lab.stackcook("sbom", "--nodes")
    assert done.status == 0
    rows = {row[1]: row[0] for row in map(str.split, done.out.splitlines()) if len(row) > 3}
    assert {rows.get(name) for name in ("nova-compute", "mariadb-server", "keystone")} == {"deb"}


def test_no_secret_is_shown_to_anybody(lab: Any) -> None:
    secrets = lab.secrets()
    assert len(secrets) >= 13 and all(len(secret) >= 12 for secret in secrets)
    output = "\n".join(lab.transcript)
    assert not [secret for secret in secrets if secret in output]
    for path in lab.root.rglob("*"):
        if path.is_file() and (path.is_relative_to(lab.logs) or path.stat().st_mode & 0o044):
            assert not any(s.encode() in path.read_bytes() for s in secrets), path


@pytest.mark.parametrize("node", sorted(NODES))
def test_no_secret_is_in_the_open_on_a_node(lab: Any, node: str) -> None:
    """In no log, no journal, no command line, and no file that everybody may read."""
    command = (
        "umask 077; p=$(mktemp); cat >$p; wc -l <$p; "
        "grep -rlF -f $p /var/log; journalctl -q | grep -F -f $p | cut -c -40; "
        "grep -lF -f $p /proc/[0-9]*/cmdline 2>/dev/null; "
        "find /etc /var/lib /var/cache /opt /srv /tmp -xdev -type f -perm -004 -size -4096k "
        "-exec grep -lF -f $p {} +; rm $p"
    )
    secrets = lab.secrets()
    done = lab.on(node, command, stdin="".join(f"{secret}\n" for secret in secrets))
    assert done.out.split() == [str(len(secrets))]


def test_destroy_leaves_nothing(lab: Any) -> None:
    done = lab.stackcook("destroy", "--yes", timeout=600)
    assert done.status == 0
    assert lab.leftovers() == []
    clouds = lab.root / "clouds.yaml"
    assert not clouds.exists() or "stackcook" not in yaml.safe_load(clouds.read_text())["clouds"]


def test_a_deployed_cloud_was_not_touched(others: dict[str, str]) -> None:
    assert running_containers() == others
