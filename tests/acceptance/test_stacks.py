"""Heat makes an instance with a volume and a floating IP, as a user of the project demo asks."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from stackcook.verify.clouds import demo_cloud
from tests.answers import ssh_answers
from tests.labs import Lab
from tests.started import ROOT

VOLUME = """
  volume:
    type: OS::Cinder::Volume
    properties: {size: 1}
  attachment:
    type: OS::Cinder::VolumeAttachment
    properties: {instance_uuid: {get_resource: server}, volume_id: {get_resource: volume}}
"""
"""What is added to the resources of the example in the documentation."""


def example() -> str:
    """The template ``web.yml`` of docs/services.md."""
    text = (ROOT / "docs" / "services.md").read_text()
    return text.split("# web.yml", 1)[1].split("\n", 1)[1].split("```")[0]


def openstack(lab: Lab, *argv: str) -> str:
    done = lab.run("openstack", "--os-cloud", demo_cloud(), *argv, timeout=600)
    assert done.status == 0, done.err
    return done.out


@pytest.fixture
def stack(lab: Lab) -> Iterator[str]:
    """The name of a stack with an instance, a volume and a floating IP; deleted in the end."""
    name = f"acceptance-{secrets.token_hex(3)}"
    template = lab.root / "stack.yml"
    template.write_text(example().replace("\noutputs:", f"{VOLUME}outputs:"))
    try:
        openstack(lab, "stack", "create", "--template", str(template), "--wait", name)
        yield name
    finally:
        openstack(lab, "stack", "delete", "--yes", "--wait", name)


def test_a_stack_with_an_instance_a_volume_and_a_floating_ip(lab: Lab, stack: str) -> None:
    resources = listed(lab, "stack", "resource", "list", stack)
    states = {each["resource_name"]: each["resource_status"] for each in resources}
    wanted = ("port", "address", "server", "volume", "attachment")
    assert states == dict.fromkeys(wanted, "CREATE_COMPLETE")

    (volume,) = (each for each in resources if each["resource_name"] == "volume")
    shown = json.loads(
        openstack(lab, "volume", "show", "-f", "json", volume["physical_resource_id"])
    )
    assert shown["status"] == "in-use"

    output = json.loads(openstack(lab, "stack", "output", "show", "-f", "json", stack, "address"))
    assert ssh_answers(output["output_value"], patience=180)


def listed(lab: Lab, *argv: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(openstack(lab, *argv, "-f", "json"))
    return rows
