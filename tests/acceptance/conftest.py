"""The cloud that `make acceptance` checks: all services, two compute nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook.chef.objects.databags import read_password
from stackcook.verify.openstack import Cloud, sign_in
from tests.labs import Change, Lab, prepared

CONTROLLER_ROLES = [
    "object-storage-proxy",
    "object-storage",
    "ceph",
    "block-storage",
    "orchestration",
]
"""Roles of optional services for the controller."""

COMPUTE_ROLES = ["object-storage"]
"""Roles of optional services for each compute node."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A deployed cloud: the one in the directory LAB of the environment, else one deployed here."""
    yield from given_or_deployed("sctfull", with_all_services)


def given_or_deployed(name: str, change: Change) -> Iterator[Lab]:
    """The cloud in the directory LAB, else one called ``name`` with ``change`` in its manifest."""
    if "LAB" in os.environ:
        yield there(Path(os.environ["LAB"]).resolve())
        return
    with prepared(name, "10.0.124", "10.0.126", change) as lab:
        done = lab.stackcook("deploy", timeout=60 * 60)
        assert done.status == 0, done.err
        yield lab


@pytest.fixture(scope="session")
def cloud(lab: Lab) -> Cloud:
    """The cloud's APIs, for its administrator."""
    password = read_password(lab.read(), "user_passwords", "admin")
    return sign_in(f"http://{lab.range}.10:5000/v3", password, "stackcook")


def there(root: Path) -> Lab:
    """The lab that is deployed in the directory ``root``."""
    settings = yaml.safe_load((root / "infrastructure.yml").read_text())["stackcook"]
    networks = (settings[key].rpartition(".")[0] for key in ("network", "external_network"))
    return Lab(root, settings["name"], *networks)


def with_all_services(document: dict[str, Any]) -> None:
    """Add a second compute node, and the roles of the optional services to the nodes."""
    nodes = document["stackcook"]["nodes"]
    nodes["controller"]["memory"] = 10240
    nodes["compute2"] = dict(nodes["compute1"])

    def run_list(role: str, more: list[str]) -> str:
        return " ".join(f"role[{each}]" for each in (role, *more))

    document["nodes"] = [
        {"controller": {"run_list": run_list("single-controller", CONTROLLER_ROLES)}},
        {"compute1": {"run_list": run_list("single-compute", COMPUTE_ROLES)}},
        {"compute2": {"run_list": run_list("single-compute", COMPUTE_ROLES)}},
    ]
