"""Tempest's smoke tests pass on a cloud, a guideline is judged, and nothing of it stays."""

from __future__ import annotations

import json
from typing import Any

from tests.labs import Lab

LEFT = ("project", "user", "flavor", "image", "server")
GUIDELINE = {
    "metadata": {"id": "acceptance"},
    "platforms": {"Powered Acceptance": {"components": [{"name": "all"}]}},
    "components": {"all": {"capabilities": {"required": ["versions", "gone"]}}},
    "capabilities": {
        "versions": {
            "project": "nova",
            "tests": {
                "tempest.api.compute.test_versions.TestVersions.test_list_api_versions": {
                    "idempotent_id": "id-6c0a0990-43b6-4529-9b61-5fd8daf7c55c"
                }
            },
        },
        "gone": {
            "project": "nova",
            "tests": {"tempest.api.test_gone": {"idempotent_id": "id-0"}},
        },
    },
}


def names(lab: Lab, kind: str) -> set[str]:
    """The names of all that the cloud has of a kind."""
    everything = {"server": ("--all-projects",), "flavor": ("--all",)}.get(kind, ())
    argv = ("openstack", "--os-cloud", "stackcook", kind, "list", "-f", "json", *everything)
    return {entry["Name"] for entry in json.loads(lab.run(*argv).out)}


def verified(lab: Lab, *options: str) -> Any:
    """The JSON of a verification, after which the cloud and the controller are as before."""
    before = {kind: names(lab, kind) for kind in LEFT}
    packages = lab.on("controller", "dpkg -l").out
    done = lab.stackcook("--json", "verify", *options, timeout=3 * 60 * 60)
    assert {kind: names(lab, kind) for kind in LEFT} == before
    assert lab.on("controller", "dpkg -l").out == packages
    assert lab.on("controller", "test ! -e /var/lib/stackcook-tempest").status == 0
    return done.status, done.data


def test_the_smoke_tests_pass(lab: Lab) -> None:
    status, data = verified(lab, "--tempest", "smoke")
    bad = [test for test in data["tests"] if test["result"] in ("failed", "not run")]
    assert (status, bad) == (0, [])
    assert data["counts"]["passed"] > 50


def test_a_guideline_is_judged(lab: Lab) -> None:
    path = lab.root / "guideline.json"
    path.write_text(json.dumps(GUIDELINE))
    status, data = verified(lab, "--interop", str(path))
    assert status == 0
    results = {each["name"]: each["result"] for each in data["components"][0]["capabilities"]}
    assert results == {"versions": "passed", "gone": "not run"}
